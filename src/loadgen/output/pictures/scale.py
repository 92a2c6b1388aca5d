"""The common scale of a comparison's intervals, in a terminal and in SVG. Pure.

Positions are shares of the width, from 0 to 1; a change beyond the scale is placed at the scale's end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.compare.answers import Row
from loadgen.output.words import comparison

# An interval is cut at this many times the largest threshold or estimate, whichever is further, so that one wide
# interval does not squeeze the others.
_MOST_THRESHOLDS, _MOST_EFFECTS = 4.0, 1.5

# The least range of a scale, one percent, for metrics that did not change at all.
_LEAST = 0.01

_MARGIN = 0.04
"""The margin on either side, as a share of the range."""

_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of changes from `low` to `high`, which includes zero."""

    low: float
    high: float

    @classmethod
    def of(cls, rows: Sequence[Row], one_sided: bool) -> Scale:
        """Return a scale that holds every threshold and estimate, and the intervals up to the cut."""
        edges = [edge for row in rows for edge in comparison.band(row, one_sided) if math.isfinite(edge)]
        effects = [row.effect for row in rows if row.effect is not None]
        ends = [end for row in rows for end in (row.ci_low, row.ci_high) if end is not None]
        reach = [_MOST_THRESHOLDS * abs(edge) for edge in edges] + [_MOST_EFFECTS * abs(effect) for effect in effects]
        most = max([_LEAST, *reach])
        points = [0.0, *edges, *effects, *(max(-most, min(most, end)) for end in ends)]
        margin = _MARGIN * max(max(points) - min(points), _LEAST)
        return cls(min(points) - margin, max(points) + margin)

    def at(self, change: float) -> float:
        """Return the position of a change, from 0 to 1."""
        return max(0.0, min(1.0, (change - self.low) / (self.high - self.low)))

    def holds(self, change: float | None) -> bool:
        """Return True when a change lies on the scale; False for None, the open end of an interval."""
        return change is not None and self.low <= change <= self.high

    def ticks(self, most: int) -> list[float]:
        """Return at most `most` round changes on the scale, zero among them; `most` is at least 3."""
        rough = (self.high - self.low) / (most - 1)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in _STEPS if power * factor >= rough * (1 - 1e-9))
        return [number * step for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
