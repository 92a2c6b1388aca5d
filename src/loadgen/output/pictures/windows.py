"""The violations of a history as one self-contained SVG file, in light and dark: a lane for each process.

A bar goes from an operation's call to its return; one without an end is open. Each time at which something was called
or returned has the same room, as the order is what matters: the ticks say when it was. The file has no scripts, fonts
or links. Text from outside is escaped where it is written.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from loadgen.escape import printable
from loadgen.output.paper.xml import serialized
from loadgen.output.pictures.canvas import INK, MINOR, TITLE_SIZE, canvas, px, text
from loadgen.output.words import histories
from loadgen.units import span
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Shown, Violation

_WIDTH = 1000
_LEFT, _RIGHT = 120, 520
"""The horizontal extent of bars; processes are to the left of it, operations to the right."""

_HEAD = 44
"""The height of a violation's title, without its sentence."""
_LINE, _ROW, _AXIS = 18, 26, 34
_COLUMNS = 130
"""Characters of a line of a sentence."""
_WORDS = 64
"""Characters of an operation; the whole is shown when one points at it."""
_MOST_TICKS = 8

_CALM, _ALARM = "#1565c0", "#c62828"
_DARK = ".calm { stroke: #79c0ff; } .alarm { stroke: #ff7b72; } .alarmed { fill: #ff7b72; }"


def svg(checked: HistoryChecked) -> str:
    """Return the document: the answer, and a panel for each violation that is shown."""
    panels = [(violation, _sentence(violation)) for violation in checked.answer.violations]
    heights = [_HEAD + _LINE * len(lines) + _ROW * len(violation.window) + _AXIS for violation, lines in panels]
    height = _HEAD + sum(heights) + 8
    title = f"{histories.verdict(checked)}: {histories.summary(checked)}"
    told = " ".join(histories.sentence(violation) for violation, _ in panels)
    root = canvas(_WIDTH, height, title, told, _DARK)
    text(root, 16, 26, title, {"font-size": TITLE_SIZE, "font-weight": "600"})
    top = _HEAD
    for (violation, lines), high in zip(panels, heights, strict=True):
        _panel(SubElement(root, "g", transform=f"translate(0 {top})"), violation, lines)
        top += high
    return serialized(root)


def _sentence(violation: Violation) -> list[str]:
    return textwrap.wrap(histories.sentence(violation), _COLUMNS)


def _panel(group: Element, violation: Violation, lines: Sequence[str]) -> None:
    SubElement(group, "line", _rule(0.25) | {"x1": "0", "x2": str(_WIDTH), "y1": "0.5", "y2": "0.5"})
    text(group, 16, 24, histories.title(violation), {"font-weight": "600"})
    for number, line in enumerate(lines):
        text(group, 16, _HEAD + _LINE * number, line)
    top = _HEAD + _LINE * len(lines)
    rows = histories.by_process(violation.window)
    bottom = top + _ROW * len(rows)
    places = _places(rows)
    start = min(places)
    for number, (at, x) in enumerate(places.items()):
        if number % (len(places) // _MOST_TICKS + 1) == 0:
            SubElement(
                group,
                "line",
                _rule(0.15) | {"x1": px(x), "x2": px(x), "y1": str(top), "y2": str(bottom)},
            )
            text(group, x, bottom + 16, f"+{span(at - start)}", MINOR, anchor="middle")
    before = None
    for number, row in enumerate(rows):
        y = top + _ROW * number
        if row.process != before:
            SubElement(group, "line", _rule(0.15) | {"x1": "16", "x2": str(_WIDTH - 16), "y1": str(y), "y2": str(y)})
            text(group, _LEFT - 16, y + 17, f"process {printable(row.process, 12)}", anchor="end")
        before = row.process
        _operation(SubElement(group, "g"), row, places, y + _ROW / 2)


def _places(rows: Sequence[Shown]) -> dict[int, float]:
    """Return for each time its place from left to right."""
    times = sorted({at for row in rows for at in (row.call_ns, row.return_ns) if at is not None}) or [0]
    return {at: _LEFT + (_RIGHT - _LEFT - 24) * number / max(len(times) - 1, 1) for number, at in enumerate(times)}


def _operation(group: Element, row: Shown, places: Mapping[int, float], y: float) -> None:
    """Draw the bar of an operation with its ends, and say what it did."""
    first = places[row.call_ns]
    last = float(_RIGHT) if row.return_ns is None else max(places[row.return_ns], first + 2)
    look = {"class": "alarm" if row.accused else "calm", "stroke": _ALARM if row.accused else _CALM, "fill": "none"}
    shape = f"M{px(first)} {px(y - 6)}V{px(y + 6)}M{px(first)} {px(y)}H{px(last)}"
    if row.return_ns is None:
        SubElement(group, "path", {**look, "d": shape, "stroke-width": "3", "stroke-dasharray": "7 4"})
        arrow = f"M{px(last - 7)} {px(y - 5)}L{px(last)} {px(y)}L{px(last - 7)} {px(y + 5)}"
        SubElement(group, "path", {**look, "d": arrow, "stroke-width": "2"})
    else:
        ended = f"{shape}M{px(last)} {px(y - 6)}V{px(y + 6)}"
        SubElement(group, "path", {**look, "d": ended, "stroke-width": "3"})
    words = {"class": "alarmed", "fill": _ALARM, "font-weight": "600"} if row.accused else {}
    text(group, _RIGHT + 16, y + 4, f"{'✗ ' if row.accused else ''}{printable(row.words, _WORDS)}", words)
    SubElement(group, "title").text = printable(row.words, 1000)


def _rule(opacity: float) -> dict[str, str]:
    return {"class": "rule", "stroke": INK, "stroke-opacity": str(opacity)}
