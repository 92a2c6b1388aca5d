"""What a worker does next: it is told the time and what happened, and says what is to be done. No I/O, no clock.

A worker has room for so many jobs at once. It asks for as many as there is room for, begins their leases anew each
third of a lease, tells the storage how they ended, and now and then sweeps over the leases of all workers. What failed
because the storage failed is done again, a little later each time: how a job ended is never forgotten while its lease
can be the worker's.

At most one of each kind of action is under way at once. Whoever carries an action out tells the consumer its outcome by
the method of the same kind, and asks for what is next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loadgen.jobs.job import Claim, Ending, Settlement, Swept

RENEWALS = 3
"""Renewals in the length of a lease, of which two may fail."""

CLAIM_WAIT_NS = 1_000_000_000
"""How long one claim waits for a job at most. A worker that is told to stop waits for no longer."""

_FIRST_PAUSE_NS = 20_000_000
_LONGEST_PAUSE_NS = 1_000_000_000
"""The pause after the first failure of the storage in a row, which doubles with each, and the longest."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Claim at most `most` jobs, and wait for the first for so long."""

    most: int
    wait_ns: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Tell the storage how these jobs ended."""

    settlements: tuple[Settlement, ...]


@dataclass(frozen=True, slots=True)
class Renew:
    """Begin the leases of these jobs anew."""

    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Find expired leases, and claim at most `most` of their jobs."""

    most: int


Action = Ask | Settle | Renew | Sweep


@dataclass(slots=True)
class _Held:
    """A job that the worker has claimed and not settled."""

    claim: Claim
    leased_ns: int
    """When the lease began: not later than the storage began it."""
    is_lost: bool = False
    """True when the storage has said that the job is another's."""


class _Pace:
    """When an action may be tried again."""

    def __init__(self) -> None:
        self.under_way = False
        self.not_before_ns = 0
        self._failures = 0

    def begin(self) -> None:
        self.under_way = True

    def end(self) -> None:
        self.under_way = False
        self._failures = 0

    def fail(self, now_ns: int, draw: float) -> None:
        self.under_way = False
        pause_ns = min(_FIRST_PAUSE_NS << min(self._failures, 10), _LONGEST_PAUSE_NS)
        self._failures += 1
        # Workers that lost the storage together do not come back together.
        self.not_before_ns = now_ns + round(pause_ns * (0.5 + 0.5 * draw))

    def may(self, now_ns: int) -> bool:
        return not self.under_way and now_ns >= self.not_before_ns


class Consumer:
    """One worker's state. `draw` returns numbers in [0, 1)."""

    def __init__(
        self,
        *,
        concurrency: int,
        lease_ns: int,
        sweep_ns: int,
        now_ns: int,
        draw: Callable[[], float],
        renews: bool = True,
        most_settled: int = 500,
    ) -> None:
        self._concurrency = concurrency
        self._lease_ns = lease_ns
        self._sweep_ns = sweep_ns
        self._draw = draw
        self._renews = renews
        self._most_settled = most_settled
        self._held: dict[tuple[str, int], _Held] = {}
        self._ends: list[Settlement] = []
        self.running = 0
        """The jobs whose functions run."""
        self._is_stopping = False
        self._asking, self._settling, self._renewing, self._sweeping = _Pace(), _Pace(), _Pace(), _Pace()
        # The first sweeps of workers that start together are spread over the interval.
        self._next_sweep_ns = now_ns + round(sweep_ns * draw())

    @property
    def is_idle(self) -> bool:
        """True when no job runs, and the storage knows the end of each."""
        return not self._held and not self._ends and not self._settling.under_way and not self._asking.under_way

    def is_lost(self, claim: Claim) -> bool:
        """Return True when the storage has said that a job is another's by now."""
        held = self._held.get((claim.id, claim.fence))
        return held is None or held.is_lost

    # ── What is to be done ────────────────────────────────────────────────────────────────────────────────────────────

    def due(self, now_ns: int) -> Iterator[Action]:
        """Yield each action that is to be begun now; it is under way from then on."""
        if self._ends and self._settling.may(now_ns):
            self._settling.begin()
            settlements, self._ends = self._ends[: self._most_settled], self._ends[self._most_settled :]
            yield Settle(tuple(settlements))
        if self._renews and self._renewing.may(now_ns) and (claims := tuple(self._to_renew(now_ns))):
            self._renewing.begin()
            yield Renew(claims)
        room = self._concurrency - self.running
        if self._is_stopping:
            return
        sweeps = not self._sweeping.under_way and now_ns >= self._sweep_due_ns
        # Both may claim jobs, of which there is one room: a sweep waits for the claim, whose wait ends by then.
        if sweeps and not self._asking.under_way:
            self._sweeping.begin()
            self._next_sweep_ns = now_ns + round(self._sweep_ns * (0.9 + 0.2 * self._draw()))
            yield Sweep(room)
        if room > 0 and self._asking.may(now_ns) and not self._sweeping.under_way:
            self._asking.begin()
            yield Ask(room, max(0, min(CLAIM_WAIT_NS, self._sweep_due_ns - now_ns)))

    @property
    def _sweep_due_ns(self) -> int:
        return max(self._next_sweep_ns, self._sweeping.not_before_ns)

    def next_ns(self) -> int | None:
        """Return the time at which something may be due, if nothing happens before; None when nothing is."""
        times = []
        if not self._is_stopping and not self._sweeping.under_way and not self._asking.under_way:
            times.append(self._sweep_due_ns)
            if self.running < self._concurrency:
                times.append(self._asking.not_before_ns)
        if self._ends and not self._settling.under_way:
            times.append(self._settling.not_before_ns)
        if self._renews and not self._renewing.under_way and (held := self._kept()):
            oldest_ns = min(each.leased_ns for each in held)
            times.append(max(self._renewing.not_before_ns, oldest_ns + self._lease_ns // RENEWALS))
        return min(times, default=None)

    def _kept(self) -> list[_Held]:
        return [held for held in self._held.values() if not held.is_lost]

    def _to_renew(self, now_ns: int) -> Iterator[Claim]:
        for held in self._kept():
            if now_ns - held.leased_ns >= self._lease_ns // RENEWALS:
                yield held.claim

    # ── What happened ─────────────────────────────────────────────────────────────────────────────────────────────────

    def claimed(self, now_ns: int, asked_ns: int, claims: Sequence[Claim]) -> list[Claim]:
        """Take jobs that were asked for at a time, and return those to be begun."""
        self._asking.end()
        return self._taken(now_ns, asked_ns, claims)

    def swept(self, now_ns: int, asked_ns: int, swept: Swept) -> list[Claim]:
        """Take what a sweep found, and return the jobs to be begun."""
        self._sweeping.end()
        return self._taken(now_ns, asked_ns, swept.claims)

    def _taken(self, now_ns: int, asked_ns: int, claims: Sequence[Claim]) -> list[Claim]:
        # An answer that took longer than a lease: the jobs may be another's by now, and will be if they are not.
        if self._renews and now_ns - asked_ns >= self._lease_ns:
            return []
        for claim in claims:
            self._held[claim.id, claim.fence] = _Held(claim, asked_ns)
        self.running += len(claims)
        return list(claims)

    def ended(self, claim: Claim, ending: Ending) -> None:
        """Take the end of a job's function."""
        self.running -= 1
        self._ends.append(Settlement(claim, ending))

    def settled(self, settlements: Sequence[Settlement]) -> None:
        """Take the storage's answer: it has taken these ends, or has refused them."""
        self._settling.end()
        for settlement in settlements:
            self._held.pop((settlement.claim.id, settlement.claim.fence), None)

    def renewed(self, asked_ns: int, claims: Sequence[Claim], kept: Sequence[bool]) -> list[Claim]:
        """Take the storage's answer to a renewal; return the jobs that are another's now."""
        self._renewing.end()
        lost = []
        for claim, is_kept in zip(claims, kept, strict=True):
            held = self._held.get((claim.id, claim.fence))
            if held is None:
                continue
            if is_kept:
                held.leased_ns = asked_ns
            else:
                held.is_lost = True
                lost.append(claim)
        return lost

    def failed(self, now_ns: int, action: Action) -> None:
        """Take the failure of an action: it is done again after a pause."""
        match action:
            case Ask():
                self._asking.fail(now_ns, self._draw())
            case Settle(settlements):
                self._settling.fail(now_ns, self._draw())
                self._ends = [*settlements, *self._ends]
            case Renew():
                self._renewing.fail(now_ns, self._draw())
            case Sweep():
                self._sweeping.fail(now_ns, self._draw())

    def stop(self) -> None:
        """Claim and sweep no more; jobs under way go on, and are settled."""
        self._is_stopping = True
