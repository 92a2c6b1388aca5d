"""What is kept of results over time, a point each, and what a row of points says. Values; no I/O.

It knows records, those of a result file and its own, as plain values of JSON. It does not know files, nor how a row is
drawn. Points of different hosts, servers, loads or rates are never in one row.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from loadgen.compare.metric import METRICS as COMPARED
from loadgen.compare.metric import Metric
from loadgen.escape import printable
from loadgen.record.read import metrics
from loadgen.stats.change import Change, change
from loadgen.stats.trend import Trend, trend
from loadgen.units import format_duration

METRICS = {"capacity": Metric("capacity", "capacity", "per_s", higher_is_better=True), **COMPARED}
"""In the order in which they are shown. Capacity is the highest rate at which a search's limits were still met."""

TREND_P = 0.01
STEP_P = 0.001
"""Only what chance would do more rarely than this is said. A step is looked for at every place, night after night."""

_LONGEST_NAME = 80
_LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Setup:
    """What points must have in common to be in one row."""

    name: str
    """As given, or the server's: its file's stem, its own words without the version, its address. Of a comparison,
    "B / A"."""
    host: str
    """The machine's fingerprint; empty where the result does not say."""
    loop: str
    """`closed`, `open`, `search`, or `rounds` of a comparison."""
    rate_per_s: float
    """The offered rate; 0 where there is none, or where it follows from what a server reached."""
    load: str
    """The rest of what the server was asked to do, in words; empty where the result does not say."""


@dataclass(frozen=True, slots=True)
class Point:
    """One result."""

    ts: str
    """ISO 8601, with its zone."""
    group: Setup
    valid: bool
    """Whether the numbers are the server's; those of others are kept, and left out of every statistic."""
    values: Mapping[str, float]
    """By metric, in the unit of METRICS; of a comparison, B's as a multiple of A's."""
    at_least: tuple[str, ...] = ()
    """The metrics whose truth may be higher, for requests had not been answered."""
    label: str = ""
    """What somebody calls it by, such as a commit."""
    version: str = ""
    """Of loadgen."""
    server: str = ""
    """Name and version in its own words."""
    seed: int | None = None

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.ts)

    def to_record(self) -> dict[str, Any]:
        """As it stands in a file: flat, and small."""
        record = asdict(self)
        group = record.pop("group")
        return {"type": "history", "ts": record.pop("ts"), **group, **record}


def to_point(record: object) -> Point:
    """The reverse of `Point.to_record`. Raises ValueError for what is none."""
    try:
        if not isinstance(record, dict) or record["type"] != "history" or not isinstance(record["valid"], bool):
            raise ValueError("it is no point of a history")
        return Point(
            ts=_time(record["ts"]),
            group=Setup(
                _words(record["name"]),
                _words(record["host"]),
                _words(record["loop"]),
                _number(record["rate_per_s"]),
                _words(record["load"]),
            ),
            valid=record["valid"],
            values=_numbers(record["values"]),
            at_least=tuple(_words(name) for name in record["at_least"]),
            label=_words(record["label"]),
            version=_words(record["version"]),
            server=_words(record["server"]),
            seed=record["seed"] if isinstance(record["seed"], int) else None,
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("it is not as loadgen writes it") from error


def to_points(records: Iterable[Mapping[str, Any]], name: str = "", label: str = "") -> list[Point]:
    """The points of a result file's records, in their order; none where nothing was measured.

    `result`, `saturation` and `comparison` records are points; of what came before them, `config` says what was asked.
    Raises ValueError for records that are not as loadgen writes them.
    """
    points: list[Point] = []
    config: Mapping[str, Any] = {}
    try:
        for record in records:
            match record.get("type"):
                case "config":
                    config = {"identity": record.get("server"), **record}  # its name in schema version 1
                case "result":
                    points.append(_of_run(record, config, name, label))
                case "saturation":
                    points.append(_of_search(record, config, name, label))
                case "comparison":
                    points.append(_of_comparison(record, config, name, label))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("it has a record that is not as loadgen writes it") from error
    return points


def _of_run(record: Mapping[str, Any], config: Mapping[str, Any], name: str, label: str) -> Point:
    server = record.get("server") or {}
    rate = _number(metrics.rate_per_s(record, config))
    group = _group(name or _words(server.get("name") or ""), config, _words(record["loop"]), rate)
    values, bounds = metrics.metrics(record), metrics.at_least(record)
    return _point(record, config, group, label, _is_valid(record), values, bounds)


def _of_search(record: Mapping[str, Any], config: Mapping[str, Any], name: str, label: str) -> Point:
    limits = [_limit(limit) for limit in record["limits"] if limit["limit_ns"] is not None]
    # A lower end of 0 says that no rate passed, not that the server can do nothing.
    values = {"capacity": record["lo_per_s"] or None}
    group = _group(name, config, "search", 0.0, limits or ["knee"])
    return _point(record, config, group, label, _is_valid(record), values)


def _limit(limit: Mapping[str, Any]) -> str:
    """ "p99 <= 1ms", and of one command, "get p99 <= 1ms"."""
    command = "" if limit["command"] == "all" else f"{limit['command']} "
    return f"{command}{limit['metric']} <= {format_duration(int(limit['limit_ns']))}"


def _of_comparison(record: Mapping[str, Any], config: Mapping[str, Any], name: str, label: str) -> Point:
    """Ratios of what ran side by side: what the machine was like that night is in both, and goes."""
    effects = {metric: row["effect"] for metric, row in record["metrics"].items()}
    values = {metric: None if effect is None else 1 + effect for metric, effect in effects.items()}
    both = f"{_words(record['b']['name'])} / {_words(record['a']['name'])}"
    # The offered rate follows from what A reached, and differs every time; a ratio hardly minds.
    asked = {**config, **(record["b"].get("load") or {}), "host": record["host"]}
    group = _group(name or both, asked, "rounds", 0.0)
    about = {"version": record["version"], "identity": record["b"]["identity"]}
    whole = not (record["failure"] or record["refused"] or record["interrupted"])
    return _point(record, about, group, label, whole, values)


def _point(
    record: Mapping[str, Any],
    about: Mapping[str, Any],
    group: Setup,
    label: str,
    valid: bool,
    values: Mapping[str, float | None],
    at_least: tuple[str, ...] = (),
) -> Point:
    known = _numbers({metric: value for metric, value in values.items() if value is not None})
    version, server = _words(about.get("version") or ""), _words(about.get("identity") or "")
    seed = record.get("seed")
    return Point(
        _time(record["ts"]),
        group,
        valid and bool(known),
        known,
        at_least,
        label,
        version,
        server,
        seed if isinstance(seed, int) else None,
    )


def _is_valid(record: Mapping[str, Any]) -> bool:
    """What was cut short measured another length of time than its neighbours."""
    return record["verdict"]["valid"] is True and not record["interrupted"]


def _group(name: str, config: Mapping[str, Any], loop: str, rate_per_s: float, also: Sequence[str] = ()) -> Setup:
    # What another version of a server does is what a history is there to show.
    own_words = re.sub(r"\s+v?\d\S*$", "", _words(config.get("identity") or ""))
    found = name or own_words or _words(config.get("target") or "")
    load = ", ".join(filter(None, [_load(config), *also]))
    return Setup(printable(found, _LONGEST_NAME), _words(config.get("host") or ""), loop, rate_per_s, load)


def _load(config: Mapping[str, Any]) -> str:
    """What was asked of the server, as far as `config` says."""
    if "conns" not in config:
        return ""
    mix = ", ".join(f"{weight} {command}" for command, weight in config["weights"].items() if weight)
    profile, arrival = config.get("profile", ()), config.get("arrival")
    varies = len(profile) > 1 or any(part["from_per_s"] != part["to_per_s"] for part in profile)
    extras = {
        "prefilled": config["prefill"],
        "backfilled": config["backfill_on_miss"],
        f"{arrival} arrivals": bool(arrival) and config.get("loop") != "closed",
        f"a profile of {len(profile)}": varies,
    }
    parts = [
        config.get("protocol"),
        f"{config['threads']} workers",
        f"{config['conns']} connections × {config['pipeline']}",
        f"{config['keyspace']} {config['key_distribution']} keys of {config['key_size']} bytes",
        f"values of {config['value_size']} bytes",
        mix,
        *(words for words, holds in extras.items() if holds),
    ]
    return _words(", ".join(filter(None, parts)))


def _time(ts: object) -> str:
    if not isinstance(ts, str) or datetime.fromisoformat(ts).tzinfo is None:
        raise ValueError("its time has no zone")
    return ts


def _words(words: object) -> str:
    if not isinstance(words, str):
        raise ValueError("words are missing from it")
    return printable(words, _LONGEST_WORDS)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError("a number in it is none")
    return float(value)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {metric: _number(value) for metric, value in values.items() if metric in METRICS}


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over the points of a row."""

    metric: Metric
    points: tuple[Point, ...]
    """By time; at least one."""

    @property
    def unit(self) -> str:
        """The metric's, or `ratio`."""
        return "ratio" if self.points[0].group.loop == "rounds" else self.metric.unit

    @property
    def known(self) -> tuple[Point, ...]:
        """The points that count: valid, and with a value."""
        return tuple(point for point in self.points if point.valid and self.metric.name in point.values)

    @property
    def values(self) -> list[float]:
        """Of the points that count."""
        return [point.values[self.metric.name] for point in self.known]

    @property
    def median(self) -> float:
        """Raises ValueError when no point counts."""
        return statistics.median(self.values)

    @property
    def change(self) -> float | None:
        """The last value against the median of those before it, as a share; None without any, or where that is 0."""
        *before, last = self.values or [0.0]
        usual = statistics.median(before) if before else 0.0
        return last / usual - 1 if usual else None

    @property
    def trend(self) -> Trend:
        return trend(self.values)

    @property
    def step(self) -> LevelShift | None:
        """The step between two levels, where there is one that chance would hardly make."""
        found: Change | None = change(values := self.values)
        if found is None or found.p >= STEP_P:
            return None
        before, after = statistics.median(values[: found.index]), statistics.median(values[found.index :])
        return LevelShift(self.known[found.index], after / before - 1 if before else None, found.p)

    def is_worse(self, direction: float) -> bool:
        """Whether it is bad news that values go this way: above 0, up."""
        return (direction < 0) if self.metric.higher_is_better else (direction > 0)


@dataclass(frozen=True, slots=True)
class LevelShift:
    """From one level to another."""

    first: Point
    """On the new level."""
    change: float | None
    """Of the medians on either side, as a share; None from 0."""
    p: float


@dataclass(frozen=True, slots=True)
class PointRow:
    """The last points of one group."""

    group: Setup
    points: tuple[Point, ...]
    """By time; at least one."""

    def courses(self, metrics: Iterable[str]) -> list[Series]:
        """Those metrics, in the order of METRICS, that any of the points has a value of."""
        wanted = set(metrics)
        return [
            Series(metric, self.points)
            for name, metric in METRICS.items()
            if name in wanted and any(name in point.values for point in self.points)
        ]


def to_rows(points: Iterable[Point], last: int) -> list[PointRow]:
    """The last so many points of each group, groups in the order in which they first appear."""
    groups: dict[Setup, list[Point]] = {}
    for point in points:
        groups.setdefault(point.group, []).append(point)
    return [PointRow(group, tuple(sorted(own, key=lambda point: point.time)[-last:])) for group, own in groups.items()]
