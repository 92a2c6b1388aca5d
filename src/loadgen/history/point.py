"""A point, one result in a history, and its setup, which comparable points share. Values; no I/O.

A point is written to a line of a history and read back from that line. `results` makes points from a result file.
Points of different hosts, servers, loads or rates have different setups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from loadgen.compare.metric import METRICS as COMPARED
from loadgen.compare.metric import Metric
from loadgen.escape import printable

METRICS = {
    "capacity": Metric("capacity", "capacity", "per_s", higher_is_better=True),
    **COMPARED,
    **{
        name: Metric(name, label, unit)
        for name, label, unit in (
            ("memory_growth", "memory growth", "bytes_per_min"),
            ("fds_growth", "fds growth", "per_min"),
            ("threads_growth", "threads growth", "per_min"),
            ("tasks_growth", "tasks growth", "per_min"),
        )
    },
}
"""In the order of output. Capacity is the highest rate at which a search's limits were still met. Growth is that of a
soak, of the monitor whose series grew most; 0 when none grew."""

_LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Setup:
    """The properties that points must share to be in one row."""

    name: str
    """As given, else the server's: its file's stem, its own words without the version, or its address. For a
    comparison, "B / A"."""
    host: str
    """The machine's fingerprint; empty when the result does not say."""
    loop: str
    """`closed`, `open`, `search`, `soak`, or `rounds` of a comparison."""
    rate_per_s: float
    """The offered rate; 0 when there is none, or when it depends on the throughput of a server."""
    load: str
    """The rest of the load, in words; empty when the result does not say."""


@dataclass(frozen=True, slots=True)
class Point:
    """One result."""

    ts: str
    """ISO 8601, with its zone."""
    group: Setup
    valid: bool
    """True when the numbers are the server's. Points that are not valid are kept, but left out of every statistic."""
    values: Mapping[str, float]
    """By metric, in the unit of METRICS; for a comparison, B's value divided by A's."""
    at_least: tuple[str, ...] = ()
    """The metrics whose true value may be higher, because requests had not been answered."""
    label: str = ""
    """The user's name for the point, such as a commit."""
    version: str = ""
    """The version of loadgen."""
    server: str = ""
    """Name and version in the server's own words."""
    seed: int | None = None

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.ts)

    def to_record(self) -> dict[str, Any]:
        """Return the point as a line of a file has it: flat, and small."""
        record = asdict(self)
        group = record.pop("group")
        return {"type": "history", "ts": record.pop("ts"), **group, **record}


def to_point(record: object) -> Point:
    """Return the point of a record, the reverse of `Point.to_record`. Raises ValueError for any other record."""
    try:
        if not isinstance(record, dict) or record["type"] != "history" or not isinstance(record["valid"], bool):
            raise ValueError("it is no point of a history")
        return Point(
            ts=time_of(record["ts"]),
            group=Setup(
                words_of(record["name"]),
                words_of(record["host"]),
                words_of(record["loop"]),
                number_of(record["rate_per_s"]),
                words_of(record["load"]),
            ),
            valid=record["valid"],
            values=numbers_of(record["values"]),
            at_least=tuple(words_of(name) for name in record["at_least"]),
            label=words_of(record["label"]),
            version=words_of(record["version"]),
            server=words_of(record["server"]),
            seed=record["seed"] if isinstance(record["seed"], int) else None,
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("it is not as loadgen writes it") from error


def time_of(ts: object) -> str:
    if not isinstance(ts, str) or datetime.fromisoformat(ts).tzinfo is None:
        raise ValueError("its time has no zone")
    return ts


def words_of(words: object) -> str:
    if not isinstance(words, str):
        raise ValueError("words are missing from it")
    return printable(words, _LONGEST_WORDS)


def number_of(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError("a number in it is none")
    return float(value)


def numbers_of(values: Mapping[str, Any]) -> dict[str, float]:
    return {metric: number_of(value) for metric, value in values.items() if metric in METRICS}
