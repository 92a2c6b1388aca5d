"""Shrinking: from the tape of a failure to a smaller tape of the same failure. No I/O, no clock.

A candidate is a tape with spans left out or moved, or with smaller draws; one whose last draws are 0 is a tape that is
cut off before them. It is kept when it fails in the same way, and what its run drew is then the tape to go on from, as
that run may have asked for fewer draws than it was given. Of two tapes, the one with fewer draws is smaller; with as
many, the one whose first different value is smaller.

Hypothesis shrinks choice sequences in this way (MacIver, Donaldson: Test-Case Reduction via Test-Case Generation,
ECOOP 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from loadgen.verify.tape import FAULT, Recording

Fails = Callable[[tuple[int, ...]], Recording | None]
"""Runs the case of some values: what it drew when it failed in the same way, else None."""


def shrink(failure: Recording, fails: Fails, is_over: Callable[[], bool], most_runs: int) -> Iterator[Recording]:
    """Yield ever smaller recordings of the same failure, the last of which is the answer.

    Ends when no candidate fails any more, after `most_runs` calls of `fails`, or when `is_over` says so, which is asked
    before each call. What `fails` raises ends the generator.
    """
    shrinking = _Shrinking(failure, fails, is_over, most_runs)
    for _ in shrinking.passes():
        yield shrinking.best


class _Over(Exception):
    """The budget is spent."""


class _Shrinking:
    def __init__(self, failure: Recording, fails: Fails, is_over: Callable[[], bool], most_runs: int) -> None:
        self.best = failure
        self._values = failure.values
        """The values of `best`."""
        self._fails = fails
        self._is_over = is_over
        self._runs_left = most_runs
        self._tried = {hash(failure.values)}
        """The hashes of candidates, which may be long."""

    def passes(self) -> Iterator[None]:
        """Yield each time `best` has become smaller."""
        steps = (
            self._without_faults,
            self._without_spans,
            self._handed_on,
            self._zeroed,
            self._lowered,
        )
        try:
            before = None
            while before != self.best:
                before = self.best
                for step in steps:
                    yield from step()
        except _Over:
            return

    def _keeps(self, values: tuple[int, ...]) -> bool:
        """Try a candidate: True when it fails in the same way and is smaller, and has become `best`."""
        if hash(values) in self._tried:
            return False
        if self._runs_left <= 0 or self._is_over():
            raise _Over
        self._runs_left -= 1
        self._tried.add(hash(values))
        found = self._fails(values)
        if found is None or _size(drawn := found.values) >= _size(self._values):
            return False
        self._tried.add(hash(drawn))
        self.best, self._values = found, drawn
        return True

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
                    if spans and self._keeps(_left_out(self._values, spans)):
                        yield
                    start -= size
                size //= 2

    def _spans(self, name: str) -> list[tuple[int, int]]:
        return [(span.start, span.end) for span in self.best.spans if span.name == name]

    def _handed_on(self) -> Iterator[None]:
        """Leave out a span, and move a span inside it, such as a fault, to the same place of the next span."""
        place = 0
        while place < len(self.best.spans):
            if any(self._keeps(values) for values in self._without_one(place)):
                yield
            else:
                place += 1

    def _without_one(self, place: int) -> Iterator[tuple[int, ...]]:
        """Yield the values without the span at a place, for each span inside it that can move to the next one."""
        spans, outer = self.best.spans, self.best.spans[place]
        end = next((i for i in range(place + 1, len(spans)) if spans[i].start >= outer.end), len(spans))
        following = next((spans[i] for i in range(end, len(spans)) if spans[i].name == outer.name), None)
        if following is None:
            return
        values = self._values
        for inner in spans[place + 1 : end]:
            into = following.start + inner.start - outer.start
            yield (
                *values[: outer.start],
                *values[outer.end : into],
                *values[inner.start : inner.end],
                *values[into:],
            )

    def _zeroed(self) -> Iterator[None]:
        """Make stretches of draws 0: half of the draws at a time, a quarter, down to single ones."""
        size = len(self.best.draws) // 2
        while size:
            start = 0
            while start < len(self.best.draws):
                values = self._values
                zeroed = (*values[:start], *[0] * len(values[start : start + size]), *values[start + size :])
                if self._keeps(zeroed):
                    yield
                start += size
            size //= 2

    def _lowered(self) -> Iterator[None]:
        """Lower each draw towards 0, by halving the distance to the least value that is known to be too low."""
        place = 0
        while place < len(self.best.draws):
            too_low = 0
            while place < len(self.best.draws) and too_low + 1 < (value := self._values[place]):
                middle = (too_low + value) // 2
                values = self._values
                if self._keeps((*values[:place], middle, *values[place + 1 :])):
                    yield
                    if place < len(self.best.draws) and self._values[place] > middle:
                        break
                else:
                    too_low = middle
            place += 1


def _size(values: Sequence[int]) -> tuple[int, Sequence[int]]:
    return len(values), values


def _left_out(values: tuple[int, ...], spans: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the values without those of some spans, which may nest."""
    kept: list[int] = []
    reached = 0
    for start, end in sorted(spans):
        kept += values[reached:start]
        reached = max(reached, end)
    return (*kept, *values[reached:])
