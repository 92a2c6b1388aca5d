"""The tables and keys of a configuration, and the kinds of their values."""
