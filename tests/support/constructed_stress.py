"""Constructed stress tests: events with invented numbers. See `constructed_events`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from constructed_events import RUNS, START_S

from loadgen.events import Event, Result
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded
from loadgen.verify.stress.shape import Shape

MS = 1_000_000

SERVER = "redis 7.0.15\x1b[2J"
OPTIONS = {"duration": "10s", "loop": "closed", "mix": "50 % get + 50 % set", "depth": "1", "seed": "7\x1b[2J"}


def row(shape: Shape, run: str, **changes: object) -> list[Event]:
    """The events of a load: those of a constructed run, without what is of one server in it, and its row."""
    events = RUNS[run]()
    result = events[-1]
    assert isinstance(result, Result)
    stressed = Stressed(
        shape,
        seed=7,
        took_ns=11_500 * MS,
        replay=f"loadgen stress -c {shape.connections} -k {shape.keys} --value-size {shape.value_bytes} --seed 7",
        identity=SERVER,
        result=result,
        memory_bytes=123_456_789,
        wall_s=START_S + 12,
    )
    return [*events, replace(stressed, **changes)]  # type: ignore[arg-type]


def not_put_on(shape: Shape, **why: object) -> list[Event]:
    """The events of a load that was not put on."""
    [*_, stressed] = row(shape, "closed_loop", result=None, identity="", memory_bytes=None, **why)
    return [stressed]


def stress(loads: Sequence[Sequence[Event]], *, interrupted: bool = False) -> list[Event]:
    rows = tuple(event for load in loads for event in load if isinstance(event, Stressed))
    began = StressBegan(tuple(each.shape for each in rows), "0.1.0", OPTIONS, START_S)
    end = StressEnded(rows, "0.1.0", "a host", 95_100 * MS, interrupted, START_S + 96)
    return [began, *(event for load in loads for event in load), end]


def passed() -> list[Event]:
    return stress(
        [
            row(Shape(10, 1000, 1024), "closed_loop"),
            row(Shape(1000, 10, 102_400), "closed_loop", memory_bytes=None),
            not_put_on(Shape(100, 1_000_000, 102_400), skipped="1,000,000 keys take some 103 GB, and 8 GB are allowed"),
        ]
    )


def failed() -> list[Event]:
    return stress(
        [
            row(Shape(100, 1, 1024), "errors_of_all_kinds"),
            row(Shape(100, 100_000, 1024), "objectives"),
            row(Shape(100, 100_000, 1024), "watched"),
        ]
    )


def could_not_run() -> list[Event]:
    return stress([not_put_on(Shape(100, 1, 1024), failure="redis ended before it answered\x1b[2J ::error::")])


def skipped() -> list[Event]:
    return stress([not_put_on(Shape(1, 1, 1), skipped="1 key takes some 101 B, and --max-memory is 1 B")])


def interrupted() -> list[Event]:
    return stress([row(Shape(100, 1000, 1024), "interrupted")], interrupted=True)


def _named() -> Iterator[tuple[str, Callable[[], list[Event]]]]:
    for scene in (passed, failed, could_not_run, skipped, interrupted):
        yield f"stress_{scene.__name__}", scene


STRESSES: dict[str, Callable[[], list[Event]]] = dict(_named())
"""By name."""
