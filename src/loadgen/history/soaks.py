"""The point of a soak, made from how it ended. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from loadgen.history.point import METRICS, Point, Setup
from loadgen.judge.expression.value import AtLeast
from loadgen.soak.asked import series_of
from loadgen.soak.ended import SoakEnded
from loadgen.soak.found import How
from loadgen.units import NS_PER_MIN, NS_PER_S, format_duration

_GROWTHS = {
    "rss": "memory_growth",
    "fds": "fds_growth",
    "threads": "threads_growth",
    "tasks": "tasks_growth",
    "goroutines": "tasks_growth",
}


def to_point(ended: SoakEnded, run: Mapping[str, Any], name: str = "", label: str = "") -> Point:
    """Return the point of a soak. `run` is its `run.json`, which has the load in words.

    It is valid when the soak is complete, whatever its verdict: one that was cut short says nothing of hours.
    """
    values: dict[str, float] = {}
    at_least: list[str] = []
    for metric in METRICS:
        match ended.found.totals.values.get(metric):
            case AtLeast(least) if least is not None:
                values[metric] = float(least)
                at_least.append(metric)
            case Fraction() as value:
                values[metric] = float(value) * (NS_PER_S if metric == "throughput" else 1)
    for each in ended.verdict.graded:
        growth = _GROWTHS.get(series_of(each.column))
        if growth is not None and each.grown.slope is not None and not ended.asked.is_own(each.column):
            values[growth] = max(values.get(growth, 0.0), each.grown.slope * NS_PER_MIN)
    length = format_duration(round(ended.asked.schedule.duration_s * NS_PER_S))
    load = f"{run.get('load', '')}, {length}".removeprefix(", ")
    return Point(
        datetime.fromtimestamp(ended.wall_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        Setup(name or _server(ended.target), ended.host, "soak", 0.0, load),
        ended.end.how is How.COMPLETE and bool(values),
        values,
        tuple(at_least),
        label,
        ended.version,
        ended.target,
    )


def _server(target: str) -> str:
    """Return the name of the server, without version and address: a history shows its versions in one row."""
    return target.split(" ")[0].rstrip(",")
