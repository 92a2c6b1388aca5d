"""The settings of a circuit breaker, and what is known of one: values. The machine itself is `_breaker`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum

DEFAULT_TIMEOUT_NS = 60_000_000_000
"""gobreaker's default."""


class State(IntEnum):
    """The state of a breaker, with gobreaker's numbers."""

    CLOSED = 0
    """Operations pass."""
    HALF_OPEN = 1
    """A few operations pass, as probes."""
    OPEN = 2
    """No operation passes."""

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


class Outcome(Enum):
    """How an operation ended, for the breaker."""

    SUCCESS = "success"
    FAILURE = "failure"
    EXCLUDED = "excluded"
    """Neither: the operation says nothing about the node."""


class Refusal(Enum):
    """Why a breaker did not let an operation pass."""

    OPEN = "open"
    TOO_MANY_PROBES = "too many probes"


@dataclass(frozen=True, slots=True)
class Counts:
    """The operations of the current generation, over the window of a rolling breaker."""

    requests: int = 0
    """Operations begun."""
    successes: int = 0
    failures: int = 0
    exclusions: int = 0
    consecutive_successes: int = 0
    consecutive_failures: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a breaker's state."""

    at_ns: int
    before: State
    after: State


def more_than_five_in_a_row(counts: Counts) -> bool:
    """Return True after six consecutive failures: gobreaker's default."""
    return counts.consecutive_failures > 5


@dataclass(frozen=True, slots=True)
class Ratio:
    """Trips when there were enough operations and enough of them failed, or after enough failures in a row.

    Operations under way count as begun. A node that hangs after many good operations fails in a row long before its
    failures are a large share.
    """

    least_requests: int
    share: float
    """The least share of failures, between 0 and 1."""
    in_a_row: int = 0
    """The failures in a row that are enough; 0: only the share counts."""

    def __call__(self, counts: Counts) -> bool:
        if 0 < self.in_a_row <= counts.consecutive_failures:
            return True
        return counts.requests >= self.least_requests and counts.failures / counts.requests >= self.share


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """The settings of a breaker, with gobreaker's names, defaults and treatment of 0."""

    max_requests: int = 1
    """The number of probes in the half-open state, and of consecutive successes that close the breaker; 0 is 1."""
    interval_ns: int = 0
    """The length of the window in the closed state; 0 or less: counts are kept until the breaker opens."""
    bucket_period_ns: int = 0
    """The length of a bucket. The window is rounded up to a multiple, and rolls by a bucket; 0 or less: the counts are
    cleared all at once at the end of each window."""
    timeout_ns: int = DEFAULT_TIMEOUT_NS
    """The time in the open state; 0 or less is 60 s."""
    trips: Callable[[Counts], bool] = more_than_five_in_a_row
    """Called after each failure in the closed state; True opens the breaker."""
    probe_timeout_ns: int = 0
    """The time after which a probe that has not ended counts as a failure; 0: never, as gobreaker has it."""
