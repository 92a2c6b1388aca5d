"""What a scenario says about its runs: what must always hold, and which states must sometimes be reached. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Broken(AssertionError):
    """An invariant of a scenario does not hold."""

    def __init__(self, invariant: str, found: str) -> None:
        super().__init__(f"{invariant}: {found}" if found else invariant)
        self.invariant = invariant
        self.found = found


_counts: list[Counter[str]] = []
"""The states of the run that is going on, the innermost last."""


def always(condition: object, invariant: str, found: object = "") -> None:
    """Fail the run unless a condition holds. `invariant` is what must hold, `found` what was seen instead."""
    if not condition:
        raise Broken(invariant, str(found))


def sometimes(state: str, reached: object = True) -> None:
    """Count a state that runs are to reach. A campaign in which no run reached it says so, and fails."""
    if _counts:
        _counts[-1][state] += bool(reached)


@contextmanager
def counted(states: tuple[str, ...]) -> Iterator[Counter[str]]:
    """Count the states of a run, which begin with those that are known, at 0."""
    counts = Counter(dict.fromkeys(states, 0))
    _counts.append(counts)
    try:
        yield counts
    finally:
        _counts.pop()
