"""A circuit breaker as a state machine that is told the time: gobreaker v2's behaviour. No I/O, no clock.

A breaker refuses operations on a node that fails, and finds out by a few probes when the node is well again. The rules
are those of github.com/sony/gobreaker/v2 2.4.0, which tests/client/data holds recorded traces of. Every transition is
lazy: the next `begin`, `end`, `state` or `counts` makes it. These differences are deliberate:

- Nothing is called back. `transitions` collects the changes, and the owner takes them when it holds nothing.
- A probe may have a deadline (`probe_timeout_ns`), after which it counts as a failure. A probe that never ends blocks
  gobreaker's half-open state for ever.
- `counts` moves on to the present first. gobreaker's Counts() has the past's until the next request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple

DEFAULT_TIMEOUT_NS = 60_000_000_000
"""gobreaker's default."""

_NEVER = 1 << 63


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


class Permit(NamedTuple):
    """The right to carry out one operation, which `end` wants back."""

    generation: int
    age: int
    """The bucket in which the operation began, counted from the generation's start."""
    probe: int = 0
    """The number of a probe with a deadline; 0 for any other operation."""


class _Tally:
    """Counts that change."""

    __slots__ = ("consecutive_failures", "consecutive_successes", "exclusions", "failures", "requests", "successes")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.requests = self.successes = self.failures = self.exclusions = 0
        self.consecutive_successes = self.consecutive_failures = 0

    def add(self, outcome: Outcome) -> None:
        if outcome is Outcome.SUCCESS:
            self.successes += 1
            self.consecutive_successes += 1
            self.consecutive_failures = 0
        elif outcome is Outcome.FAILURE:
            self.failures += 1
            self.consecutive_failures += 1
            self.consecutive_successes = 0
        else:
            self.exclusions += 1

    def frozen(self) -> Counts:
        return Counts(
            self.requests,
            self.successes,
            self.failures,
            self.exclusions,
            self.consecutive_successes,
            self.consecutive_failures,
        )


class _Window:
    """Counts over the last buckets, which roll as the window ages."""

    __slots__ = ("age", "buckets", "newest", "total")

    def __init__(self, buckets: int) -> None:
        self.total = _Tally()
        self.buckets = [_Tally() for _ in range(buckets)]
        self.clear()

    def begin(self) -> None:
        self.total.requests += 1
        self.newest.requests += 1

    def end(self, outcome: Outcome, age: int) -> None:
        """Count an outcome in the bucket of the operation's beginning, if that bucket is still in the window."""
        if 0 <= self.age - age < len(self.buckets):
            self.total.add(outcome)
            self.buckets[age % len(self.buckets)].add(outcome)

    def succeed(self, age: int) -> None:
        """The same as `end` with a success, which is what most operations end with."""
        if age != self.age:
            self.end(Outcome.SUCCESS, age)
            return
        total, newest = self.total, self.newest
        total.successes += 1
        total.consecutive_successes += 1
        total.consecutive_failures = 0
        newest.successes += 1
        newest.consecutive_successes += 1
        newest.consecutive_failures = 0

    def clear(self) -> None:
        self.total.clear()
        for bucket in self.buckets:
            bucket.clear()
        self.age = 0
        self.newest = self.buckets[0]

    def grow(self, age: int) -> None:
        """Move on to an age: the buckets that leave the window are taken off its counts."""
        if age - self.age >= len(self.buckets):
            self.clear()
            self.age = age
        while self.age < age:
            self.age += 1
            self._drop(self.age % len(self.buckets))
        self.newest = self.buckets[self.age % len(self.buckets)]

    def _drop(self, index: int) -> None:
        oldest, total = self.buckets[index], self.total
        others = [bucket for bucket in self.buckets if bucket is not oldest]
        # A run of successes or failures becomes shorter only if it began in the oldest bucket.
        if total.consecutive_successes == oldest.consecutive_successes + sum(b.successes for b in others):
            total.consecutive_successes = max(0, total.consecutive_successes - oldest.consecutive_successes)
        if total.consecutive_failures == oldest.consecutive_failures + sum(b.failures for b in others):
            total.consecutive_failures = max(0, total.consecutive_failures - oldest.consecutive_failures)
        total.requests = max(0, total.requests - oldest.requests)
        total.successes = max(0, total.successes - oldest.successes)
        total.failures = max(0, total.failures - oldest.failures)
        total.exclusions = max(0, total.exclusions - oldest.exclusions)
        oldest.clear()


class Breaker:
    """One breaker. Times are int ns of one monotonic clock and never go back."""

    def __init__(self, settings: BreakerSettings, now_ns: int) -> None:
        self.settings = settings
        self.transitions: list[Transition] = []
        """The changes of state that nobody has taken yet, the oldest first."""
        self._max_requests = settings.max_requests or 1
        self._timeout_ns = settings.timeout_ns if settings.timeout_ns > 0 else DEFAULT_TIMEOUT_NS
        self._interval_ns, self._period_ns, buckets = max(0, settings.interval_ns), 0, 1
        if settings.interval_ns > 0 and settings.bucket_period_ns > 0:
            self._period_ns = settings.bucket_period_ns
            buckets = -(-settings.interval_ns // self._period_ns)
            self._interval_ns = buckets * self._period_ns
        self._window = _Window(buckets)
        self._rolls = buckets >= 2
        self._state = State.CLOSED
        self._generation = 0
        self._probes: dict[int, int] = {}
        """The deadline of each probe under way, by its number, where probes have deadlines."""
        self._probe = 0
        self._due_ns = _NEVER
        """The time from which `_advance` has something to do."""
        self._start_generation(now_ns)

    def begin(self, now_ns: int) -> Permit | Refusal:
        """Let an operation pass, or not. A permit goes back by `end`, however the operation ends."""
        if now_ns >= self._due_ns:
            self._advance(now_ns)
        if self._state is State.CLOSED:
            self._window.begin()
            return self._permit
        if self._state is State.OPEN:
            return Refusal.OPEN
        counted = self._window.total
        if max(0, counted.requests - counted.exclusions) >= self._max_requests:
            return Refusal.TOO_MANY_PROBES
        self._window.begin()
        if not self.settings.probe_timeout_ns:
            return self._permit
        self._probe += 1
        self._probes[self._probe] = now_ns + self.settings.probe_timeout_ns
        self._due_ns = min(self._probes.values()) + 1
        return self._permit._replace(probe=self._probe)

    def end(self, permit: Permit, outcome: Outcome, now_ns: int) -> None:
        """Take a permit back. The outcome of an operation that began in an earlier generation is ignored."""
        if now_ns >= self._due_ns:
            self._advance(now_ns)
        if permit.generation != self._generation:
            return
        if outcome is Outcome.SUCCESS and self._state is State.CLOSED:
            self._window.succeed(permit.age)
            return
        if permit.probe:
            del self._probes[permit.probe]
            self._due_ns = min(self._probes.values(), default=_NEVER - 1) + 1
        if self._state is State.HALF_OPEN and outcome is Outcome.FAILURE:
            self._change(State.OPEN, now_ns)
            return
        self._window.end(outcome, permit.age)
        if self._state is State.HALF_OPEN and outcome is Outcome.SUCCESS:
            if self._window.total.consecutive_successes >= self._max_requests:
                self._change(State.CLOSED, now_ns)
        elif outcome is Outcome.FAILURE and self.settings.trips(self._window.total.frozen()):
            self._change(State.OPEN, now_ns)

    def state(self, now_ns: int) -> State:
        """Return the state at a time."""
        if now_ns >= self._due_ns:
            self._advance(now_ns)
        return self._state

    def counts(self, now_ns: int) -> Counts:
        """Return the counts at a time, without what has left the window."""
        if now_ns >= self._due_ns:
            self._advance(now_ns)
        return self._window.total.frozen()

    def _advance(self, now_ns: int) -> None:
        """Make the transition that time alone has brought. There is one: `_due_ns` has come."""
        if self._state is State.OPEN:
            self._change(State.HALF_OPEN, now_ns)
        elif self._state is State.HALF_OPEN:
            self._change(State.OPEN, now_ns)
        elif self._rolls:
            age = (now_ns - self._start_ns) // self._period_ns
            self._window.grow(age)
            self._permit = Permit(self._generation, age)
            self._due_ns = self._start_ns + (age + 1) * self._period_ns
        else:
            self._start_generation(now_ns)

    def _change(self, state: State, now_ns: int) -> None:
        self.transitions.append(Transition(now_ns, self._state, state))
        self._state = state
        self._start_generation(now_ns)

    def _start_generation(self, now_ns: int) -> None:
        self._generation += 1
        self._start_ns = now_ns
        self._window.clear()
        self._probes.clear()
        self._permit = Permit(self._generation, 0)
        # Times that are strictly in the past have passed, hence the 1.
        if self._state is State.OPEN:
            self._due_ns = now_ns + self._timeout_ns + 1
        elif self._state is State.HALF_OPEN or not self._interval_ns:
            self._due_ns = _NEVER
        elif self._rolls:
            self._due_ns = now_ns + self._period_ns
        else:
            self._due_ns = now_ns + self._interval_ns + 1
