"""A connection as the state machines know it. `_connection.pxd` is the design."""

from enum import IntEnum


class Place(IntEnum):
    """The part of a pool in which a connection is."""

    CONSTRUCTING = 0
    """Being dialled."""
    IDLE = 1
    ACTIVE = 2
    """Carrying out a request, or a health check."""
    CLOSED = 3
    """No longer in the pool."""


cdef tuple PLACES = tuple(Place)


cdef class Connection:
    """One connection of a node's pool."""

    def __init__(self, int64_t number, int node):
        self.number = number
        self.node = node
        self.at_place = CONSTRUCTING
        self.received = b""

    @property
    def place(self):
        return PLACES[self.at_place]

    def __repr__(self):
        return f"<connection {self.number} of node {self.node}, {self.place.name.lower()}>"
