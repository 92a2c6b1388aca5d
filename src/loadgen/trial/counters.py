"""The counters that one caller process increments, and which of their values are therefore wrong. Sans-IO; no clock.

A counter begins at 0. An increment that was acknowledged has taken effect once; one that failed may take effect once,
at any later time, or never. An eviction, a restart or a new beginning sets a counter back, which is right for a cache:
a value may then be as low as the increments that can have come after. Hence two bounds of the value v that an increment
by d returns:

- Above: for each increment that had returned w before this one began, v ≤ w + all that was not yet acknowledged when
  that one began + all that failed + all that is under way + d. An increment that took effect twice is found by this.
- Below: v ≥ w + d for each such increment, unless the counter was set back; and if it was, then
  v ≤ d + all that was not yet acknowledged when the greatest known value was asked for + all that failed or is under
  way. An acknowledged increment that was lost is found by this bound.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Increment:
    """An increment under way."""

    key: str
    delta: int
    acknowledged: int
    """The sum of acknowledged increments when this one began."""
    least: int
    """The greatest known value when this one began."""
    base: int
    """The sum of acknowledged increments that were in that value for certain, and the one that returned it."""
    offset: int
    """The least difference, when this one began, between a returned value and the acknowledged increments in it."""


@dataclass(slots=True)
class _Sums:
    acknowledged: int = 0
    failed: int = 0
    under_way: int = 0
    least: int = 0
    base: int = 0
    offset: int = 0


class Counters:
    """The increments of one caller process."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sums] = {}

    def begin(self, key: str, delta: int) -> Increment:
        """Begin an increment of a counter that was 0 before the first one."""
        sums = self._sums.setdefault(key, _Sums())
        sums.under_way += delta
        return Increment(key, delta, sums.acknowledged, sums.least, sums.base, sums.offset)

    def failed(self, increment: Increment) -> None:
        """End an increment that failed; it may take effect later."""
        sums = self._sums[increment.key]
        sums.under_way -= increment.delta
        sums.failed += increment.delta

    def missed(self, increment: Increment) -> None:
        """End an increment that found no counter, and thus had no effect."""
        self._sums[increment.key].under_way -= increment.delta

    def judge(self, increment: Increment, value: int) -> str | None:
        """End an increment that returned a value. Return in words why the value is wrong; None: it may be right."""
        sums = self._sums[increment.key]
        sums.under_way -= increment.delta
        open_sum = sums.failed + sums.under_way + increment.delta
        most = increment.offset + sums.acknowledged + open_sum
        after_reset = sums.acknowledged - increment.base + open_sum
        least = increment.least + increment.delta
        wrong = None
        if value > most:
            wrong = f"counter {increment.key} is {value}, and all its increments come to {most} at most"
        elif after_reset < value < least:
            wrong = (
                f"counter {increment.key} is {value}, was {increment.least} before and was incremented by "
                f"{increment.delta}; all increments since come to {after_reset} at most"
            )
        elif value < increment.delta:
            wrong = f"counter {increment.key} is {value} after an increment by {increment.delta}"
        self._note(sums, increment, value, fell=value < least, excess=value > most)
        return wrong

    @staticmethod
    def _note(sums: _Sums, increment: Increment, value: int, *, fell: bool, excess: bool) -> None:
        base = increment.acknowledged + increment.delta
        sums.acknowledged += increment.delta
        # A value above the bound is found once: from there on the counter is taken to be what it says.
        sums.offset = value - base if excess else min(sums.offset, value - base)
        if value > sums.least or fell:
            sums.least, sums.base = value, base
