"""The values that checks of a run are held against, and what their answers lead to."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from constructed_events import S, before, counted, good, plan

from loadgen import slo
from loadgen.errors import ExitCode
from loadgen.events import PhaseCounted, Result, Sample
from loadgen.faults.report import Outage
from loadgen.judge.check import Check, Checked, Level, Verdict, judge
from loadgen.judge.expression.value import AtLeast, Unknown
from loadgen.judge.run_metrics import NAMES, OF_FAULTS, RunMetrics, vocabulary, vocabulary_of
from loadgen.percentiles import PERCENTILES
from loadgen.plan import LoadPhase, Plan
from loadgen.slo import Attainment, Objective, Unit
from loadgen.snapshot import Histogram, Snapshot, Tally
from loadgen.usage import Usage

MS = 1_000_000
PHASED = (LoadPhase("constant", S, 1000, 1000, 1000), LoadPhase("constant", 2 * S, 2000, 2000, 4000))


def phased() -> Plan:
    the_plan = plan(rate_per_s=1000.0)
    return replace(the_plan, load=replace(the_plan.load, phases=PHASED))


def result(measured: Snapshot, the_plan: Plan | None = None, **fields: object) -> Result:
    return Result(the_plan or plan(rate_per_s=1000.0), measured, 3 * S, phases=before(measured), **fields)  # type: ignore[arg-type]


def answered(check: str, of: Result, *intervals: Sample, has_faults: bool = False) -> Checked:
    """The answer to a check of a run with these intervals, each of which is a second long."""
    names = vocabulary_of(of.plan, has_faults=has_faults)
    metrics = RunMetrics([Check(check)], of.plan, names)
    for number, interval in enumerate(intervals):
        metrics.add(interval, number * S)
    [found] = judge([Check(check)], names, metrics.of(of))
    return found


def second(get: int, set_: int, misses: int = 0, server: Usage | None = None) -> Sample:
    return Sample("measure", 0.0, S, counted(good(get, set_, misses), get), server)


FAILING = {
    "get": Tally(planned=1000, ok=989, errors=6, timeouts=3, lost=1, corrupt=1, hits=900, misses=89),
    "set": Tally(planned=500, ok=500, hits=500),
}


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("requests == 1500 and requests[get] == 1k", "requests = 1,500; requests[get] = 1,000"),
        ("ok == 1489", "ok = 1,489"),
        ("errors == 11 and errors[set] == 0", "errors = 11; errors[set] = 0"),
        ("errors / requests > 0.7 %", "errors / requests = 0.73 %"),
        ("error_replies == 6", "error_replies = 6"),
        ("timeouts == 3 and lost == 1 and corrupt == 1 and unfinished == 0", "timeouts = 3; lost = 1; corrupt = 1; "
         "unfinished = 0"),
        ("misses[get] == 89", "misses[get] = 89"),
        ("hit_rate == 900 / 989", "hit_rate = 91 %"),
        ("throughput == 1489 / 3s and throughput > 29k/min", "throughput = 496/s; throughput = 29,780/min"),
        ("throughput[get] == 989 / 3s", "throughput[get] = 330/s"),
        ("duration == 3s", "duration = 3 s"),
        ("connections_failed == 0 and reconnects == 0", "connections_failed = 0; reconnects = 0"),
    ],
)  # fmt: skip
def test_values_are_those_of_the_result(check: str, found: str) -> None:
    one = answered(check, result(counted(FAILING, 7, open_loop=True)))
    assert (one.passed, one.found) == (True, found)


@pytest.mark.parametrize("name", [*NAMES, *OF_FAULTS])
def test_every_name_has_a_value_or_a_reason(name: str) -> None:
    known = {**NAMES, **OF_FAULTS}[name]
    measured = counted(FAILING, 7, open_loop=True)
    used = Usage(S, S // 2, 4_000_000, 3, 9)
    outage = Outage(1, began_ns=S, ended_ns=2 * S, first_failed_ns=S, last_failed_ns=2 * S, back_ns=3 * S)
    full = result(measured, outages=(outage,))
    if known.is_scalar:
        assert answered(f"{name} >= 0", full, has_faults=True).passed
    if known.over is not None:
        intervals = [second(800, 200, 8, used), second(400, 100, 4, used), second(10, 10, 1, used)]
        assert answered(f"last({name}) >= 0 and spread({name}) >= 0", full, *intervals).passed
    else:
        assert f"{name} has no series" in answered(f"last({name}) >= 0", full, has_faults=True).found


@pytest.mark.parametrize("name", PERCENTILES)
@pytest.mark.parametrize("case", ["all well", "some failed", "some unanswered", "most failed", "none"])
def test_a_percentile_is_judged_as_an_objective_is(name: str, case: str) -> None:
    """Over a range of limits the check passes where the objective is met, fails where it is breached, and else can't
    tell."""
    measured = {
        "all well": counted(good(800, 200), 1, open_loop=True),
        "some failed": counted(FAILING, 7, open_loop=True),
        "some unanswered": counted(
            {"get": Tally(planned=1000, ok=970, unfinished=30, hits=970)}, 3, open_loop=True, unanswered=30
        ),
        "most failed": counted({"get": Tally(planned=100, ok=10, errors=90, hits=10)}, 4, open_loop=True),
        "none": Snapshot(),
    }[case]
    ended = result(measured)
    answers = {Attainment.MET: True, Attainment.BREACHED: False, Attainment.UNKNOWN: None}
    limits_ns = [*range(10_000, 300_000, 7_919), 2 * S, 200 * S]
    for limit_ns in limits_ns:
        [objective] = slo.check([Objective(name, limit_ns, Unit.NS)], measured, 3 * S)
        assert answered(f"{name} <= {limit_ns}ns", ended).passed is answers[objective.answer], limit_ns


def test_rounding_up_by_the_histogram_fails_no_limit() -> None:
    """The counter of 1 ms reaches to 1,000,447 ns, which is what the histogram says of it."""
    response = Histogram()
    response.record_many(MS, 1000)
    response.record(2 * MS)
    measured = Snapshot(tallies={"get": Tally(planned=1001, ok=1001, hits=1001)}, response={"get": response})
    assert response.quantile(0.99) > MS
    assert answered("p99 <= 1ms", result(measured)).passed


def test_a_percentile_among_failed_requests_is_above_any_limit() -> None:
    ended = result(counted({"get": Tally(planned=100, ok=10, errors=90, hits=10)}, 4, open_loop=True))
    one = answered("p99 < 100h", ended)
    assert (one.passed, one.found) == (False, "p99 = above any limit")


def test_a_phase_has_its_own_counts() -> None:
    measured = counted(good(2400, 600), 1, open_loop=True)
    by_phase = (
        PhaseCounted(PHASED[0], S, counted(good(800, 200), 2, open_loop=True)),
        PhaseCounted(PHASED[1], 0, Snapshot()),
    )
    ended = result(measured, phased(), by_phase=by_phase)
    assert answered("requests[phase 1] == 1000 and throughput[phase 1] == 1000/s", ended).passed
    assert answered("requests[get, phase 1] == 800 and duration[phase 1] == 1s", ended).passed
    assert answered("p99[phase 2] < 1s", ended).found == "cannot tell: no whole interval lies within phase 2"
    assert answered("p99[phase 3] < 1s", ended).found == "cannot tell: column 5: there is no phase 3; they are 1 to 2"
    cut_short = replace(ended, by_phase=by_phase[:1])
    assert answered("p99[phase 2] < 1s", cut_short).found == "cannot tell: phase 2 was not reached"


def test_a_series_has_a_point_for_each_interval_and_those_of_a_phase_lie_within_it() -> None:
    ended = result(counted(good(1210, 310), 1, open_loop=True), phased())
    intervals = [second(800, 200), second(400, 100), second(10, 10)]
    for check in (
        "count(p99) == 3 and max(requests) == 1000 and min(requests) == 20 and first(requests[get]) == 800",
        "last(throughput) == 20/s and rate(requests) == 1520 / 3s",
        "count(p99[phase 1]) == 1 and max(requests[phase 2]) == 500 and rate(requests[phase 2]) == 260/s",
    ):
        one = answered(check, ended, *intervals)
        assert one.passed, one
    assert answered("growth(requests) < 0/s", ended, *intervals[:2]).found == (
        "cannot tell: the series requests has 2 points, and growth needs 3"
    )


def test_the_servers_use_is_a_series_where_it_was_watched() -> None:
    ended = result(counted(good(2400, 600), 1))
    watched = [second(100, 0, server=Usage(S, S // 2, 4_000_000 + n * 1_000, 3, 9 + n)) for n in range(4)]
    check = "growth(rss) == 1KB/s and max(fds) == 12 and last(threads) == 3 and mean(cpu) == 0.5"
    assert answered(check, ended, *watched).passed
    assert answered("growth(rss, requests) == 10B", ended, *watched).passed
    assert answered("max(rss) < 1GB", ended, second(1, 1)).found == (
        "cannot tell: the server was not watched, so that rss is not known"
    )


@pytest.mark.parametrize(
    ("outages", "outage", "recovered"),
    [
        ([Outage(1, S, 2 * S, S, 2 * S, 3 * S), Outage(2, S, 2 * S, S, S + MS, 2 * S)], S, S),
        ([Outage(1, S, 2 * S)], 0, AtLeast(Fraction(9 * S))),
        ([Outage(1, S, 2 * S, until_ns=4 * S), Outage(1, 4 * S, 5 * S, back_ns=11 * S)], 0, AtLeast(Fraction(6 * S))),
        ([Outage(1, S, None)], 0, Unknown("a fault on node 1 did not end")),
        ([Outage(2, S, 2 * S, has_baseline=False)], 0, Unknown("node 2 has no baseline to be back inside of")),
        ([], Unknown("no fault came"), Unknown("no fault came")),
    ],
)
def test_outages_are_the_longest_of_their_nodes(
    outages: list[Outage], outage: int | Unknown, recovered: int | AtLeast | Unknown
) -> None:
    """A node that was not back was away for at least as long as it was watched: here to 11 s."""
    ended = replace(result(counted(good(1, 1), 1), outages=tuple(outages)), began_ns=8 * S)
    values = RunMetrics([], ended.plan, vocabulary_of(ended.plan, has_faults=False)).of(ended)
    assert values.scalar("outage", {}) == outage
    assert values.scalar("recovered", {}) == recovered
    assert values.scalar("outage", {"node": 3}) == Unknown("no fault came over node 3")


def test_names_of_faults_are_there_with_faults_only() -> None:
    assert "outage" not in vocabulary(nodes=1, phases=0).names
    assert "outage" in vocabulary(nodes=1, phases=0, has_faults=True).names


@pytest.mark.parametrize(
    ("level", "passed", "exit_code"),
    [
        (Level.MUST, True, ExitCode.YES),
        (Level.MUST, False, ExitCode.NO),
        (Level.MUST, None, ExitCode.CANNOT_TELL),
        (Level.NICE, False, ExitCode.YES),
        (Level.NICE, None, ExitCode.YES),
    ],
)
def test_what_must_hold_decides_the_exit_status(level: Level, passed: bool | None, exit_code: ExitCode) -> None:
    well = Checked(Check("p99 < 1s"), True, "")
    one = Checked(Check("p99 < 1ms", level), passed, "")
    assert result(counted(good(1000, 1000), 1), checked=(well, one)).exit_code is exit_code
    assert one.verdict is {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.CANNOT_TELL}[passed]


def test_a_failed_check_is_graver_than_one_that_cannot_be_told() -> None:
    checked = (Checked(Check("p99 < 1s"), None, ""), Checked(Check("p99 < 1ms"), False, ""))
    assert result(counted(good(1000, 1000), 1), checked=checked).exit_code is ExitCode.NO
