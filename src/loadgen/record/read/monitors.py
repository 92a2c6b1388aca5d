"""Monitors beside a load, from the records `reading` and `monitor-gap` and the field `monitors` of results. No I/O."""

from __future__ import annotations

from loadgen.events import Event, Monitored, MonitorGap
from loadgen.monitors.reading import Gap, Reading
from loadgen.monitors.report import MonitorReport, SeriesReport
from loadgen.record.read.fields import Fields
from loadgen.record.schema.monitors import UNITS


def event(record: Fields) -> Event | None:
    """Return the event of a record. Its monotonic time, which is in no record, is 0."""
    target = str(record.may("target", ""))
    match record.name:
        case "reading":
            values = {str(name): float(value) for name, value in record.part("values").values.items()}
            read = Reading(record.text("monitor"), 0, record.wall_s(), values, record.text("identity"))
            return Monitored(read, target)
        case "monitor-gap":
            return MonitorGap(Gap(record.text("monitor"), 0, record.wall_s(), record.text("why")), target)
    return None


def monitors(record: Fields) -> tuple[MonitorReport, ...]:
    """Return the reports of a result's monitors; none where it has none."""
    return tuple(map(_monitor, record.parts("monitors"))) if "monitors" in record else ()


def _monitor(record: Fields) -> MonitorReport:
    series = record.part("series")
    return MonitorReport(
        record.text("name"),
        record.text("kind"),
        readings=record.count("readings"),
        gaps=record.count("gaps"),
        why=record.text("why"),
        restarts=record.count("restarts"),
        series=tuple(_series(str(name), series.part(name)) for name in series.values),
    )


def _series(name: str, record: Fields) -> SeriesReport:
    growth = record.may("growth_per_min")
    return SeriesReport(
        name,
        UNITS[record.text("unit")],
        readings=record.count("readings"),
        first=record.number("first"),
        least=record.number("least"),
        greatest=record.number("greatest"),
        last=record.number("last"),
        growth_per_min=None if growth is None else float(growth),
    )
