"""Groups of commands, from which the operations of a case are drawn."""
