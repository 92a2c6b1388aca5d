"""Monitors in the formats for people: the table of their series."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.monitors.report import MonitorReport
from loadgen.output.paper.color import Paint
from loadgen.output.paper.layout import indented, width, wrapped
from loadgen.output.paper.markdown import listed
from loadgen.output.paper.markdown import table as tabled
from loadgen.output.words import monitors

INDENT = 2
BETWEEN = 2
"""Blanks between two columns."""

LONGEST_NAME = 30
"""The longest name of a series that is beside its values, and not above them."""


def table(reports: Sequence[MonitorReport]) -> list[str]:
    """Return a table of all monitors' series that changed, and what did not change in a sentence for each monitor.

    The first line has the headings. Where a line is too narrow, the range is left out. Nothing without monitors.
    """
    if not reports:
        return []
    rows = {report.name: [monitors.row(each) for each in monitors.changed(report)] for report in reports}
    cells = [row for those in rows.values() for row in those]
    sizes = [max(len(row[place]) for row in (monitors.HEADINGS, *cells)) for place in range(len(monitors.HEADINGS))]
    sizes[0] = min(sizes[0], LONGEST_NAME)
    places = [0, 1, 2, 3] if INDENT + sum(sizes) + 3 * BETWEEN <= width() else [0, 1, 3]
    others = sum(sizes[place] + BETWEEN for place in places[1:])
    sizes[0] = max(len(monitors.HEADINGS[0]), min(sizes[0], width() - INDENT - others))
    lines = _row(monitors.HEADINGS, sizes, places, indent=0)
    for report in reports:
        lines += wrapped(monitors.account(report))
        for row in rows[report.name]:
            lines += _row(row, sizes, places)
        lines += indented(monitors.unchanged(report), 2 * INDENT)
    return lines


def painted(reports: Sequence[MonitorReport], paint: Paint) -> list[str]:
    """Return the table with its headings in bold and an empty line after it; nothing without monitors."""
    headings, *rows = table(reports) or [""]
    return [paint(headings, "bold"), *rows, ""] if rows else []


def markdown(reports: Sequence[MonitorReport]) -> list[str]:
    """Return a table in Markdown with a row for each series, and a line for each monitor; nothing without monitors."""
    if not reports:
        return []
    rows = [
        [monitors.name(report), *monitors.row(each), str(each.readings)] for report in reports for each in report.series
    ]
    headings = ["monitor", "series", *monitors.HEADINGS[1:], "readings"]
    return [
        *(tabled(headings, rows) if rows else []),
        "",
        *listed("Monitors", [monitors.account(report) for report in reports]),
    ]


def _row(cells: Sequence[str], sizes: Sequence[int], places: Sequence[int], indent: int = INDENT) -> list[str]:
    """Return a row; on two lines where its first cell is too long."""
    name, *others = (cells[place] for place in places)
    rest = "".join(f"{cell:>{sizes[place] + BETWEEN}}" for cell, place in zip(others, places[1:], strict=True))
    if len(name) > sizes[0]:
        return [f"{'':{indent}}{name}", f"{'':{INDENT + sizes[0]}}{rest}"]
    return [f"{'':{indent}}{name:<{INDENT - indent + sizes[0]}}{rest}"]
