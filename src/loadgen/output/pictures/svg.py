"""A plot of a comparison's intervals as one self-contained SVG file, in light and dark.

The file has no scripts, fonts or links, so a page can include it. Text from outside is escaped where it is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from loadgen.compare.answers import Compared, Row
from loadgen.escape import printable
from loadgen.output.paper.sink import write_file
from loadgen.output.paper.xml import serialized
from loadgen.output.pictures.canvas import INK, MINOR, TITLE_SIZE, canvas, px, text
from loadgen.output.pictures.scale import Scale
from loadgen.output.words import comparison, figures
from loadgen.stats.sequential import Shift

_WIDTH = 820
_LEFT, _RIGHT = 150, 560
"""The horizontal extent of intervals; labels are to the left of it, answers to the right."""

_ROW = 34
_HEAD = 58
"""The height of a panel's title and subtitle."""
_AXIS = 30
_TICKS = 7

_NAME = 40
"""Characters of a name: two names fit beside each other in a title."""

_COLORS = {Shift.WORSE: "#c62828", Shift.BETTER: "#1565c0", Shift.SAME: "#2e7d32", Shift.UNCLEAR: "#8a6100"}

_DARK = {Shift.WORSE: "#ff7b72", Shift.BETTER: "#79c0ff", Shift.SAME: "#7ee787", Shift.UNCLEAR: "#e3b341"}
_STYLE = " ".join(
    f".{kind}-fill {{ fill: {color}; }} .{kind}-line {{ stroke: {color}; }}" for kind, color in _DARK.items()
)


def write_plot(path: str, ended: Sequence[Compared]) -> None:
    """Write the file, replacing an existing one. Raise OutputError when it cannot be written."""
    write_file(path, svg(ended))


def svg(ended: Sequence[Compared]) -> str:
    """Return the document: a panel for each pair, one below the other."""
    heights = [_HEAD + _ROW * max(1, len(_drawn(compared))) + _AXIS for compared in ended]
    height = sum(heights) + 8
    title = "; ".join(map(_title, ended))
    told = ". ".join(comparison.sentence(row, compared) for compared in ended for row in compared.rows)
    root = canvas(_WIDTH, height, title, told, _STYLE)
    top = 0
    for compared, high in zip(ended, heights, strict=True):
        _panel(SubElement(root, "g", transform=f"translate(0 {top})"), compared)
        top += high
    return serialized(root)


def _title(compared: Compared) -> str:
    verdict = f"{compared.verdict}: " if compared.settings.one_sided else ""
    return f"{verdict}{printable(compared.b.name, _NAME)} against {printable(compared.a.name, _NAME)}"


def _drawn(compared: Compared) -> list[Row]:
    return [row for row in compared.rows if row.effect is not None]


def _panel(group: Element, compared: Compared) -> None:
    rows = _drawn(compared)
    text(group, 16, 24, _title(compared), {"font-size": TITLE_SIZE, "font-weight": "600"})
    a, b = comparison.pair(compared)
    about = f"change from {a} to {b}, {comparison.confidence(compared)} intervals; shaded: within the threshold"
    text(group, 16, 44, about, MINOR)
    if not rows:
        text(group, 16, _HEAD + 20, "there is nothing to draw")
        return
    one_sided = compared.settings.one_sided
    scale = Scale.of(rows, one_sided)
    bottom = _HEAD + _ROW * len(rows)
    for place, row in enumerate(rows):
        _band(group, row, scale, _HEAD + _ROW * place, one_sided)
    for tick in scale.ticks(_TICKS):
        _tick(group, scale, tick, bottom)
    for place, row in enumerate(rows):
        _row(group, row, scale, _HEAD + _ROW * place + _ROW / 2, one_sided)


def _tick(group: Element, scale: Scale, tick: float, bottom: float) -> None:
    x, none = _x(scale, tick), abs(tick) < 1e-12
    look = {"class": "rule", "stroke": INK, "stroke-opacity": "0.7" if none else "0.15"}
    SubElement(
        group,
        "line",
        {**look, "x1": px(x), "x2": px(x), "y1": px(_HEAD), "y2": px(bottom)},
    )
    text(group, x, bottom + 18, figures.tick(tick), MINOR, anchor="middle")


def _band(group: Element, row: Row, scale: Scale, top: float, one_sided: bool) -> None:
    low, high = (_x(scale, edge) for edge in comparison.band(row, one_sided))
    box = {
        "x": px(low),
        "y": px(top + 4),
        "width": px(high - low),
        "height": px(_ROW - 8),
    }
    SubElement(group, "rect", {"class": "ink", "fill": INK, "fill-opacity": "0.08", **box})


def _row(group: Element, row: Row, scale: Scale, y: float, one_sided: bool) -> None:
    low = -math.inf if row.ci_low is None else row.ci_low
    high = math.inf if row.ci_high is None else row.ci_high
    first, last = _x(scale, low), _x(scale, high)
    drawn = SubElement(group, "g", {"class": f"row {row.answer}"})
    color = _COLORS[row.answer]
    stroke = {"class": f"{row.answer}-line", "stroke": color, "stroke-width": "2.5", "fill": "none"}
    fill = {"class": f"{row.answer}-fill", "fill": color}
    text(drawn, _LEFT - 12, y + 4, comparison.label(row.metric), anchor="end")
    SubElement(
        drawn,
        "line",
        {**stroke, "x1": px(first), "x2": px(last), "y1": px(y), "y2": px(y)},
    )
    _end(drawn, stroke, first, y, -1 if not scale.holds(low) else 0)
    _end(drawn, stroke, last, y, 1 if not scale.holds(high) else 0)
    SubElement(drawn, "circle", {**fill, "cx": px(_x(scale, row.effect or 0.0)), "cy": px(y), "r": "5"})
    text(drawn, _RIGHT + 16, y + 4, comparison.effect(row))
    text(drawn, _WIDTH - 12, y + 4, comparison.answer(row, one_sided), {**fill, "font-weight": "600"}, anchor="end")


def _end(drawn: Element, stroke: Mapping[str, str], x: float, y: float, beyond: int) -> None:
    """Draw an end of an interval: a bar, or an arrow when the interval continues beyond the scale."""
    shape = f"M{px(x - 7 * beyond)} {px(y - 6)}L{px(x)} {px(y)}L{px(x - 7 * beyond)} {px(y + 6)}"
    SubElement(drawn, "path", {**stroke, "d": shape if beyond else f"M{px(x)} {px(y - 6)}V{px(y + 6)}"})


def _x(scale: Scale, change: float) -> float:
    return _LEFT + scale.at(change) * (_RIGHT - _LEFT)
