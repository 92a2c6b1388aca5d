"""Leases of seeds: which seeds a holder runs next, and that each seed is run and reported once. No I/O, told the time.

A holder is a process on a machine; what it does with a seed is not known here. A lease is a contiguous range of seeds
of one part of a campaign, of about ten seconds of work at the rate that was measured of its holder, and less towards
the end of a campaign, so that holders end together. A holder has a second lease while it carries out the first, and
reports the seeds of each in order. Seeds that a lost holder has not reported are leased again; nothing else is.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.units import NS_PER_S

WORK_NS = 10 * NS_PER_S
"""The work of one lease: long beside the time that a message takes, short beside a campaign."""

MOST_GROWTH = 8
"""A lease has at most so many times the seeds of the holder's last one: the first seeds may be quick by chance."""

LEASES = 2
"""Leases of one holder at a time: the one that is carried out, and the next."""

NEXT_FROM_NS = 2 * NS_PER_S
"""The work that a holder has left, at its rate, when it is given its next lease: long beside the time of a message."""

BLAMES = 2
"""Holders that may be lost while they run one seed, until the seed is given up."""

TRIM_FROM_NS = 2 * NS_PER_S
"""The work that a holder must have left, at its rate, so that some of it is taken back for one that has none."""

HALF_LIFE_NS = 5 * NS_PER_S
"""The time in which what was measured of a rate loses half of its weight."""


class Unexpected(Exception):
    """A report that no lease allows: of seeds that are another's, or were reported before. In words, without a name."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Seeds of one part that one holder runs, from `first` to before `end`, in order."""

    number: int
    """Different for each lease of a campaign."""
    part: int
    first: int
    end: int
    careful: bool = False
    """True when each seed is to be reported before the next begins, as one of them may have ended a holder."""

    def __len__(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Trim:
    """The wish that a holder ends a lease before its end; its answer is how far the lease then goes."""

    holder: str
    number: int
    end: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of the seeds of a lost holder."""

    again: int
    """The seeds that are leased again."""
    given_up: tuple[tuple[int, int], ...]
    """Part and seed of those that are not, as holders were lost by them."""


class _Pace:
    """The seeds per second of one holder, of which older ones count less."""

    def __init__(self) -> None:
        self.seeds = 0.0
        self.ns = 0.0
        self.since_ns = 0
        """When the newest report came, or the work began that is not reported yet."""

    def told(self, seeds: int, now_ns: int) -> None:
        passed_ns = max(now_ns - self.since_ns, 1)
        kept = 0.5 ** (passed_ns / HALF_LIFE_NS)
        self.seeds = self.seeds * kept + seeds
        self.ns = self.ns * kept + passed_ns
        self.since_ns = now_ns

    def per_s(self) -> float:
        return self.seeds * NS_PER_S / self.ns if self.ns else 0.0

    def slowest_per_s(self, now_ns: int) -> float:
        """Return the rate if a seed ended now: a holder that is silent becomes slower with time."""
        return (self.seeds + 1) * NS_PER_S / max(self.ns + now_ns - self.since_ns, 1)


class _Held:
    """A lease under way."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.next = lease.first
        """The first seed that was not reported."""
        self.end = lease.end
        self.trimming = False
        """True until the holder has answered a trim."""


class _Holder:
    def __init__(self) -> None:
        self.held: deque[_Held] = deque()
        self.pace = _Pace()
        self.last_size = 0
        self.seeds = 0

    @property
    def left(self) -> int:
        return sum(each.end - each.next for each in self.held)


class Leases:
    """The leases of a campaign whose parts are these ranges of seeds."""

    def __init__(self, parts: Sequence[range]) -> None:
        self.total = sum(map(len, parts))
        self.done = 0
        """The seeds of all parts that were reported."""
        self._done: list[list[range]] = [[] for _ in parts]
        """By part, the seeds that were reported, as ranges that do not touch, in order."""
        self._free = deque(_Free(part, seeds.start, seeds.stop, False) for part, seeds in enumerate(parts) if seeds)
        self._left = self.total
        """The seeds that are free."""
        self._holders: dict[str, _Holder] = {}
        self._blames: Counter[tuple[int, int]] = Counter()
        self._given_up: list[tuple[int, int]] = []
        self._number = 0
        self._stopped = False

    # ── Holders ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def join(self, holder: str) -> None:
        """Take a holder in, which must have another name than those that are there."""
        if holder in self._holders:
            raise Unexpected(f"{holder} is there already")
        self._holders[holder] = _Holder()

    def give(self, holder: str, now_ns: int) -> Lease | None:
        """Return a new lease of a holder; None when the holder has enough, or nothing is left to be given."""
        of = self._holders[holder]
        if self._stopped or not self._free or len(of.held) >= LEASES or self._work_ns(of, now_ns) > NEXT_FROM_NS:
            return None
        free = self._free.popleft()
        size = min(self._size(of, now_ns), free.end - free.first)
        if free.first + size < free.end:
            self._free.appendleft(_Free(free.part, free.first + size, free.end, free.careful))
        self._number += 1
        self._left -= size
        lease = Lease(self._number, free.part, free.first, free.first + size, free.careful)
        if not of.held:
            of.pace.since_ns = now_ns
        of.held.append(_Held(lease))
        of.last_size = size
        return lease

    def trim(self, holder: str, now_ns: int) -> Trim | None:
        """Return what is to be taken back from another for a holder without work; None when that is not worth while.

        It is free when the other has answered, by `trimmed`.
        """
        if self._stopped or self._free or self._holders[holder].held:
            return None
        if any(each.trimming for of in self._holders.values() for each in of.held):
            return None
        slowest = max(self._holders, key=lambda name: self._work_ns(self._holders[name], now_ns))
        if self._work_ns(self._holders[slowest], now_ns) < TRIM_FROM_NS:
            return None
        held = self._holders[slowest].held[-1]
        # A lease that has not begun is taken whole. Of one that has, the seed under way is its holder's.
        begun = len(self._holders[slowest].held) == 1
        end = held.next + max(1, (held.end - held.next + 1) // 2) if begun else held.lease.first
        if end >= held.end:
            return None
        held.trimming = True
        return Trim(slowest, held.lease.number, end)

    def trimmed(self, holder: str, number: int, end: int) -> None:
        """End a lease at `end`, as its holder answered; the seeds from there on are free. Raises Unexpected."""
        for held in self._holders[holder].held:
            if held.lease.number == number and held.trimming:
                break
        else:
            # The lease was carried out to its end before the wish came.
            return
        if not held.next <= end <= held.end:
            raise Unexpected(f"ends its lease {number} at seed {end}, which is not in it")
        held.trimming = False
        self._back(held.lease.part, end, held.end, held.lease.careful)
        held.end = end
        self._drop_ended(holder)

    def report(self, holder: str, number: int, first: int, end: int, now_ns: int) -> None:
        """Take the report that a holder has run the seeds of its lease from `first` to before `end`.

        Raises Unexpected where these are not the lease's next seeds: nothing is counted then.
        """
        of = self._holders.get(holder)
        held = of.held[0] if of is not None and of.held else None
        if of is None or held is None or held.lease.number != number:
            raise Unexpected(f"reports seeds {first} to {end - 1} of lease {number}, which it does not hold")
        if first != held.next or not first < end <= held.end:
            raise Unexpected(
                f"reports seeds {first} to {end - 1} of its lease {number}, of which {held.next} to {held.end - 1} are "
                "left"
            )
        held.next = end
        of.seeds += end - first
        of.pace.told(end - first, now_ns)
        self.done += end - first
        _joined(self._done[held.lease.part], first, end)
        self._drop_ended(holder)

    def lost(self, holder: str) -> Loss:
        """Take a holder out; what it has not reported is leased again, one seed at a time.

        A seed at which holders that ran seeds one at a time were lost again and again is given up.
        """
        of = self._holders.pop(holder)
        given_up: list[tuple[int, int]] = []
        again = 0
        for place, held in reversed([*enumerate(of.held)]):
            part, first = held.lease.part, held.next
            if place == 0 and first < held.end and held.lease.careful:
                self._blames[part, first] += 1
                if self._blames[part, first] >= BLAMES:
                    given_up.append((part, first))
                    first += 1
            self._back(part, first, held.end, careful=held.lease.careful or place == 0)
            again += held.end - first
        self._given_up += given_up
        return Loss(again, tuple(given_up))

    def stop(self) -> None:
        """Give no lease any more."""
        self._stopped = True

    # ── The account ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_over(self) -> bool:
        """True when nothing is left to be given, or is to be, and no holder has a lease."""
        return (self._stopped or not self._free) and not any(of.held for of in self._holders.values())

    @property
    def given_up(self) -> tuple[tuple[int, int], ...]:
        """Part and seed of those that are not leased any more."""
        return tuple(self._given_up)

    def holds(self, holder: str) -> int:
        """Return the seeds that a holder has still to report."""
        return self._holders[holder].left if holder in self._holders else 0

    def per_s(self, holder: str) -> float:
        """Return the seeds per second of a holder of late; 0 before its first report, and when it is lost."""
        return self._holders[holder].pace.per_s() if holder in self._holders else 0.0

    def left_ns(self) -> int | None:
        """Return how long the rest takes at the rate of all holders; None before the first report."""
        per_s = sum(of.pace.per_s() for of in self._holders.values())
        left = self.total - self.done - len(self._given_up)
        return round(left / per_s * NS_PER_S) if per_s else None

    def reported(self) -> tuple[tuple[range, ...], ...]:
        """Return by part the seeds that were reported, as ranges in order."""
        return tuple(map(tuple, self._done))

    def distinct(self) -> int:
        """Return the number of seeds that were reported; one of several parts counts once."""
        ends = sorted((each.start, each.stop) for part in self._done for each in part)
        count, reach = 0, 0
        for first, end in ends:
            count += max(0, end - max(first, reach))
            reach = max(reach, end)
        return count

    # ── Ranges ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _size(self, of: _Holder, now_ns: int) -> int:
        """Return the seeds of the next lease: ten seconds of work, and at most half of a fair share of what is left."""
        if not of.pace.seeds:
            return 1
        per_s = of.pace.per_s()
        if of.held:
            per_s = min(per_s, of.pace.slowest_per_s(now_ns))
        of_all = sum(each.pace.per_s() for each in self._holders.values())
        fair = per_s / of_all * self._left / 2
        return max(1, round(min(per_s * WORK_NS / NS_PER_S, of.last_size * MOST_GROWTH, fair)))

    def _work_ns(self, of: _Holder, now_ns: int) -> float:
        """Return how long a holder takes for what it has, without the seed under way, of which nothing is known."""
        return (of.left - 1) / of.pace.slowest_per_s(now_ns) * NS_PER_S if of.left > 1 else 0.0

    def _back(self, part: int, first: int, end: int, careful: bool) -> None:
        if first < end:
            self._free.appendleft(_Free(part, first, end, careful))
            self._left += end - first

    def _drop_ended(self, holder: str) -> None:
        held = self._holders[holder].held
        while held and held[0].next >= held[0].end:
            held.popleft()
        # A lease behind the first that was trimmed to nothing is never begun.
        kept = [each for each in held if each.next < each.end]
        held.clear()
        held.extend(kept)


@dataclass(frozen=True, slots=True)
class _Free:
    """Seeds that nobody holds."""

    part: int
    first: int
    end: int
    careful: bool


def _joined(ranges: list[range], first: int, end: int) -> None:
    """Add seeds to ranges in order, which have none of them; those that then touch become one."""
    for each in [each for each in ranges if each.stop == first or each.start == end]:
        ranges.remove(each)
        first, end = min(first, each.start), max(end, each.stop)
    place = next((place for place, each in enumerate(ranges) if each.start > first), len(ranges))
    ranges.insert(place, range(first, end))
