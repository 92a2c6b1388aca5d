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

_FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
_SIZE, _TITLE_SIZE, _SMALL_SIZE = "13", "15", "12"

_INK, _PAPER = "#1f2328", "#ffffff"
_COLORS = {Shift.WORSE: "#c62828", Shift.BETTER: "#1565c0", Shift.SAME: "#2e7d32", Shift.UNCLEAR: "#8a6100"}

# Attributes alone define the picture, since many programs that draw SVG ignore style sheets. Browsers use this one on
# dark pages.
_DARK = {Shift.WORSE: "#ff7b72", Shift.BETTER: "#79c0ff", Shift.SAME: "#7ee787", Shift.UNCLEAR: "#e3b341"}
_STYLE = " ".join(
    [
        "@media (prefers-color-scheme: dark) {",
        ".paper { fill: #0d1117; } .ink { fill: #e6edf3; } .rule { stroke: #e6edf3; }",
        *(f".{kind}-fill {{ fill: {color}; }} .{kind}-line {{ stroke: {color}; }}" for kind, color in _DARK.items()),
        "}",
    ]
)

_PLAIN = {"class": "ink", "fill": _INK}
_MINOR = {"fill-opacity": "0.75", "font-size": _SMALL_SIZE}


def write_plot(path: str, ended: Sequence[Compared]) -> None:
    """Write the file, replacing an existing one. Raise OutputError when it cannot be written."""
    write_file(path, svg(ended))


def svg(ended: Sequence[Compared]) -> str:
    """Return the document: a panel for each pair, one below the other."""
    heights = [_HEAD + _ROW * max(1, len(_drawn(compared))) + _AXIS for compared in ended]
    height = sum(heights) + 8
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_WIDTH} {height}",
            "width": str(_WIDTH),
            "height": str(height),
            "role": "img",
            "aria-labelledby": "title desc",
            "font-family": _FONT,
            "font-size": _SIZE,
        },
    )
    SubElement(root, "title", id="title").text = "; ".join(map(_title, ended))
    SubElement(root, "desc", id="desc").text = ". ".join(
        comparison.sentence(row, compared) for compared in ended for row in compared.rows
    )
    SubElement(root, "style").text = _STYLE
    SubElement(root, "rect", {"class": "paper", "width": str(_WIDTH), "height": str(height), "fill": _PAPER})
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
    _text(group, 16, 24, _title(compared), {"font-size": _TITLE_SIZE, "font-weight": "600"})
    a, b = comparison.pair(compared)
    about = f"change from {a} to {b}, {comparison.confidence(compared)} intervals; shaded: within the threshold"
    _text(group, 16, 44, about, _MINOR)
    if not rows:
        _text(group, 16, _HEAD + 20, "there is nothing to draw")
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
    look = {"class": "rule", "stroke": _INK, "stroke-opacity": "0.7" if none else "0.15"}
    SubElement(group, "line", {**look, "x1": _n(x), "x2": _n(x), "y1": _n(_HEAD), "y2": _n(bottom)})
    _text(group, x, bottom + 18, figures.tick(tick), _MINOR, anchor="middle")


def _band(group: Element, row: Row, scale: Scale, top: float, one_sided: bool) -> None:
    low, high = (_x(scale, edge) for edge in comparison.band(row, one_sided))
    box = {"x": _n(low), "y": _n(top + 4), "width": _n(high - low), "height": _n(_ROW - 8)}
    SubElement(group, "rect", {"class": "ink", "fill": _INK, "fill-opacity": "0.08", **box})


def _row(group: Element, row: Row, scale: Scale, y: float, one_sided: bool) -> None:
    low = -math.inf if row.ci_low is None else row.ci_low
    high = math.inf if row.ci_high is None else row.ci_high
    first, last = _x(scale, low), _x(scale, high)
    drawn = SubElement(group, "g", {"class": f"row {row.answer}"})
    color = _COLORS[row.answer]
    stroke = {"class": f"{row.answer}-line", "stroke": color, "stroke-width": "2.5", "fill": "none"}
    fill = {"class": f"{row.answer}-fill", "fill": color}
    _text(drawn, _LEFT - 12, y + 4, comparison.label(row.metric), anchor="end")
    SubElement(drawn, "line", {**stroke, "x1": _n(first), "x2": _n(last), "y1": _n(y), "y2": _n(y)})
    _end(drawn, stroke, first, y, -1 if not scale.holds(low) else 0)
    _end(drawn, stroke, last, y, 1 if not scale.holds(high) else 0)
    SubElement(drawn, "circle", {**fill, "cx": _n(_x(scale, row.effect or 0.0)), "cy": _n(y), "r": "5"})
    _text(drawn, _RIGHT + 16, y + 4, comparison.effect(row))
    _text(drawn, _WIDTH - 12, y + 4, comparison.answer(row, one_sided), {**fill, "font-weight": "600"}, anchor="end")


def _end(drawn: Element, stroke: Mapping[str, str], x: float, y: float, beyond: int) -> None:
    """Draw an end of an interval: a bar, or an arrow when the interval continues beyond the scale."""
    shape = f"M{_n(x - 7 * beyond)} {_n(y - 6)}L{_n(x)} {_n(y)}L{_n(x - 7 * beyond)} {_n(y + 6)}"
    SubElement(drawn, "path", {**stroke, "d": shape if beyond else f"M{_n(x)} {_n(y - 6)}V{_n(y + 6)}"})


def _text(
    parent: Element, x: float, y: float, words: str, look: Mapping[str, str] = _PLAIN, anchor: str = "start"
) -> None:
    """Draw words at a place; `look` has the attributes that differ from plain ink."""
    SubElement(parent, "text", {**_PLAIN, **look, "x": _n(x), "y": _n(y), "text-anchor": anchor}).text = words


def _x(scale: Scale, change: float) -> float:
    return _LEFT + scale.at(change) * (_RIGHT - _LEFT)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
