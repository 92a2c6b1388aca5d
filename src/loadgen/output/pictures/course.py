"""One series of a soak over time as a self-contained SVG file, in light and dark, with what it is judged by drawn in.

The baseline is a line across, each limit of growth a line that rises from it, each checkpoint a dot. Times without a
value are breaks in the curve; settling and pauses are shaded, and restarts are lines from top to bottom.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from loadgen.escape import printable
from loadgen.judge.expression.dimension import Dimension, Kind
from loadgen.output.paper.xml import serialized
from loadgen.output.pictures.axis import Axis, spelled
from loadgen.output.pictures.canvas import INK, MINOR, PAPER, TITLE_SIZE, canvas, px, text

_WIDTH, _HEIGHT = 900, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 868, 60, 268
"""The edges of the curve's room."""
_LONGEST_LINE = 125
"""Characters of the line below the title, as wide as the picture."""
_Y_TICKS, _X_TICKS = 6, 9

COLUMNS = 2 * (_RIGHT - _LEFT)
"""Columns into which samples are gathered, of which the least and the greatest value are drawn: half a pixel each."""

_MOST_STRETCH = 3.0
"""How many times higher than without limits a picture may become to hold one whole; a steeper one leaves the room."""

_CURVE = "#1565c0"
_COLORS = {"target": "#2e7d32", "warn": "#b26a00", "red": "#c62828", "restart": "#6a1b9a"}
_DARK_COLORS = {"target": "#7ee787", "warn": "#e3b341", "red": "#ff7b72", "restart": "#d2a8ff"}
_DOT = {"class": "dot", "fill": _CURVE, "stroke": PAPER}
_DARK = " ".join(
    [".curve { stroke: #79c0ff; } .dot { fill: #79c0ff; stroke: #0d1117; }"]
    + [f".{name}-line {{ stroke: {color}; }} .{name}-ink {{ fill: {color}; }}" for name, color in _DARK_COLORS.items()]
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of growth, drawn from the baseline on, or a limit of the value itself when `per_s` is 0."""

    kind: str
    """`target`, `warn` or `red`: its colour."""
    words: str
    """Such as "red > 30/min"."""
    start: float
    """The value at the baseline's time."""
    per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Course:
    """What one picture shows. Times are seconds of the soak, of which those before 0 are settling."""

    title: str
    about: str
    """What the series is, and what it came to, in one line."""
    dimension: Dimension
    points: Sequence[tuple[float, float | None]]
    """Times and values in base units, in the order of time; None breaks the curve."""
    end_s: float
    """The end of the time axis."""
    baseline: float | None = None
    checkpoints: Sequence[tuple[float, float]] = ()
    limits: Sequence[Limit] = ()
    pauses: Sequence[tuple[float, float]] = ()
    restarts: Sequence[float] = ()


def svg(course: Course) -> str:
    """Return the document."""
    start_s = min(0.0, *(t for t, _ in course.points[:1]), 0.0)
    x = Axis.over(start_s, max(course.end_s, start_s + 1e-3), _X_TICKS)
    x = _time_axis(x.low, x.high)
    root = canvas(_WIDTH, _HEIGHT, printable(course.title), printable(course.about, 400), _DARK)
    text(root, 16, 24, printable(course.title), {"font-size": TITLE_SIZE, "font-weight": "600"})
    text(root, 16, 44, printable(course.about, _LONGEST_LINE), MINOR)
    runs = gathered(course.points, x.low, x.high, COLUMNS)
    values = [value for run in runs for _, value in run]
    if not values:
        text(root, _LEFT, (_TOP + _BOTTOM) / 2, "it has no value")
        return serialized(root)
    y = _value_axis(values, course)
    _grounds(root, course, x)
    _grid(root, x, y, course.dimension)
    clip = SubElement(SubElement(root, "defs"), "clipPath", id="room")
    SubElement(clip, "rect", _box(_LEFT, _TOP, _RIGHT - _LEFT, _BOTTOM - _TOP))
    drawn = SubElement(root, "g", {"clip-path": "url(#room)"})
    for run in runs:
        _curve(drawn, run, x, y)
    # On top of the curve, which a noisy series makes a band of.
    _lines(drawn, course, x, y)
    for t_s, value in course.checkpoints:
        place = {"cx": px(_x(x, t_s)), "cy": px(_y(y, value)), "r": "4", "stroke-width": "1.5"}
        title = SubElement(SubElement(root, "circle", {**_DOT, **place}), "title")
        title.text = f"{_clock(t_s)}: {spelled(value, course.dimension)}"
    _legend(root, course)
    return serialized(root)


def gathered(
    points: Iterable[tuple[float, float | None]], low_s: float, high_s: float, columns: int
) -> list[list[tuple[float, float]]]:
    """Return the runs of points without a break, each with the least and the greatest of every column in their order.

    A picture of these is the picture of all points, and a day of seconds has no more of them than an hour.
    """
    runs: list[list[tuple[float, float]]] = []
    run: list[tuple[float, float]] = []
    column: int | None = None
    least = greatest = (0.0, 0.0)

    def flush() -> None:
        nonlocal column
        if column is not None:
            run.extend(sorted({least, greatest}))
        column = None

    for t_s, value in points:
        if value is None or not math.isfinite(value):
            flush()
            if run:
                runs.append(run)
                run = []
            continue
        at = int((t_s - low_s) / (high_s - low_s) * columns)
        if at != column:
            flush()
            column, least, greatest = at, (t_s, value), (t_s, value)
        else:
            least = min(least, (t_s, value), key=lambda point: point[1])
            greatest = max(greatest, (t_s, value), key=lambda point: point[1])
    flush()
    return [*runs, run] if run else runs


def _time_axis(low: float, high: float) -> Axis:
    """Return the axis of times, with ticks at round seconds, minutes or hours."""
    rough = (high - low) / _X_TICKS
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
    step = next((float(step) for step in steps if step >= rough), math.ceil(rough / 86400) * 86400.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Axis(low, high, tuple(number * step for number in range(first, last + 1)), step)


def _value_axis(values: Sequence[float], course: Course) -> Axis:
    """Return the axis of values: all that was measured, and the limits as far as they do not squeeze it."""
    low, high = min(values), max(values)
    if course.baseline is not None:
        low, high = min(low, course.baseline), max(high, course.baseline)
    least = _least_range(low, high, course.dimension)
    reach = high + (_MOST_STRETCH - 1) * max(high - low, least)
    for limit in course.limits:
        end = limit.start + limit.per_s * course.end_s
        if high < end <= reach:
            high = end
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    room = 0.06 * (high - low)
    # A curve that never was below 0 is not drawn as if it could be.
    bottom = low - room if min(values) < 0 else max(0.0, low - room)
    is_counted = course.dimension.is_plain and course.dimension.kind is not Kind.SHARE
    return Axis.over(bottom, high + room, _Y_TICKS, whole=is_counted and all(value == int(value) for value in values))


def _least_range(low: float, high: float, dimension: Dimension) -> float:
    """Return the least height of a picture, so that a flat series looks flat."""
    return max(0.02 * max(abs(low), abs(high)), 2.0 if dimension.is_plain and dimension.kind is not Kind.SHARE else 0.0)


def _grounds(root: Element, course: Course, x: Axis) -> None:
    """Shade what does not count: settling, and pauses."""
    for first, last in [(x.low, 0.0)] * (x.low < 0) + [*course.pauses]:
        left, right = _x(x, max(first, x.low)), _x(x, min(last, x.high))
        shade = {"class": "ink", "fill": INK, "fill-opacity": "0.07"}
        SubElement(root, "rect", {**shade, **_box(left, _TOP, max(right - left, 1.0), _BOTTOM - _TOP)})
    if x.low < 0 and _x(x, 0.0) - _LEFT > 56:
        text(root, (_LEFT + _x(x, 0.0)) / 2, _TOP + 14, "settling", MINOR, anchor="middle")


def _grid(root: Element, x: Axis, y: Axis, dimension: Dimension) -> None:
    for tick, words in zip(y.ticks, y.words(dimension), strict=True):
        at = _y(y, tick)
        _rule(root, _LEFT, at, _RIGHT, at, 0.12)
        text(root, _LEFT - 8, at + 4, words, MINOR, anchor="end")
    for tick in x.ticks:
        at = _x(x, tick)
        _rule(root, at, _TOP, at, _BOTTOM, 0.12)
        text(root, at, _BOTTOM + 18, _clock(tick), MINOR, anchor="middle")
    _rule(root, _LEFT, _BOTTOM, _RIGHT, _BOTTOM, 0.5)


def _lines(group: Element, course: Course, x: Axis, y: Axis) -> None:
    """Draw the baseline, the limits and the restarts."""
    if course.baseline is not None:
        at = _y(y, course.baseline)
        _rule(group, _x(x, 0.0), at, _RIGHT, at, 0.8, "6 4")
    for limit in course.limits:
        ends = {
            "x1": px(_x(x, 0.0)),
            "y1": px(_y(y, limit.start)),
            "x2": px(_x(x, course.end_s)),
            "y2": px(_y(y, limit.start + limit.per_s * course.end_s)),
        }
        SubElement(group, "line", {**_stroke(limit.kind), **ends, "stroke-dasharray": "2 3"})
    for t_s in course.restarts:
        along = px(_x(x, t_s))
        SubElement(group, "line", {**_stroke("restart"), "x1": along, "x2": along, "y1": px(_TOP), "y2": px(_BOTTOM)})


def _curve(group: Element, run: Sequence[tuple[float, float]], x: Axis, y: Axis) -> None:
    look = {
        "class": "curve",
        "stroke": _CURVE,
        "stroke-width": "1.5",
        "stroke-opacity": "0.6" if len(run) > COLUMNS else "1",
        "fill": "none",
        "stroke-linejoin": "round",
    }
    places = [(px(_x(x, t_s)), px(_y(y, value))) for t_s, value in run]
    if len(places) == 1:
        # A point between two breaks: a line as short as a point.
        look["stroke-linecap"] = "round"
        places *= 2
    SubElement(group, "path", {**look, "d": "M" + "L".join(f"{left} {top}" for left, top in places)})


def _legend(root: Element, course: Course) -> None:
    """Say below the curve what the lines are, as far as there is room."""
    left, base = float(_LEFT), _HEIGHT - 18.0
    entries: list[tuple[str, str]] = []
    if course.baseline is not None:
        entries.append(("baseline", f"baseline {spelled(course.baseline, course.dimension)}"))
    if course.checkpoints:
        entries.append(("checkpoint", "checkpoints"))
    entries += [(limit.kind, printable(limit.words, 60)) for limit in course.limits]
    if course.restarts:
        entries.append(("restart", "restart"))
    for kind, words in entries:
        width = 34 + 6.6 * len(words)
        if left + width > _WIDTH - 8:
            break
        if kind == "baseline":
            _rule(root, left, base - 4, left + 22, base - 4, 0.8, "6 4")
        elif kind == "checkpoint":
            SubElement(root, "circle", {**_DOT, "cx": px(left + 11), "cy": px(base - 4), "r": "4"})
        else:
            ends = {"x1": px(left), "x2": px(left + 22), "y1": px(base - 4), "y2": px(base - 4)}
            dashes = {} if kind == "restart" else {"stroke-dasharray": "2 3"}
            SubElement(root, "line", {**_stroke(kind), **ends, **dashes})
        text(root, left + 28, base, words, MINOR)
        left += width + 14


def _stroke(kind: str) -> dict[str, str]:
    return {"class": f"{kind}-line", "stroke": _COLORS[kind], "stroke-width": "1.6"}


def _rule(parent: Element, x1: float, y1: float, x2: float, y2: float, opacity: float, dashes: str = "") -> None:
    look = {"class": "rule", "stroke": INK, "stroke-opacity": f"{opacity:g}"}
    if dashes:
        look |= {"stroke-dasharray": dashes, "stroke-width": "1.4"}
    SubElement(parent, "line", {**look, "x1": px(x1), "y1": px(y1), "x2": px(x2), "y2": px(y2)})


def _box(x: float, y: float, width: float, height: float) -> dict[str, str]:
    return {"x": px(x), "y": px(y), "width": px(width), "height": px(height)}


def _x(axis: Axis, t_s: float) -> float:
    return _LEFT + axis.at(t_s) * (_RIGHT - _LEFT)


def _y(axis: Axis, value: float) -> float:
    return _BOTTOM - axis.at(value) * (_BOTTOM - _TOP)


def _clock(t_s: float) -> str:
    """Return a time of the soak: "30s", "1m 30s", "4min", "1h 30min"."""
    sign, whole = ("−" if t_s < 0 else ""), round(abs(t_s), 3)
    if whole < 60 or whole % 1:
        return f"{sign}{whole:g} s"
    minutes, seconds = divmod(int(whole), 60)
    if minutes < 60:
        return f"{sign}{minutes} min" + (f" {seconds} s" if seconds else "")
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours} h" + (f" {minutes} min" if minutes else "")
