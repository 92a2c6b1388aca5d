"""The bounds of a pool of connections, and what is known of one: values. The machine itself is `_pool`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The bounds of a pool."""

    max_size: int = 10
    max_lifetime_ns: int = 0
    """The age from which a connection is closed instead of used again; 0: none."""
    max_idle_ns: int = 0
    """The time without use after which a connection is closed; 0: none."""
    pipeline: int = 1
    """Callers that may hold a connection at the same time."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment, and its counts since its beginning."""

    constructing: int = 0
    idle: int = 0
    active: int = 0
    waiting: int = 0
    """Operations that wait for a connection."""
    max_size: int = 0
    opened: int = 0
    """Connections established."""
    closed: int = 0
    """Established connections that were closed, by either side."""
    failed_dials: int = 0
    acquires: int = 0
    """Times that a connection was acquired."""
    waits: int = 0
    """Acquisitions, of those in `acquires`, that had to wait for a connection to be free or to be dialled."""
    wait_ns: int = 0
    """The sum of the times that those waited."""
    cancelled: int = 0
    """Operations that gave up, or were given up, before they had a connection."""

    @property
    def total(self) -> int:
        """Connections: constructing + idle + active."""
        return self.constructing + self.idle + self.active


KINDS = ("puddle", "channel")
"""The kinds of pools, by the name in the options: `puddle` uses the connection next that was used last, `channel` the
one that rested for longest."""
