"""Shrinking: from the tape of a failure to a smaller tape of the same failure. No I/O, no clock.

A candidate is a tape with spans left out or moved, or with smaller draws. It is kept when it fails in the same way, and
what its run drew is then the tape to go on from, as that run may have asked for other draws than it was given. Of two
tapes, the one with fewer parts is smaller; with as many, the one with fewer operations that are no parts, then the one
whose values have fewer bits, then the one with fewer draws, then the one whose first different value is smaller.

Hypothesis shrinks choice sequences in this way (MacIver, Donaldson: Test-Case Reduction via Test-Case Generation,
ECOOP 2020). There a candidate's values are given to draws in their order; here each draw gets those of its own site.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from loadgen.verify.tape import FAULT, OPERATIONS, SEED, Draw, Recording, Span

Run = Callable[[Sequence[Draw]], tuple[Recording, bool]]
"""Runs the case of some draws: what it drew, and True when it failed in the same way."""

SEEDS = 16
"""The seeds that are tried with fewer operations."""


def shrink(failure: Recording, run: Run, is_over: Callable[[], bool], most_runs: int) -> Iterator[Recording]:
    """Yield ever smaller recordings of the same failure, the last of which is the answer.

    Ends when no candidate fails any more, after `most_runs` calls of `run`, or when `is_over` says so, which is asked
    before each call. What `run` raises ends the generator.
    """
    shrinking = _Shrinking(failure, run, is_over, most_runs)
    for _ in shrinking.passes():
        yield shrinking.best


class _Over(Exception):
    """The budget is spent."""


class _Shrinking:
    def __init__(self, failure: Recording, run: Run, is_over: Callable[[], bool], most_runs: int) -> None:
        self.best = failure
        self._size = _size(failure)
        self._run = run
        self._is_over = is_over
        self._runs_left = most_runs
        self._tried = {hash(failure.draws)}
        """The hashes of candidates, which may be long."""

    def passes(self) -> Iterator[None]:
        """Yield each time `best` has become smaller."""
        steps = (
            self._without_faults,
            self._fewer,
            self._without_spans,
            self._handed_on,
            self._zeroed,
            self._lowered,
        )
        try:
            before = None
            while before != self.best:
                yield from self._until_none(steps)
                before = self.best
                yield from self._without_consequences()
        except _Over:
            return

    def _until_none(self, steps: Sequence[Callable[[], Iterator[None]]]) -> Iterator[None]:
        """Take steps, one after the other and again, until none of them makes `best` smaller."""
        before = None
        while before != self.best:
            before = self.best
            for step in steps:
                yield from step()

    def _keeps(self, draws: Sequence[Draw]) -> bool:
        """Try a candidate: True when it fails in the same way and is smaller, and has become `best`."""
        if (key := hash(tuple(draws))) in self._tried:
            return False
        self._tried.add(key)
        found, fails = self._ran(draws)
        if not fails or (size := _size(found)) >= self._size:
            return False
        self._tried.add(hash(found.draws))
        self.best, self._size = found, size
        return True

    def _ran(self, draws: Sequence[Draw]) -> tuple[Recording, bool]:
        if self._runs_left <= 0 or self._is_over():
            raise _Over
        self._runs_left -= 1
        return self._run(draws)

    # ── Steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _without_faults(self) -> Iterator[None]:
        yield from self._without([FAULT])

    def _without_spans(self) -> Iterator[None]:
        yield from self._without([*dict.fromkeys(span.name for span in self.best.spans)])

    def _without(self, names: Sequence[str]) -> Iterator[None]:
        """Leave out spans of each name: all, then half of them at a time, a quarter, down to single ones."""
        for name in names:
            size = len(self._spans(name))
            while size:
                # From the end: what comes late depends on what came before it, and not the other way round.
                start = len(self._spans(name)) - size
                while start > -size:
                    spans = self._spans(name)[max(0, start) : start + size]
                    if spans and self._keeps(_without(self.best, _places(spans))):
                        yield
                    start -= size
                size //= 2

    def _spans(self, name: str) -> list[Span]:
        return [span for span in self.best.spans if span.name == name]

    def _handed_on(self) -> Iterator[None]:
        """Leave out a span, and move a span inside it, such as a fault, to the same place of the next span."""
        place = 0
        while place < len(self.best.spans):
            if any(self._keeps(draws) for draws in self._without_one(place)):
                yield
            else:
                place += 1

    def _without_one(self, place: int) -> Iterator[Sequence[Draw]]:
        """Yield the draws without the span at a place, for each span inside it that can move to the next one."""
        spans, outer = self.best.spans, self.best.spans[place]
        end = next((i for i in range(place + 1, len(spans)) if spans[i].start >= outer.end), len(spans))
        following = next((spans[i] for i in range(end, len(spans)) if spans[i].name == outer.name), None)
        if following is None:
            return
        draws = self.best.draws
        for inner in spans[place + 1 : end]:
            into = following.start + inner.start - outer.start
            yield (
                *draws[: outer.start],
                *draws[outer.end : into],
                *draws[inner.start : inner.end],
                *draws[into:],
            )

    def _zeroed(self) -> Iterator[None]:
        """Make the draws of each site 0: all, then half of them at a time, a quarter, down to single ones."""
        for site in dict.fromkeys(draw.site for draw in self.best.draws):
            size = len(self._above_0(site))
            while size:
                start = len(self._above_0(site)) - size
                while start > -size:
                    places = self._above_0(site)[max(0, start) : start + size]
                    if places and self._keeps(_changed(self.best.draws, dict.fromkeys(places, 0))):
                        yield
                    start -= size
                size //= 2

    def _above_0(self, site: str) -> list[int]:
        return [place for place, draw in enumerate(self.best.draws) if draw.value and draw.site == site]

    def _fewer(self) -> Iterator[None]:
        """Lower the number of operations that are no parts, with other seeds where these fewer do not fail.

        Such operations are drawn by a generator of their own: with another seed, the first of them are others.
        """
        place = next((place for place, draw in enumerate(self.best.draws) if draw.site == OPERATIONS), None)
        if place is None:
            return
        # Of ten operations the right two may fail where no five do.
        few = 0
        while few < self.best.draws[place].value:
            if any(self._keeps(draws) for draws in self._of_fewer(place, few, ())):
                yield
            few = 2 * few + 1
        too_low = -1
        while too_low + 1 < (value := self.best.draws[place].value):
            middle = (too_low + value) // 2
            if any(self._keeps(draws) for draws in self._of_fewer(place, middle, range(SEEDS))):
                yield
            else:
                too_low = middle

    def _of_fewer(self, place: int, operations: int, seeds: Iterable[int]) -> Iterator[Sequence[Draw]]:
        """Yield the draws with fewer operations, as they are and with each of some seeds.

        Each also without what was drawn first because of all operations, so that the last draws of a site stay: the one
        that matters may be far behind the first of them, whichever operation it comes with.
        """
        draws = _changed(self.best.draws, {place: operations})
        yield draws
        found, _ = self._ran(draws)
        first = _stretches(self.best, _fewer_drawn(self.best, found), 0.0)
        yield _but(draws, first)
        seeded = [at for at, draw in enumerate(draws) if draw.site == SEED]
        for seed in seeds if seeded else ():
            changed = _changed(draws, dict.fromkeys(seeded, seed))
            yield changed
            yield _but(changed, first)

    def _lowered(self) -> Iterator[None]:
        """Lower each draw."""
        place = 0
        while place < len(self.best.draws):
            yield from self._lowered_at(place)
            place += 1

    def _lowered_at(self, place: int) -> Iterator[None]:
        """Lower a draw towards 0, by halving the distance to the least value that is known to be too low."""
        too_low = 0
        while place < len(self.best.draws) and too_low + 1 < (value := self.best.draws[place].value):
            middle = (too_low + value) // 2
            if self._keeps(_changed(self.best.draws, {place: middle})):
                yield
                if place < len(self.best.draws) and self.best.draws[place].value > middle:
                    return
            else:
                too_low = middle

    def _without_consequences(self) -> Iterator[None]:
        """Leave out each span, with what was drawn because of it.

        A world draws while a case goes on: delays, losses, the order of events. Without an operation it draws less
        often, and what it was to draw for the operations behind that one comes too late.
        """
        place = len(self.best.spans)
        while place := min(place, len(self.best.spans)):
            place -= 1
            if any(self._keeps(draws) for draws in self._without_drawn(self.best.spans[place])):
                yield

    def _without_drawn(self, span: Span) -> Iterator[Sequence[Draw]]:
        best, left_out = self.best, _places([span])
        found, _ = self._ran(_without(best, left_out))
        fewer = _fewer_drawn(best, found)
        if fewer:
            others = self._spans(span.name)
            # About when the part had its turn, else from the beginning: where other draws are 0, that is as good.
            for part in (others.index(span) / len(others), 0.0):
                yield _without(best, left_out | _stretches(best, fewer, part))


def _fewer_drawn(before: Recording, now: Recording) -> Counter[str]:
    """Return how many fewer draws of each site a run made outside of spans; no site of which it made as many."""
    fewer = Counter(before.draws[place].site for place in _outside(before))
    fewer.subtract(now.draws[place].site for place in _outside(now))
    return +fewer


def _outside(recording: Recording) -> list[int]:
    """Return the places of the draws that are in no span."""
    places: list[int] = []
    reached = 0
    for span in recording.spans:
        places += range(reached, span.start)
        reached = max(reached, span.end)
    return [*places, *range(reached, len(recording.draws))]


def _size(recording: Recording) -> tuple[object, ...]:
    values = recording.values
    operations = sum(draw.value for draw in recording.draws if draw.site == OPERATIONS)
    return len(recording.spans), operations, sum(value.bit_length() for value in values), len(values), values


def _changed(draws: Sequence[Draw], values: Mapping[int, int]) -> list[Draw]:
    """Return the draws with other values at some places."""
    changed = [*draws]
    for place, value in values.items():
        changed[place] = Draw(*draws[place][:2], value)
    return changed


def _without(recording: Recording, places: AbstractSet[int]) -> list[Draw]:
    return _but(recording.draws, places)


def _but(draws: Sequence[Draw], places: AbstractSet[int]) -> list[Draw]:
    return [draw for place, draw in enumerate(draws) if place not in places]


def _places(spans: Iterable[Span]) -> set[int]:
    return {place for span in spans for place in range(span.start, span.end)}


def _stretches(recording: Recording, counts: Mapping[str, int], part: float) -> set[int]:
    """Return the places of so many draws of each site, one after the other from a part of all of the site on."""
    of_site: dict[str, list[int]] = {}
    for place in _outside(recording):
        of_site.setdefault(recording.draws[place].site, []).append(place)
    found: set[int] = set()
    for site, count in counts.items():
        if count > 0:
            places = of_site[site]
            start = min(int(part * len(places)), len(places) - count)
            found.update(places[start : start + count])
    return found
