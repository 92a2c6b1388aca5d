"""What is known for certain of the writes of a key that another process writes. A frozen value; no I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from loadgen.trial.value import Range

MOST_RANGES = 16
"""Settled ranges that are remembered for each key, the newest ones. Between two of them there are failed writes."""


@dataclass(frozen=True, slots=True)
class Known:
    """The writes of a key of which it is certain that they have been replaced."""

    settled: tuple[Range, ...] = ()
    """The sequences of the values that have been replaced, as ranges in their order that do not touch."""
    newest: int = 0
    """The greatest sequence of a write that has taken effect for certain; 0: of none."""
    begun_ns: int = 0
    """The time at which this write began."""

    def with_write(self, sequence: int, begun_ns: int, settled: Range) -> Self:
        """Return what is known when a write has taken effect, too, before which these sequences were settled."""
        return self.merged(type(self)(joined((), settled), sequence, begun_ns))

    def merged(self, other: Self) -> Self:
        """Return what is known by both. Returns `self` when `other` adds nothing."""
        ranges = self.settled
        if other.settled != ranges:
            for each in other.settled:
                ranges = joined(ranges, each)
        newer = max(self, other, key=lambda known: known.newest)
        if newer is self and ranges == self.settled:
            return self
        return type(self)(ranges, newer.newest, newer.begun_ns)


def joined(ranges: tuple[Range, ...], added: Range) -> tuple[Range, ...]:
    """Return ranges and one more as ranges that do not touch, in their order: the last `MOST_RANGES` of them."""
    first, last = added
    if last < first:
        return ranges
    apart = []
    for low, high in ranges:
        if high < first - 1 or low > last + 1:
            apart.append((low, high))
        else:
            first, last = min(first, low), max(last, high)
    return tuple(sorted([*apart, (first, last)]))[-MOST_RANGES:]
