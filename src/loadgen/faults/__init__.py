"""Faults: what can be done to a server, its network, its process or its disk, as values, and what carries them out.

`fault`, `kinds`, `timeline` and `report` are values and pure functions, which any room may import. Each other module is
an interpreter of one layer, or a part of one.
"""
