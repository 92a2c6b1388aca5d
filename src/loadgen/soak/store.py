"""The samples of a soak in memory: a column of doubles for each series, taken at the beginning for all of the soak.

Memory stays as it is from the first sample to the last. Beyond `MOST_ROWS`, every second sample is given up, again and
again: of a level the later one stays, of a count of intervals the sum.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadgen.soak.folder import Row

MOST_ROWS = 100_000
"""27 hours of a sample each second: 800 KB for each series."""
SPARE_ROWS = 600
"""Room for samples beyond those that are planned: those of settling, and of a soak whose end is late."""

_NONE = math.nan


@dataclass(frozen=True, slots=True)
class Points:
    """The values of a series, and the time of each in seconds of the soak; samples without a value are left out."""

    times_s: Sequence[float]
    values: Sequence[float]

    def __len__(self) -> int:
        return len(self.values)


class Store:
    """The columns. A series whose name comes later has a column from then on."""

    def __init__(self, rows: int, counted: Iterable[str] = ()) -> None:
        """`rows` is how many samples are planned; `counted` are the series whose values are counts of intervals."""
        self._room = max(2, min(rows + SPARE_ROWS, MOST_ROWS))
        self._counted = frozenset(counted)
        self._times = array("d", [_NONE]) * self._room
        self._columns: dict[str, array[float]] = {}
        self._rows = 0
        self._every = 1
        """One of so many samples is kept."""
        self._grouped = 0
        """How many samples the last row stands for so far; 0: as many as it will."""

    @property
    def names(self) -> list[str]:
        return list(self._columns)

    @property
    def thinned(self) -> int:
        """One of so many samples is kept; 1: all are."""
        return self._every

    @property
    def end_s(self) -> float:
        """The time of the newest sample. There must be one."""
        return self._times[self._rows - 1]

    def __len__(self) -> int:
        return self._rows

    def add(self, row: Row) -> None:
        """Take a sample. Times never fall."""
        merges = self._grouped > 0
        if self._rows == self._room and not merges:
            self._thin()
        at = self._rows - merges
        self._times[at] = row.t_s
        for name, value in zip(row.names, row.values, strict=True):
            if value is None:
                continue
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = array("d", [_NONE]) * self._room
            adds = merges and name in self._counted and column[at] == column[at]
            column[at] = column[at] + value if adds else value
        self._rows = at + 1
        self._grouped = (self._grouped + 1) % self._every

    def points(self, name: str, from_s: float = -math.inf, to_s: float = math.inf) -> Points:
        """Return the values of a series within a time, both ends included; no points where it has none."""
        column = self._columns.get(name)
        if column is None:
            return Points((), ())
        times, values = array("d"), array("d")
        for at_s, value in zip(self._times[: self._rows], column, strict=False):
            if value == value and from_s <= at_s <= to_s:
                times.append(at_s)
                values.append(value)
        return Points(times, values)

    def newest(self, name: str, from_s: float = -math.inf) -> float | None:
        """Return the newest value of a series at `from_s` or later; None where there is none."""
        column = self._columns.get(name)
        if column is not None:
            for at in range(self._rows - 1, -1, -1):
                if self._times[at] < from_s:
                    return None
                if column[at] == column[at]:
                    return column[at]
        return None

    def _thin(self) -> None:
        """Keep one of two samples, each with what the one before it counted."""
        kept = self._room // 2
        for to in range(kept):
            first, second = 2 * to, 2 * to + 1
            self._times[to] = self._times[second]
            for name, column in self._columns.items():
                early, late = column[first], column[second]
                if late != late:
                    column[to] = early
                elif name in self._counted and early == early:
                    column[to] = early + late
                else:
                    column[to] = late
        for column in (self._times, *self._columns.values()):
            column[kept:] = array("d", [_NONE]) * (self._room - kept)
        self._rows = kept
        self._every *= 2
