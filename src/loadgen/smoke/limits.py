"""What a server must meet to pass a smoke test. A value; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SmokeLimits:
    """`[smoke]`: what a freshly built server must meet. Each is the most, or the least, that passes."""

    connection_errors: int = 0
    timeouts: int = 0
    error_replies: int = 0
    p999_ns: int = 100_000_000
    hit_rate: float | None = 0.0
    """The share of GETs that must hit, where sets precede gets; 0 asks for any hit at all, None for nothing."""
    requests: int = 1000
    """The least that must be measured."""
    log: bool = True
    """Whether a line in its log that tells of an error fails the test."""
    sanity: bool = True
    """Whether PING, SET and GET of a key of our own must be answered right before the load."""
