"""Contention on shared keys: a load for each shape, on a server of its own, and one table of them all."""
