"""The text of `loadgen history`: for each metric, a row of blocks and its statistics, or a JSON record.

This module knows rows of points. It does not know where the points are stored. Pure functions to text.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TextIO

from loadgen.history.point import Point
from loadgen.history.series import TREND_P, LevelShift, PointRow, Series
from loadgen.output.paper.color import Paint
from loadgen.output.paper.layout import WIDTH, indented, rule
from loadgen.output.words import figures

_LABEL = 16
"""The width of the first column; the longest label of a metric fits."""

_COLUMNS = WIDTH - _LABEL
"""The columns of a row of blocks. Neighbours share a column when there are more points."""

_AS_FACTOR = 10.0
"""Changes of this share or more are printed as a factor, not in percent."""

_LOOPS = {
    "closed": "closed loop",
    "search": "saturation search",
    "soak": "soak",
    "rounds": "compared in rounds, B as a multiple of A",
}
_DIRECTIONS = {1: "rises", -1: "falls", 0: "level"}


class Ramp:
    """The signs that draw a row of points: blocks, or digits where the stream's encoding has no blocks."""

    def __init__(self, stream: TextIO | None) -> None:
        self.levels, self.invalid = "▁▂▃▄▅▆▇█", "×"
        try:
            (self.levels + self.invalid).encode(getattr(stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            self.levels, self.invalid = "12345678", "x"

    def draw(self, course: Series) -> str:
        """Return a sign for each point, or for the median of neighbours, scaled from the least to the largest value."""
        least, most = (min(course.values), max(course.values)) if course.values else (0.0, 0.0)
        count = len(course.points)
        columns = min(count, _COLUMNS)
        bounds = [column * count // columns for column in range(columns + 1)]
        shared = [course.points[bounds[column] : bounds[column + 1]] for column in range(columns)]
        return "".join(self._sign(course.metric.name, points, least, most) for points in shared)

    def _sign(self, metric: str, points: Sequence[Point], least: float, most: float) -> str:
        values = [point.values[metric] for point in points if point.valid and metric in point.values]
        if not values:
            return " " if all(point.valid for point in points) else self.invalid
        top = len(self.levels) - 1
        level = top / 2 if most == least else top * (statistics.median(values) - least) / (most - least)
        return self.levels[round(level)]


def clean(rows: Iterable[PointRow], metrics: Sequence[str], paint: Paint, ramp: Ramp) -> str:
    """Return a block of lines, 80 columns wide, for each row: the facts that its points share, then each metric."""
    return "\n".join("".join(f"{line}\n" for line in _block(row, metrics, paint, ramp)) for row in rows)


def _block(row: PointRow, metrics: Sequence[str], paint: Paint, ramp: Ramp) -> list[str]:
    group, courses = row.group, row.courses(metrics)
    loop = _LOOPS.get(group.loop, f"{figures.rate(group.rate_per_s)} req/s offered")
    return [
        paint(f"{group.name}: {loop}", "bold"),
        rule(),
        *_fact("points", _points(row, ramp)),
        *_fact("server", row.points[-1].server),
        *_fact("host", group.host),
        *_fact("load", group.load),
        *(line for course in courses for line in ["", *_course(course, paint, ramp)]),
        *([] if courses else ["", "none of these results has such a metric"]),
    ]


def _points(row: PointRow, ramp: Ramp) -> str:
    """Return how many points there are, their first and last day, and how many are not valid."""
    first, last = (_when(point) for point in (row.points[0], row.points[-1]))
    span = first if len(row.points) == 1 else f"{first} to {last}"
    invalid = sum(not point.valid for point in row.points)
    spoilt = f"; {invalid} not valid ({ramp.invalid}), left out of every number" if invalid else ""
    return f"{len(row.points)}, {span}{spoilt}"


def _when(point: Point) -> str:
    """Return the point's day and its label."""
    return f"{point.ts[:10]} ({point.label})" if point.label else point.ts[:10]


def _course(course: Series, paint: Paint, ramp: Ramp) -> list[str]:
    # Not wrapped: wrapping would drop leading blanks, which stand for points without the metric.
    drawn = f"{course.metric.label:<{_LABEL}}{ramp.draw(course)}".rstrip()
    if not course.known:
        return [drawn, *_fact("", "no valid point")]
    trend, step = course.trend, course.step
    drift = f"{_DIRECTIONS[trend.direction]}: p = {trend.p:.2g}" if trend.p < TREND_P else ""
    return [
        drawn,
        *_fact("", _last(course)),
        *_fact("", _extent(course)),
        *(paint(line, _style(course, trend.direction)) for line in _fact("", drift)),
        *(_painted_step(course, step, paint) if step else []),
    ]


def _last(course: Series) -> str:
    """Return the newest value and its change against the median of the values before it."""
    change = course.change
    beside = f", {_change(change)} against the median before it" if change is not None else ""
    return f"last {_amount(course, course.known[-1])}{beside}"


def _extent(course: Series) -> str:
    """Return the first value, the median, and the range; empty for a single point."""
    if len(course.known) == 1:
        return ""
    known, metric = course.known, course.metric.name
    least, most = (pick(known, key=lambda point: point.values[metric]) for pick in (min, max))
    median = _spelled(course.median, course.unit)
    return f"first {_amount(course, known[0])}, median {median}, {_amount(course, least)} to {_amount(course, most)}"


def _amount(course: Series, point: Point) -> str:
    name = course.metric.name
    return figures.marked(figures.AT_LEAST * (name in point.at_least), _spelled(point.values[name], course.unit))


def _spelled(value: float, unit: str) -> str:
    return f"{value:.3f}" if unit == "ratio" else figures.amount(value, unit)


def _change(part: float) -> str:
    """Return a change: "−5.1 %", or "× 123" from _AS_FACTOR on."""
    return figures.change(part) if part < _AS_FACTOR else f"× {part + 1:.3g}"


def _painted_step(course: Series, step: LevelShift, paint: Paint) -> list[str]:
    size = f"of {_change(step.change)}" if step.change is not None else "from nothing"
    words = f"a step {size}, first seen {_when(step.first)}: p = {step.p:.2g}"
    return [paint(line, _style(course, 1 if step.change is None else step.change)) for line in _fact("", words)]


def _fact(label: str, words: str) -> list[str]:
    return indented(words, _LABEL, label)


def _style(course: Series, direction: float) -> str:
    return "yellow" if course.is_worse(direction) else "green"


def records(rows: Iterable[PointRow], metrics: Sequence[str]) -> bytes:
    """Return NDJSON: a `trend` record for each row and metric, with null for values that cannot be known."""
    lines = (json.dumps(_record(row, course), ensure_ascii=False) for row in rows for course in row.courses(metrics))
    return "".join(f"{line}\n" for line in lines).encode()


def _record(row: PointRow, course: Series) -> dict[str, object]:
    values, trend, step = course.values, course.trend, course.step
    return {
        "type": "trend",
        **asdict(row.group),
        "metric": course.metric.name,
        "unit": course.unit,
        "higher_is_better": course.metric.higher_is_better,
        "from": row.points[0].ts,
        "to": row.points[-1].ts,
        "points": len(values),
        "invalid": sum(not point.valid for point in row.points),
        "first": values[0] if values else None,
        "last": values[-1] if values else None,
        "min": min(values, default=None),
        "max": max(values, default=None),
        "median": course.median if values else None,
        "change": course.change,
        "trend_p": trend.p if values else None,
        "direction": _DIRECTIONS[trend.direction] if values else None,
        "step": {"ts": step.first.ts, "label": step.first.label, "change": step.change, "p": step.p} if step else None,
    }
