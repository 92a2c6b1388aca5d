"""The version of an item, which `gets` returns and `cas` takes: memcached's number, and whose it is. No I/O."""

from __future__ import annotations


class Version(int):
    """A number that means an item's value at one node. Each node counts versions of its own, from 1."""

    node: int
    """The index of the node that gave it."""

    @classmethod
    def of(cls, number: int, node: int) -> Version:
        """Return a node's number as a version."""
        version = cls(number)
        version.node = node
        return version
