"""The columns of tables that end in percentiles. It knows widths, and does not know what the cells mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.output.paper.layout import width
from loadgen.output.words import figures
from loadgen.percentiles import IN_ROWS

_FIRST = 8
_PERCENTILE, _WIDEST = 8, 12
"""The least and the greatest width of a percentile."""

_CHOICES = ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 5), (0, 2, 3, 5), (0, 2, 5))
"""Indices in IN_ROWS of the percentiles shown: the first choice that fits."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The widths of the cells left of the percentiles, and the bar between."""

    widths: tuple[int, ...]
    bar: str

    @property
    def left(self) -> int:
        """The width of everything left of the bar, for other tables to align their percentiles."""
        return _FIRST + sum(self.widths)

    def cells(self, words: Sequence[str]) -> list[str]:
        """Return the words, each as wide as its column."""
        return [f"{word:>{width}}" for word, width in zip(words, self.widths, strict=True)]

    def line(self, first: str, cells: Sequence[str], percentiles: Sequence[str]) -> str:
        """Return a line: a word, cells from `cells`, and a word for each percentile."""
        return f"{first:<{_FIRST}}{''.join(cells)}{self.percentiles(percentiles)}"

    def header(self, first: str, *words: str) -> str:
        """Return the line above the rows."""
        return self.line(first, self.cells(words), [label for _, label, _ in IN_ROWS])

    def percentiles(self, words: Sequence[str]) -> str:
        """Return the bar and the percentiles that fit. In wide columns, marked ones have a blank before the unit."""
        room = width() - self.left - len(self.bar)
        chosen = next((places for places in _CHOICES if len(places) * _PERCENTILE <= room), _CHOICES[-1])
        each = min(_WIDEST, max(_PERCENTILE, room // len(chosen)))
        shown = [words[place] for place in chosen]
        if each > _PERCENTILE:
            shown = [figures.spaced(word, figures.grouped) for word in shown]
        return self.bar + "".join(f"{word:>{each}}" for word in shown)

    def row(self, label: str, count: int, percentiles: Sequence[str]) -> str:
        """Return a row of a label, a count and percentiles. The count is scaled when the label is long."""
        counted = f"{count:,}"
        if len(label) + 1 + len(counted) > self.left:
            counted = figures.rate(count)
        return f"{label}{counted:>{self.left - len(label)}}{self.percentiles(percentiles)}"


PLAIN = Columns((7, 7, 7), " │")
WATCHED = Columns((6, 6, 6, 5), "│")
"""With a column for the server's CPU. Columns are as narrow as the widest number allows, to fit 80 columns."""
