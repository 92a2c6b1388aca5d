"""Checks on what monitors read: whose series a name is, and its value in the readings of the measure window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from constructed_events import S, counted, good, plan

from loadgen.events import Result, Sample
from loadgen.judge.check import Check, Checked, Verdict, judge, mistakes
from loadgen.judge.expression.dimension import COUNT, NUMBER, SIZE
from loadgen.judge.expression.functions import FUNCTIONS
from loadgen.judge.expression.value import Series
from loadgen.judge.expression.vocabulary import Known, Over, Vocabulary
from loadgen.judge.run_metrics import RunMetrics, vocabulary_of
from loadgen.monitors.reading import Reading
from loadgen.monitors.report import MonitorReport
from loadgen.usage import Usage


def level(dimension: object = COUNT) -> Known:
    return Known(dimension, "a level", is_scalar=False, over=Over.LEVEL)  # type: ignore[arg-type]


REDIS = {
    "used_memory": level(SIZE),
    "clients": level(),
    "commands": Known(COUNT, "commands", is_scalar=False, over=Over.TOTAL),
}
PROXY = {"fds": level(), "rss": level(SIZE), "clients": level(), "p99": level(NUMBER), "goroutines": level()}
MONITORS = {"redis": REDIS, "proxy": PROXY}

READ = {
    "redis": [{"used_memory": 1e6 + 1e5 * n, "clients": 50.0, "commands": 1000.0 * n} for n in range(5)],
    "proxy": [{"fds": 10.0 + n, "rss": 5e6, "clients": 7.0, "p99": 3.0} for n in range(4)],
}


def names(*, is_watched: bool = False, monitors: Mapping[str, Mapping[str, Known]] = MONITORS) -> Vocabulary:
    return vocabulary_of(plan(), has_faults=False, is_watched=is_watched, monitors=monitors)


def answered(
    check: str,
    *,
    is_watched: bool = False,
    read: Mapping[str, Sequence[Mapping[str, float]]] = READ,
    reports: Sequence[MonitorReport] | None = None,
) -> Checked:
    """The answer on a run of six seconds, in each of which all monitors were read at its half."""
    of_run = names(is_watched=is_watched)
    metrics = RunMetrics([Check(check)], plan(), of_run)
    for second in range(6):
        used = Usage(S, S // 2, 99_000_000, 3, 99) if is_watched else None
        metrics.add(Sample("measure", 0.0, S, counted(good(800, 200), second), used), second * S)
    for monitor, values in read.items():
        for number, each in enumerate(values):
            metrics.add_reading(Reading(monitor, 10**15 + number * S, 0.0, each, "pid 7"), number * S + S // 2)
    told = reports or [MonitorReport(name, "proc", readings=len(read.get(name, ()))) for name in MONITORS]
    measured = counted(good(4800, 1200), 1)
    [found] = judge([Check(check)], of_run, metrics.of(Result(plan(), measured, 6 * S, monitors=tuple(told))))
    return found


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("max(used_memory) == 1.4MB", "max(used_memory) = 1.4 MB"),
        ("last(used_memory[redis]) == 1.4MB", "last(used_memory[redis]) = 1.4 MB"),
        ("growth(used_memory) == 6MB/min", "growth(used_memory) = 6 MB/min"),
        ("max(clients[redis]) == 50 and max(clients[proxy]) == 7", "max(clients[redis]) = 50; max(clients[proxy]) = 7"),
        ("rate(commands) == 1k/s", "rate(commands) = 1,000/s"),
        ("count(fds) == 4 and delta(fds) == 3", "count(fds) = 4; delta(fds) = 3"),
        # A total over requests, whose times are those of intervals: 1000 requests/s.
        ("growth(used_memory, requests) == 100 B", "growth(used_memory, requests) = 100 B"),
    ],
)
def test_a_series_of_a_monitor_has_its_values(check: str, found: str) -> None:
    one = answered(check)
    assert (one.passed, one.found) == (True, found)


def test_a_name_of_the_run_is_the_run_s_and_a_selector_makes_it_the_monitor_s() -> None:
    assert answered("p99 < 1s").passed
    assert answered("max(p99[proxy]) == 3").passed


def test_the_server_s_names_are_its_own_where_loadgen_started_it_and_else_the_one_monitor_s() -> None:
    assert answered("max(fds) == 99", is_watched=True).passed
    assert answered("max(fds[proxy]) == 13", is_watched=True).passed
    assert answered("max(fds) == 13").passed
    assert answered("max(threads) > 0").found == "cannot tell: the server was not watched, so that threads is not known"


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        ("max(clients) > 1", "column 5: the monitors redis and proxy have clients; name one of them: clients[redis]"),
        ("max(fds[redis]) > 1", "column 9: the monitor redis has no fds; the series are used_memory, clients, "
         "commands"),
        ("max(used_memory[get]) > 1MB", 'column 17: used_memory has no selector "get"; the selectors are redis, proxy'),
        ("max(used_memory[redis, redis]) > 1MB", "column 24: used_memory has two selectors of a monitor; keep one of "
         "them"),
        ("p50[redis] < 1s", "column 5: the monitor redis has no p50; the series are used_memory, clients, commands"),
        ("max(user_memory) > 1MB", 'column 5: there is no user_memory here; did you mean used_memory?'),
        ("used_memory > 1MB", "column 1: used_memory is a series; write a value of it, such as max(used_memory) or "
         "last(used_memory)"),
        ("max(used_memory) > 1", "column 20: max(used_memory) is a size, and 1 is a number: they cannot be compared; "
         "write it with a unit, such as 1MB"),
        ("max(p99[proxy]) > 1ms", "column 19: max(p99[proxy]) is a number, and 1ms is a time: they cannot be compared"),
        ("gaps[rediss] == 0", 'column 6: gaps has no selector "rediss"; did you mean redis?'),
        ("restarts[get] == 0", 'column 10: restarts has no selector "get"; the selectors are redis, proxy'),
    ],
)  # fmt: skip
def test_a_name_that_is_nobody_s_or_several_monitors_is_refused(check: str, wrong: str) -> None:
    assert [str(each) for each in mistakes(check, names())] == [wrong]


def test_without_monitors_there_are_no_gaps() -> None:
    assert "there is no gaps here" in str(mistakes("gaps == 0", names(monitors={}))[0])


def test_gaps_and_restarts_are_of_all_monitors_or_of_one() -> None:
    reports = [
        MonitorReport("redis", "redis", readings=5, gaps=2, why="refused"),
        MonitorReport("proxy", "proc", readings=4, gaps=1, restarts=3, why="refused"),
    ]
    for check in ("gaps == 3", "count(gaps) == 3", "gaps[redis] == 2", "restarts == 3", "restarts[redis] == 0"):
        assert answered(check, reports=reports).passed, check


def test_a_monitor_that_never_read_cannot_be_told_of_and_its_reason_is_said() -> None:
    silent = MonitorReport("proxy", "proc", gaps=6, why="no process has the id 7")
    reports = [MonitorReport("redis", "redis", readings=5), silent]
    one = answered("max(fds) < 100", read={"redis": READ["redis"]}, reports=reports)
    assert one.verdict is Verdict.CANNOT_TELL
    assert one.found == "cannot tell: the monitor proxy gave no reading: no process has the id 7"
    late = answered("max(fds) < 100", read={}, reports=[reports[0], replace(silent, gaps=0, why="")])
    assert late.found == (
        "cannot tell: the monitor proxy gave no reading, as none of its times lay within the time that is measured"
    )


def test_a_series_that_was_never_there_cannot_be_told_of() -> None:
    one = answered("max(goroutines) < 100")
    assert one.found == "cannot tell: the monitor proxy read no goroutines: what it reads does not have it"


def test_growth_over_another_series_takes_it_between_its_points_and_nothing_beyond_them() -> None:
    """Readings fall anywhere in the intervals whose requests they are held against: 10 requests in each ns."""
    requests = Series(((10, 100.0), (20, 100.0), (30, 100.0)), from_ns=0)
    memory = Series(tuple((at_ns, 7.0 * 10 * at_ns) for at_ns in (2, 9, 10, 26)))
    assert FUNCTIONS["growth"].compute(memory, requests) == pytest.approx(7.0)
    beyond = Series((*memory.points, (31, -1e9)))
    assert FUNCTIONS["growth"].compute(beyond, requests) == pytest.approx(7.0)
