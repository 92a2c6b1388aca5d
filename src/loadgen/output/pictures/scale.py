"""The common scale that the intervals of a comparison are drawn on, in a terminal and in a picture. Pure.

Positions are shares of the width, from 0 to 1; what lies beyond the scale is at its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.compare.answers import Row
from loadgen.output.words import comparison

# An interval that reaches further than this many thresholds, and than so many times any estimate, is cut: one metric
# must not press the others together.
_MOST_THRESHOLDS, _MOST_EFFECTS = 4.0, 1.5

# Where nothing changed at all, a percent is shown.
_LEAST = 0.01

_MARGIN = 0.04
"""On either side, as a share of what is shown."""

_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """The changes from `low` to `high`, with zero between them."""

    low: float
    high: float

    @classmethod
    def of(cls, rows: Sequence[Row], one_sided: bool) -> Scale:
        """Wide enough for every threshold and every estimate, and for the intervals as far as that is bearable."""
        edges = [edge for row in rows for edge in comparison.band(row, one_sided) if math.isfinite(edge)]
        effects = [row.effect for row in rows if row.effect is not None]
        ends = [end for row in rows for end in (row.ci_low, row.ci_high) if end is not None]
        most = max(
            [_MOST_THRESHOLDS * abs(edge) for edge in edges] + [1.5 * abs(effect) for effect in effects] + [0.01]
        )
        points = [0.0, *edges, *effects, *(max(-most, min(most, end)) for end in ends)]
        margin = _MARGIN * max(max(points) - min(points), _LEAST)
        return cls(min(points) - margin, max(points) + margin)

    def at(self, change: float) -> float:
        """Where a change lies, from 0 to 1."""
        return max(0.0, min(1.0, (change - self.low) / (self.high - self.low)))

    def holds(self, change: float | None) -> bool:
        """Whether it lies on the scale; the end of an interval that is open does not."""
        return change is not None and self.low <= change <= self.high

    def ticks(self, most: int) -> list[float]:
        """Round changes on the scale, zero among them, at most so many; 3 is the least to be asked for."""
        rough = (self.high - self.low) / (most - 1)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in _STEPS if power * factor >= rough * (1 - 1e-9))
        return [number * step for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
