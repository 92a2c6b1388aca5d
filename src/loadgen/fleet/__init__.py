"""Load and seeds on many machines: agents, the protocol between them and their leader, and what launches them."""
