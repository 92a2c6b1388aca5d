"""Constructed soaks: events of virtual soaks. See `soaks` and `constructed_events`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from constructed_events import START_S
from soaks import SERIES, asked, complete, told

from loadgen.events import Event
from loadgen.judge.check import Check, Level
from loadgen.judge.expression.value import AtLeast, Unknown
from loadgen.reason import Code, Reason
from loadgen.slo import Attainment
from loadgen.soak.checkpoints import Checkpoint
from loadgen.soak.ended import Noted, SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted
from loadgen.soak.found import End, GapSeen, How, ObjectiveSeen, RestartSeen, Totals
from loadgen.soak.journal import BaselineFound, Breach, Journal
from loadgen.soak.wear import Wear
from loadgen.units import NS_PER_S

TARGET = "redis 7.0.15\x1b[2J at 127.0.0.1:6379"
LOAD = "20 connections, 80 % get + 20 % set over 10,000 keys, 500 requests/s, poisson"

STEADY = Wear()
"""Nothing wears faster than by itself."""

GOOD = Totals(
    300,
    {
        "requests": Fraction(150_000),
        "errors": Fraction(0),
        "opened": Fraction(20),
        "p99": AtLeast(Fraction(2_000_000)),
        "hit_rate": Fraction(1),
    },
    (ObjectiveSeen("p99 ≤ 5ms", Attainment.MET, "2ms"),),
)
CHECKS = (
    Check("growth(fds) < 5/min"),
    Check("max(threads) < 10", Level.NICE),
    Check("gaps == 0"),
    Check("hit_rate > 99 %"),
)


def soak(
    leak_per_min: float,
    *,
    end: Callable[[Journal], End] = complete,
    until_s: float = 300,
    at: dict[float, Callable[[Journal], object]] | None = None,
    wear: Wear = STEADY,
    notes: list[SoakNoted] | None = None,
    settle_s: float = 10,
    rate: bool = True,
) -> list[Event]:
    """The events of a soak of five minutes whose server leaks so many descriptors."""
    of = replace(asked(settle_s=settle_s, duration_s=300, checkpoint_s=60, series=SERIES, checks=CHECKS), wear=wear)
    journal, news = told(
        of,
        lambda t: {
            "proc.fds": 22 + int(max(0.0, t) * leak_per_min / 60),
            "proc.rss": 16_600_000 + 4096 * (int(t) % 3),
            "redis.used_memory": 5_200_000,
            "health.healthy": 1,
            "load.requests": 500,
            "load.errors": 0,
            "load.throughput": 500,
            "load.p99": 1_200_000 + int(t) % 7 * 10_000,
        },
        until_s=until_s,
        at={0.5: lambda j: j.totals(GOOD), **(at or {})},
    )
    events: list[Event] = [SoakBegan(of, "0.1.0", "soak-1\x1b[2J", TARGET, LOAD, START_S)]
    for each in news:
        match each:
            case BaselineFound(bases):
                events.append(SoakBaseline(of, bases, "" if rate else LOAD, START_S + settle_s))
            case Checkpoint(_, _, t_s):
                events.append(SoakCheckpoint(of, each, START_S + settle_s + t_s))
            case Breach(t_s, graded):
                kind = Noted.BREACH if each.is_red else Noted.WARN
                events.append(SoakNoted(kind, t_s, f"{graded.column} grows", START_S + settle_s + t_s))
    ended = end(journal)
    return [
        *events,
        *(notes or []),
        SoakEnded(
            journal.asked,
            journal.found,
            ended,
            journal.verdict(ended),
            "0.1.0",
            "a host",
            TARGET,
            "soak-1\x1b[2J",
            START_S,
            (Reason(Code.CPU_AWAITED, "worker 0 waited for a CPU 12 % of the time\x1b[2J"),),
            wall_s=START_S + settle_s + ended.t_s,
        ),
    ]


def passed() -> list[Event]:
    return soak(0.5, rate=False)


def failed() -> list[Event]:
    def trouble(journal: Journal) -> None:
        journal.gap(GapSeen("redis", 100, "connection refused\x1b[2J"))
        journal.restart(RestartSeen("proc", 120, "pid 1, started 5.00", "pid 2, started 125.00\x1b[2J"))
        journal.named("proc.fds", "tcp to 10.0.0.7:443, established +40\x1b[2J")
        slow = ObjectiveSeen("p99 ≤ 5ms", Attainment.BREACHED, "9.1ms")
        journal.totals(replace(GOOD, values={**GOOD.values, "errors": Fraction(3)}, objectives=(slow,)))

    notes = [SoakNoted(kind, 100, f"what is noted of a {kind}\x1b[2J", START_S + 100) for kind in Noted]
    return soak(40, at={120.0: trouble}, notes=notes)


def warned() -> list[Event]:
    return soak(20, wear=Wear(10, 6 * NS_PER_S, 60 * NS_PER_S))


def interrupted() -> list[Event]:
    return soak(0, until_s=90, end=lambda j: End(How.INTERRUPTED, 90, "it was interrupted"))


def crashed() -> list[Event]:
    return soak(0, until_s=200, end=lambda j: End(How.CRASHED, 200, "redis ended by signal 11\x1b[2J ::error::"))


def broken() -> list[Event]:
    return soak(
        0, until_s=200, end=lambda j: End(How.FAILED, 200, "the run folder could not be written: no space left")
    )


def untold() -> list[Event]:
    unknown = replace(GOOD, values={"requests": Fraction(5), "errors": Unknown("nobody knows")}, objectives=())
    return soak(0, settle_s=0, until_s=10, at={1.0: lambda j: j.totals(unknown)}, end=lambda j: End(How.KILLED, 10, ""))


SOAKS: dict[str, Callable[[], list[Event]]] = {
    f"soak_{scene.__name__}": scene for scene in (passed, failed, warned, interrupted, crashed, broken, untold)
}
"""By name."""
