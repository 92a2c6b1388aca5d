"""A connection as the state machines know it: a number, a state and times, without a socket."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Place(IntEnum):
    """The part of a pool in which a connection is."""

    CONSTRUCTING = 0
    """Being dialled."""
    IDLE = 1
    ACTIVE = 2
    """Carrying out a request, or a health check."""
    CLOSED = 3
    """No longer in the pool."""


class Connection:
    """One connection of a node's pool."""

    __slots__ = ("at", "born_ns", "node", "number", "place", "received", "replies", "request", "stream", "used_ns")

    def __init__(self, number: int, node: int) -> None:
        self.number = number
        """From 1, in the order of dials to the node."""
        self.node = node
        """The index of the node."""
        self.place = Place.CONSTRUCTING
        self.born_ns = 0
        """The time at which the connection was established."""
        self.used_ns = 0
        """The time at which a request last ended on the connection."""
        self.request: Any = None
        """The `request.Request` under way; None on an idle connection."""
        self.received: bytes | bytearray = b""
        """The bytes of the request's replies that came so far."""
        self.at = 0
        """The index in `received` of the first reply that is not complete."""
        self.replies: list[Any] = []
        """The replies so far, for a request that awaits several."""
        self.stream: Any = None
        """The owner's own: what carries the bytes. The state machines never touch it."""

    def __repr__(self) -> str:
        return f"<connection {self.number} of node {self.node}, {self.place.name.lower()}>"
