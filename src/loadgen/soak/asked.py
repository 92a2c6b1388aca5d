"""What is asked of a soak: its times, its series, and by what it is judged. Values, and their form in `run.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadgen.judge.check import Check, Level
from loadgen.judge.expression.dimension import Dimension, Kind
from loadgen.judge.expression.vocabulary import Known, Over
from loadgen.soak.bands import Band, chosen
from loadgen.soak.checkpoints import Schedule
from loadgen.soak.wear import Wear

LOAD = "load"
"""The name of the load among the monitors: its series are `load.p99` and so on."""
OWN = "self"
"""The kind of the monitor of loadgen's own processes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a soak, known before its first sample."""

    schedule: Schedule
    series: Mapping[str, Known] = field(default_factory=dict)
    """By column, `monitor.series`."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The kind of each monitor, by its name; without the load."""
    bands: tuple[Band, ...] = ()
    checks: tuple[Check, ...] = ()
    wear: Wear = field(default_factory=Wear)

    def of_load(self, column: str) -> bool:
        return monitor_of(column) == LOAD

    def is_own(self, column: str) -> bool:
        """True for a series of loadgen's own processes."""
        return self.kinds.get(monitor_of(column)) == OWN

    @property
    def counted(self) -> tuple[str, ...]:
        """The columns whose values are counts of intervals."""
        return tuple(column for column, known in self.series.items() if known.over is Over.INTERVALS)

    def named(self, series: str) -> list[str]:
        """Return the columns of this name: of the load, else of the monitors that have it, loadgen's own last."""
        found = [column for column in self.series if series_of(column) == series]
        return sorted(found, key=lambda column: (not self.of_load(column), self.is_own(column)))


def banded(asked: Asked) -> dict[str, Band]:
    """Return the band of each column that has one. Red may be no more than a number without a limit."""
    found = {}
    for column in asked.series:
        band = chosen(asked.bands, monitor_of(column), series_of(column))
        if band is not None and not asked.of_load(column):
            found[column] = band
    return found


def monitor_of(column: str) -> str:
    return column.rpartition(".")[0]


def series_of(column: str) -> str:
    return column.rpartition(".")[2]


# ── In run.json ───────────────────────────────────────────────────────────────────────────────────────────────────────


def record(asked: Asked) -> dict[str, Any]:
    """Return what is asked, as fields of `run.json`."""
    schedule = asked.schedule
    return {
        "settle_s": schedule.settle_s,
        "duration_s": schedule.duration_s,
        "checkpoint_s": schedule.checkpoint_s,
        "checkpoints": schedule.checkpoints,
        "every_s": schedule.every_s,
        "at_most_s": schedule.at_most_s,
        **asked.wear.record(),
        "monitors": [{"name": name, "kind": kind} for name, kind in asked.kinds.items()],
        "series": {column: _of_known(known) for column, known in asked.series.items()},
        "bands": [of_band(band) for band in asked.bands],
        "checks": [{"expr": check.expr, "level": str(check.level)} for check in asked.checks],
    }


def asked_of(run: Mapping[str, Any]) -> Asked:
    """Return what was asked, from `run.json`. Raises KeyError, TypeError or ValueError when it is not in there."""
    return Asked(
        Schedule(
            float(run["settle_s"]),
            float(run["duration_s"]),
            float(run["checkpoint_s"]),
            float(run["every_s"]),
            float(run.get("at_most_s", 0)),
        ),
        {str(column): _known(each) for column, each in run["series"].items()},
        {str(each["name"]): str(each["kind"]) for each in run["monitors"]},
        tuple(map(band_of, run["bands"])),
        tuple(Check(str(each["expr"]), Level(each["level"])) for each in run["checks"]),
        Wear.read(run),
    )


def _of_dimension(dimension: Dimension) -> dict[str, Any]:
    return {"time": dimension.time, "size": dimension.size, "of": dimension.kind.value}


def _dimension(record: Mapping[str, Any]) -> Dimension:
    return Dimension(int(record["time"]), int(record["size"]), Kind(record["of"]))


def _of_known(known: Known) -> dict[str, Any]:
    over = known.over.name.lower() if known.over is not None else None
    return {**_of_dimension(known.dimension), "over": over, "meaning": known.meaning}


def _known(record: Mapping[str, Any]) -> Known:
    over = Over[str(record["over"]).upper()] if record["over"] is not None else None
    return Known(_dimension(record), str(record["meaning"]), ("monitor",), is_scalar=False, over=over)


def of_band(band: Band) -> dict[str, Any]:
    named = dict(zip(("bonus", "target", "warn", "red"), band.texts, strict=True))
    limits = dict(zip(("bonus", "target", "warn", "red"), band.limits, strict=True))
    return {
        "series": band.series,
        "monitor": band.monitor,
        "best": band.best,
        **named,
        "per_ns": limits,
        **_of_dimension(band.dimension),
    }


def band_of(record: Mapping[str, Any]) -> Band:
    per_ns = record["per_ns"]
    return Band(
        str(record["series"]),
        float(per_ns["bonus"]),
        float(per_ns["target"]),
        float(per_ns["warn"]),
        float(per_ns["red"]),
        _dimension(record),
        (str(record["bonus"]), str(record["target"]), str(record["warn"]), str(record["red"])),
        str(record["monitor"]),
        str(record["best"]),
    )
