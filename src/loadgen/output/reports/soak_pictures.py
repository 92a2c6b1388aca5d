"""The pictures of a soak: one for each series that has a value, with what it is judged by. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadgen.judge.expression.dimension import PER_TIME
from loadgen.judge.expression.vocabulary import Over
from loadgen.output.pictures.course import Course, Limit, svg
from loadgen.output.words import soak
from loadgen.soak.ended import SoakEnded
from loadgen.soak.store import Store
from loadgen.soak.verdict import Graded
from loadgen.units import NS_PER_S

_BREAK = 2.5
"""A step of so many sample times between two values is a time without one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of one series."""

    series: str
    """Its column: `proxy.fds`."""
    file: str
    """The name of its file."""
    title: str
    document: str
    is_judged: bool
    """True for a series with a band, and for those of the load."""


def pictures(ended: SoakEnded, store: Store, events: Sequence[Mapping[str, Any]]) -> Iterator[Picture]:
    """Yield the pictures, those of judged series first. `events` are those of the run folder."""
    graded = {each.column: each for each in ended.verdict.graded}
    columns = sorted(ended.asked.series, key=lambda column: (column not in graded, not ended.asked.of_load(column)))
    pauses = _pauses(events)
    for column in columns:
        course = _course(ended, store, column, graded.get(column), pauses)
        if course is not None:
            is_judged = column in graded or ended.asked.of_load(column)
            yield Picture(column, f"{_plain(column)}.svg", course.title, svg(course), is_judged)


def _course(
    ended: SoakEnded, store: Store, column: str, graded: Graded | None, pauses: Sequence[tuple[float, float]]
) -> Course | None:
    asked, found = ended.asked, ended.found
    known, points = asked.series[column], store.points(column)
    if not len(points):
        return None
    base = found.bases.get(column)
    every_s = asked.schedule.every_s * store.thinned
    # A counter's baseline is where it stood; the count of an interval grows from none.
    counts = known.over is Over.INTERVALS
    # The rates of a load are kept per second.
    scale = 1 / NS_PER_S if asked.of_load(column) and known.dimension == PER_TIME else 1
    reached = [
        (at.t_s, value * scale)
        for at in found.checkpoints
        if not counts and column in at.reached and (value := at.reached[column].value) is not None
    ]
    return Course(
        title=column,
        about=_about(ended, column, known.meaning, graded),
        dimension=known.dimension,
        points=[*_broken(points.times_s, [value * scale for value in points.values], every_s)],
        end_s=max(asked.schedule.duration_s, store.end_s),
        baseline=base.value * scale if base is not None and not counts else None,
        checkpoints=reached,
        limits=[*_limits(graded, base.value)] if graded is not None and base is not None else (),
        pauses=pauses,
        restarts=[restart.t_s for restart in found.restarts],
    )


def _about(ended: SoakEnded, column: str, meaning: str, graded: Graded | None) -> str:
    if graded is not None:
        return f"{meaning}; {soak.growth(ended.asked, graded)}"
    return meaning


def _limits(graded: Graded, base: float) -> Iterator[Limit]:
    for kind, words, per_ns in zip(
        ("target", "warn", "red"), graded.band.texts[1:], graded.band.limits[1:], strict=True
    ):
        yield Limit(kind, f"{kind} {words}", base, per_ns * NS_PER_S)


def _broken(times_s: Sequence[float], values: Sequence[float], every_s: float) -> Iterator[tuple[float, float | None]]:
    """Yield the points, with a break where values are missing."""
    before_s = times_s[0]
    # A monitor may be read less often than samples are taken: what is usual for the series is no break.
    usual_s = max(every_s, (times_s[-1] - times_s[0]) / max(1, len(times_s) - 1))
    for t_s, value in zip(times_s, values, strict=True):
        if t_s - before_s > _BREAK * usual_s:
            yield (before_s + t_s) / 2, None
        yield t_s, value
        before_s = t_s


def _pauses(events: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Return where the soak paused. Its clock stood still then, so that each is a line."""
    return [(float(event["t_s"]), float(event["t_s"])) for event in events if event.get("type") == "pause"]


def _plain(column: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", column).strip("._") or "series"
