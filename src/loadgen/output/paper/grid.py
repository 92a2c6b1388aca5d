"""A table whose columns are as wide as their widest cell. It does not know what the cells mean."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.output.paper.layout import width

GAP = 2
"""The blanks between two columns."""

_NUMERIC = frozenset("0123456789~<>≥-")
"""The first characters of numbers, and of what stands for one."""

_SHORTEST = 8
"""The least width to which the first column is cut."""


def fits(headings: Sequence[str], rows: Sequence[Sequence[str]], places: Sequence[int]) -> bool:
    """Return True when a line is long enough for the columns at `places`."""
    return _width(_widths(headings, rows, places)) <= width()


def fitting(headings: Sequence[str], rows: Sequence[Sequence[str]], left_out: Sequence[int]) -> list[int]:
    """Return the places of the columns that are shown: where a line is too short, without those at `left_out`, the
    first of them first."""
    places = [*range(len(headings))]
    for left in left_out:
        if fits(headings, rows, places):
            break
        places = [place for place in places if place != left]
    return places


def grid(
    headings: Sequence[str], rows: Sequence[Sequence[str]], places: Sequence[int] | None = None, indent: int = 0
) -> list[str]:
    """Return the line of headings and that of each row, of the columns at `places`.

    The first column is flush left, and so is each that has words; columns of numbers are flush right. The first is cut
    where a line would be too long all the same.
    """
    places = [*range(len(headings))] if places is None else places
    widths = _widths(headings, rows, places)
    excess = _width(widths) + indent - width()
    if excess > 0 and widths:
        widths[0] = max(_SHORTEST, widths[0] - excess)
    left = [place == places[0] or not any(row[place][:1] in _NUMERIC for row in rows) for place in places]
    return [_line([row[place] for place in places], widths, left, indent) for row in (headings, *rows)]


def _line(cells: Sequence[str], widths: Sequence[int], left: Sequence[bool], indent: int) -> str:
    shown = [
        f"{_cut(cell, room):<{room}}" if is_left else f"{cell:>{room}}"
        for cell, room, is_left in zip(cells, widths, left, strict=True)
    ]
    return (" " * indent + (" " * GAP).join(shown)).rstrip()


def _cut(cell: str, room: int) -> str:
    return cell if len(cell) <= room else f"{cell[: room - 1]}…"


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]], places: Sequence[int]) -> list[int]:
    return [max(len(row[place]) for row in (headings, *rows)) for place in places]


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
