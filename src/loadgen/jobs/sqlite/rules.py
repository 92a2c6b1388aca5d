"""What the transactions are told beside their arguments: the rules of a queue, and the time. Values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one queue in a file."""

    queue: int
    """The number of the queue in the file."""
    lease_ns: int
    max_deliveries: int
    """How often a job is claimed without a settlement before it is a dead letter."""
    result_ttl_ms: int
    """How long successful and cancelled jobs are kept; 0: not at all."""
    dead_ttl_ms: int
    """How long dead letters are kept."""
    key_ttl_ms: int
    """How long idempotency keys are kept, counted from the publish."""


class Now(NamedTuple):
    """The time, by both clocks."""

    unix_ms: int
    """For due times, and for how long things are kept."""
    monotonic_ns: int
    """For leases: a jump of the clock of the day ends none."""
