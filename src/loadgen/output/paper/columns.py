"""The columns of tables that end in percentiles. It knows widths, and not what stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.output.paper.layout import width
from loadgen.output.words import figures
from loadgen.percentiles import IN_ROWS

_FIRST = 8
_PERCENTILE, _WIDEST = 8, 12
"""The widths of a percentile, from the least to the most."""

_CHOICES = ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 5), (0, 2, 3, 5), (0, 2, 5))
"""The places, among all percentiles, of those that are shown; fewer where there is less room."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What stands left of the percentiles, and the bar between."""

    widths: tuple[int, ...]
    bar: str

    @property
    def left(self) -> int:
        """The width of everything left of the bar, so that other tables' percentiles stand under these."""
        return _FIRST + sum(self.widths)

    def cells(self, words: Sequence[str]) -> list[str]:
        """Each as wide as its column."""
        return [f"{word:>{width}}" for word, width in zip(words, self.widths, strict=True)]

    def line(self, first: str, cells: Sequence[str], percentiles: Sequence[str]) -> str:
        """A line of one kind: a word, cells of the right width, and a word for each percentile."""
        return f"{first:<{_FIRST}}{''.join(cells)}{self.percentiles(percentiles)}"

    def header(self, first: str, *words: str) -> str:
        """The line above."""
        return self.line(first, self.cells(words), [label for _, label, _ in IN_ROWS])

    def percentiles(self, words: Sequence[str]) -> str:
        """Of all percentiles, those that there is room for; where there is plenty, a marked one has its blank too."""
        room = width() - self.left - len(self.bar)
        chosen = next((places for places in _CHOICES if len(places) * _PERCENTILE <= room), _CHOICES[-1])
        each = min(_WIDEST, max(_PERCENTILE, room // len(chosen)))
        shown = [words[place] for place in chosen]
        if each > _PERCENTILE:
            shown = [figures.spaced(word, figures.grouped) for word in shown]
        return self.bar + "".join(f"{word:>{each}}" for word in shown)

    def row(self, label: str, count: int, percentiles: Sequence[str]) -> str:
        """A label that may be as long as it likes, a count, which is then scaled, and percentiles."""
        counted = f"{count:,}"
        if len(label) + 1 + len(counted) > self.left:
            counted = figures.rate(count)
        return f"{label}{counted:>{self.left - len(label)}}{self.percentiles(percentiles)}"


PLAIN = Columns((7, 7, 7), " │")
WATCHED = Columns((6, 6, 6, 5), "│")
"""With one for the server's CPU: each as narrow as the widest number allows, to stay within 80 columns."""
