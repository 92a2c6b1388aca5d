"""The statistics of a client, as frozen values. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.client.breaker import Counts, State
from loadgen.client.pool import PoolStats


@dataclass(frozen=True, slots=True)
class NodeStats:
    """One node, as the client sees it now."""

    name: str
    """`host:port`."""
    breaker: State | None
    """None without a breaker."""
    counts: Counts | None
    """The breaker's counts over its window; None without a breaker."""
    pool: PoolStats
    operations: int = 0
    """Requests to the node since the client was made, refused ones included. A batch is one request to each node."""
    timeouts: int = 0
    """Deadlines that passed: of replies, dials and health checks."""
    unsolicited: int = 0
    """Connections closed because bytes came on them that no request had asked for."""
    abandoned: int = 0
    """Connections closed while a reply was outstanding, as its deadline had passed or its caller had cancelled. If the
    reply comes, or with `pipeline` the replies, they come late, and nobody reads them."""


@dataclass(frozen=True, slots=True)
class Stats:
    """A client at one moment."""

    at_ns: int
    """The time by the monotonic clock."""
    nodes: tuple[NodeStats, ...]
    """In the order of the client's nodes."""
    under_way: int
    """Requests that have not ended."""
