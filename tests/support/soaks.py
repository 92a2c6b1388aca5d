"""Virtual soaks: a journal that is told samples by a function of time, as a leader would tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli

import loadgen.soak
from loadgen.config.tables.band import BandTable, bands
from loadgen.judge.check import Check
from loadgen.judge.expression.dimension import COUNT, NUMBER, PER_TIME, SIZE, TIME, Dimension
from loadgen.judge.expression.vocabulary import Known, Over
from loadgen.judge.run_metrics import NAMES
from loadgen.soak.asked import Asked
from loadgen.soak.bands import Band
from loadgen.soak.checkpoints import Schedule
from loadgen.soak.folder import Row, kept
from loadgen.soak.found import End, How
from loadgen.soak.journal import Journal, News

BEGAN_S = 1_762_528_279.0
"""The Unix time at which virtual soaks begin to settle."""

SHIPPED: tuple[Band, ...] = bands(
    BandTable(**each)
    for each in tomli.loads((Path(loadgen.soak.__file__).parent / "bands.toml").read_text("utf-8"))["band"]
)

_DIMENSIONS: Mapping[str, Dimension] = {"rss": SIZE, "used_memory": SIZE, "used_memory_dataset": SIZE, "bytes": SIZE}


def column(series: str, dimension: Dimension = COUNT) -> Known:
    return Known(
        _DIMENSIONS.get(series, dimension), f"{series} of a process", ("monitor",), is_scalar=False, over=Over.LEVEL
    )


SERIES: dict[str, Known] = {
    "load.requests": NAMES["requests"],
    "load.errors": NAMES["errors"],
    "load.throughput": Known(PER_TIME, "", over=Over.LEVEL),
    "load.p99": Known(TIME, "", over=Over.LEVEL),
    "proc.fds": column("fds"),
    "proc.threads": column("threads"),
    "proc.rss": column("rss"),
    "redis.used_memory": column("used_memory"),
    "redis.used_memory_dataset": column("used_memory_dataset"),
    "redis.keys": column("keys"),
    "health.healthy": column("healthy", NUMBER),
    "pool.idle": column("idle"),
}


def asked(
    *,
    settle_s: float = 10,
    duration_s: float = 600,
    checkpoint_s: float = 60,
    every_s: float = 1.0,
    at_most_s: float = 0,
    series: Mapping[str, Known] | None = None,
    checks: tuple[Check, ...] = (),
    kinds: Mapping[str, str] | None = None,
) -> Asked:
    """What is asked of a virtual soak. Without `series`, those that `told` finds in its samples."""
    return Asked(
        Schedule(settle_s, duration_s, checkpoint_s, every_s, at_most_s),
        series or {},
        {"proc": "proc", "redis": "redis"} if kinds is None else kinds,
        SHIPPED,
        checks,
    )


ASKED = asked()

Values = Callable[[float], Mapping[str, float]]


def told(
    of: Asked,
    values: Values,
    *,
    until_s: float | None = None,
    at: Mapping[float, Callable[[Journal], object]] | None = None,
    wall: Callable[[float], float] = lambda t: BEGAN_S + t,
    **changes: Any,
) -> tuple[Journal, list[News]]:
    """Return a journal that has been told a sample each second, and all its news; the actions of `at` before theirs."""
    schedule = of.schedule
    end_s = schedule.duration_s if until_s is None else until_s
    times = [float(t) for t in range(-round(schedule.settle_s) + 1, round(end_s) + 1)]
    if not of.series:
        names = dict.fromkeys(name for t in times for name in values(t))
        of = Asked(schedule, {name: SERIES[name] for name in SERIES if name in names}, of.kinds, of.bands, of.checks)
    journal = Journal(of, **changes)
    columns = tuple(of.series)
    waiting = dict(at or {})
    news: list[News] = []
    for t in times:
        for due in [each for each in waiting if each <= t]:
            waiting.pop(due)(journal)
        now = values(t)
        row = Row(t, columns, [kept(now[name]) if name in now else None for name in columns])
        news += journal.sample(row, wall(t))
    return journal, news


def complete(journal: Journal) -> End:
    return End(How.COMPLETE, journal.asked.schedule.duration_s)
