"""What may be written in a configuration: tables, keys, and the kinds of their values."""
