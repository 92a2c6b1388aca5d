"""Monitors beside a load: the records `reading` and `monitor-gap`, and the field `monitors` of results. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loadgen.events import Monitored, MonitorGap
from loadgen.monitors.report import MonitorReport, SeriesReport
from loadgen.record.schema.monitors import UNITS
from loadgen.record.write.spelling import number, text, timestamp

_UNIT_OF = {dimension: unit for unit, dimension in UNITS.items()}


def reading(event: Monitored) -> dict[str, Any]:
    read = event.reading
    return {
        "type": "reading",
        "ts": timestamp(read.wall_s),
        "monitor": text(read.monitor),
        **_target(event),
        "identity": text(read.identity) or None,
        "values": {text(name): number(value) for name, value in read.values.items()},
    }


def gap(event: MonitorGap) -> dict[str, Any]:
    return {
        "type": "monitor-gap",
        "ts": timestamp(event.gap.wall_s),
        "monitor": text(event.gap.monitor),
        **_target(event),
        "why": text(event.gap.why),
    }


def _target(event: Monitored | MonitorGap) -> dict[str, str]:
    return {"target": text(event.target)} if event.target else {}


def monitors(reports: Iterable[MonitorReport]) -> dict[str, Any]:
    """Return the field `monitors`; none without monitors."""
    said = [_monitor(report) for report in reports]
    return {"monitors": said} if said else {}


def _monitor(report: MonitorReport) -> dict[str, Any]:
    return {
        "name": text(report.name),
        "kind": report.kind,
        "readings": report.readings,
        "gaps": report.gaps,
        "why": text(report.why) or None,
        "restarts": report.restarts,
        "series": {text(each.name): _series(each) for each in report.series},
    }


def _series(each: SeriesReport) -> dict[str, Any]:
    values = {name: getattr(each, name) for name in ("first", "least", "greatest", "last", "growth_per_min")}
    return {
        "unit": _UNIT_OF[each.dimension],
        "readings": each.readings,
        **{name: None if value is None else number(value) for name, value in values.items()},
    }
