"""The account of monitors, on invented readings at invented times."""

from __future__ import annotations

import random

import pytest

from loadgen.judge.expression.dimension import COUNT, SIZE
from loadgen.judge.expression.functions import FUNCTIONS
from loadgen.judge.expression.value import Series
from loadgen.judge.expression.vocabulary import Known, Over
from loadgen.monitors.account import Account
from loadgen.monitors.reading import Gap, Reading
from loadgen.monitors.report import MonitorReport

S = 1_000_000_000
MIN = 60 * S
FAR_NS = 10**17
"""A monotonic time such as that of a machine that has run for three years."""

SERIES = {
    "memory": Known(SIZE, "memory", is_scalar=False, over=Over.LEVEL),
    "fds": Known(COUNT, "open files", is_scalar=False, over=Over.LEVEL),
}


def account(*names: str) -> Account:
    of = names or ("one",)
    return Account(dict.fromkeys(of, "proc"), dict.fromkeys(of, SERIES))


def reading(at_ns: int, identity: str = "pid 7", monitor: str = "one", **values: float) -> Reading:
    return Reading(monitor, at_ns, 0.0, values, identity)


def only(told: Account) -> MonitorReport:
    [report] = told.reports()
    return report


def test_a_series_has_its_ends_its_extremes_and_its_growth() -> None:
    told = account()
    for second, value in enumerate((100.0, 90.0, 130.0, 120.0)):
        told.take(reading(FAR_NS + second * S, memory=value))
    report = only(told)
    assert (report.readings, report.gaps, report.restarts, report.why) == (4, 0, 0, "")
    [series] = report.series
    assert (series.name, series.dimension, series.readings) == ("memory", SIZE, 4)
    assert (series.first, series.least, series.greatest, series.last) == (100, 90, 130, 120)
    assert series.growth_per_min == pytest.approx(10 * 60)


@pytest.mark.parametrize("seed", range(5))
def test_growth_is_that_of_the_checks_to_the_last_digits(seed: int) -> None:
    """Summed up as it comes, far from the clock's zero, and from all values at once."""
    drawn, told, points = random.Random(seed), account(), []
    at_ns, level = FAR_NS, 1e9
    for _ in range(1000):
        at_ns += drawn.randrange(S // 2, 2 * S)
        level += drawn.gauss(1000, 50_000)
        points.append((at_ns, level))
        told.take(reading(at_ns, memory=level))
    [series] = only(told).series
    slope = FUNCTIONS["growth"].compute(Series(tuple(points)))
    assert isinstance(slope, float)
    assert series.growth_per_min == pytest.approx(slope * MIN, rel=1e-6)


@pytest.mark.parametrize("count", [1, 2])
def test_a_line_is_not_put_through_two_values(count: int) -> None:
    told = account()
    for second in range(count):
        told.take(reading(second * S, memory=second))
    [series] = only(told).series
    assert series.growth_per_min is None


def test_values_at_one_time_have_no_growth() -> None:
    told = account()
    for value in (1.0, 2.0, 3.0):
        told.take(reading(S, memory=value))
    [series] = only(told).series
    assert series.growth_per_min is None


def test_what_does_not_count_is_in_no_number() -> None:
    told = account()
    told.take(reading(1 * S, memory=5.0), counts=False)
    told.take(Gap("one", 2 * S, 0.0, "refused"), counts=False)
    assert only(told) == MonitorReport("one", "proc", why="refused")


def test_a_gap_has_the_newest_reason() -> None:
    told = account()
    told.take(Gap("one", 1 * S, 0.0, "refused"))
    told.take(Gap("one", 2 * S, 0.0, "timed out"))
    told.take(reading(3 * S, memory=5.0))
    assert (only(told).gaps, only(told).why, only(told).readings) == (2, "timed out", 1)


def test_a_restart_is_seen_at_the_first_reading_of_another_process() -> None:
    told = account()
    seen = [
        told.take(reading(second * S, who, memory=1.0))
        for second, who in enumerate(("pid 7", "pid 7", "", "pid 7", "pid 8", "pid 8", "pid 9"))
    ]
    assert seen == [False, False, False, False, True, False, True]
    assert only(told).restarts == 2


def test_a_restart_is_seen_across_gaps() -> None:
    told = account()
    told.take(reading(0, "pid 7", memory=1.0))
    assert not told.take(Gap("one", S, 0.0, "down"))
    assert told.take(reading(2 * S, "pid 8", memory=1.0))


def test_a_restart_between_a_reading_that_does_not_count_and_one_that_does_counts() -> None:
    told = account()
    told.take(reading(0, "pid 7", memory=1.0), counts=False)
    told.take(reading(S, "pid 8", memory=1.0))
    assert only(told).restarts == 1
    told.take(reading(2 * S, "pid 9", memory=1.0), counts=False)
    assert only(told).restarts == 1


def test_the_series_have_the_order_of_the_monitor_and_only_those_that_had_a_value() -> None:
    told = account("one", "two")
    told.take(reading(S, fds=3.0))
    told.take(reading(2 * S, memory=1.0))
    told.take(reading(2 * S, monitor="two", fds=9.0, unheard_of=1.0))
    one, two = told.reports()
    assert [(series.name, series.readings) for series in one.series] == [("memory", 1), ("fds", 1)]
    assert [series.name for series in two.series] == ["fds"]
