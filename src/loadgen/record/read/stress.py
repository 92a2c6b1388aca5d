"""Stress tests from their records. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.events import Event, Result
from loadgen.record.read.fields import Fields
from loadgen.units import NS_PER_MS
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded
from loadgen.verify.stress.shape import Shape


def event(record: Fields, result: Result | None, rows: Sequence[Stressed]) -> Event | None:
    """Return the event of a record; None for a record of another kind.

    `result` is that of the load whose record came before, and `rows` are the loads that ended before.
    """
    match record.name:
        case "stress-began":
            return _began(record)
        case "stress-load":
            return _load(record, result)
        case "stress":
            return _ended(record, rows)
        case _:
            return None


def _shape(record: Fields) -> Shape:
    return Shape(record.count("connections"), record.count("keys"), record.count("value_bytes"))


def _began(record: Fields) -> StressBegan:
    options = {str(name): str(value) for name, value in record.get("options", {}).items()}
    return StressBegan(tuple(map(_shape, record.parts("loads"))), record.text("version"), options, record.wall_s())


def _load(record: Fields, result: Result | None) -> Stressed:
    memory = record.get("memory_bytes", None)
    skipped, failure = record.text("skipped"), record.text("failure")
    return Stressed(
        shape=_shape(record),
        seed=record.count("seed"),
        took_ns=_ns(record),
        replay=record.text("replay_command"),
        identity=record.text("server"),
        result=None if skipped or failure else result,
        memory_bytes=None if memory is None else int(memory),
        skipped=skipped,
        failure=failure,
        wall_s=record.wall_s(),
    )


def _ended(record: Fields, rows: Sequence[Stressed]) -> StressEnded:
    metadata, summary = record.part("metadata"), record.part("summary")
    return StressEnded(
        rows=tuple(rows),
        version=metadata.text("version"),
        host=metadata.text("host"),
        took_ns=_ns(summary),
        interrupted=bool(summary.get("interrupted", False)),
        wall_s=record.wall_s(),
    )


def _ns(record: Fields) -> int:
    return round(record.number("duration_ms") * NS_PER_MS)
