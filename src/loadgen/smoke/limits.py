"""The limits that a server must meet to pass a smoke test. A value; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SmokeLimits:
    """`[smoke]`: the limits for a freshly built server. Each is the most, or the least, that passes."""

    connection_errors: int = 0
    timeouts: int = 0
    error_replies: int = 0
    p999_ns: int = 100_000_000
    hit_rate: float | None = 0.0
    """The share of GETs that must hit, if sets precede gets; 0 requires any hit at all, None nothing."""
    requests: int = 1000
    """The least number of good replies that must be measured."""
    log: bool = True
    """True when a line in the server's log that reports an error fails the test."""
    sanity: bool = True
    """True when PING, SET and GET of a key of our own must be answered right before the load."""
