"""The values that the checks of a scenario are held against, and what their answers do to a trial."""

from __future__ import annotations

import html
import io
from dataclasses import replace

import pytest
from constructed_trials import (
    CLOSED,
    FAULT,
    KILL,
    MS,
    PLAN,
    RECOVERY,
    Changed,
    S,
    chaos,
    counts,
    ended,
    evidence,
    report,
)
from rendered import emit_all

from loadgen.errors import ExitCode
from loadgen.faults.report import FaultReport, Spell
from loadgen.judge.check import Check, Level, judge
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.reading import Reading
from loadgen.monitors.report import MonitorReport
from loadgen.output import create
from loadgen.output.reports.trials_junit import junit
from loadgen.trial.ended import ChaosEnded, TrialEnded
from loadgen.trial.evidence import Evidence
from loadgen.trial.metrics import NAMES, TrialMetrics, judged, vocabulary
from loadgen.trial.observed import Observed


def answered(check: str, found: Evidence) -> tuple[bool | None, str]:
    names = vocabulary(found.plan.nodes)
    [one] = judge([Check(check)], names, TrialMetrics(found, names))
    return one.passed, one.found


ONLY_BACK_LATE = evidence(down_until_ns=RECOVERY + 3 * S)


@pytest.mark.parametrize(
    ("check", "found"),
    [
        # 5 s of baseline, 2 s of fault and 10 s of recovery in intervals of 200 ms: 40 operations on each of 3 nodes.
        ("ok == 85 * 120 - 10 * 40", "ok = 9,800"),
        ("ok[settle] == 600", "ok[settle] = 600"),
        ("operations[baseline, node 1] == 1000", "operations[baseline, node 1] = 1,000"),
        ("errors == 5 * 30 + 5 * 40 and errors[baseline] == 0", "errors = 350; errors[baseline] = 0"),
        ("errors[refused] == 150 and errors[fault, breaker_open] == 200",
         "errors[refused] = 150; errors[fault, breaker_open] = 200"),
        ("errors[node 2] == 0 and errors[node 1, timeout] == 0", "errors[node 2] = 0; errors[node 1, timeout] = 0"),
        ("wrong == 0 and count(wrong) == 0", "wrong = 0; count(wrong) = 0"),
        ("success[baseline] == 100 % and success[fault, node 1] == 0", "success[baseline] = 100 %; "
         "success[fault, node 1] = 0 %"),
        ("throughput[baseline] == 600/s", "throughput[baseline] = 600/s"),
        ("0.49ms < p99[fault, node 2] < 0.51ms", "p99[fault, node 2] = 500 µs"),
        ("slowest[fault] == max(slowest)", "slowest[fault] = 500 µs; max(slowest) = 500 µs"),
        ("max(connections[node 1]) == 10 and max(connections) == 30", "max(connections[node 1]) = 10; "
         "max(connections) = 30"),
        ("max(active) == 6 and min(idle[node 2]) == 8 and max(waiting) == 0 and last(sockets) == 30",
         "max(active) = 6; min(idle[node 2]) = 8; max(waiting) = 0; last(sockets) = 30"),
        ("rate(opened) == 0 and rate(errors[fault]) == 175/s", "rate(opened) = 0/s; rate(errors[fault]) = 175/s"),
        ("cv(throughput[recovery]) == 0 %", "cv(throughput[recovery]) = 0 %"),
        ("detected == 300ms and detected[node 1] <= 300ms", "detected = 300 ms; detected[node 1] = 300 ms"),
        ("outage == 2s and recovered <= 200ms", "outage = 2 s; recovered = 0 ns"),
        ("leaked == 0", "leaked = 0"),
    ],
)  # fmt: skip
def test_values_are_those_of_the_evidence(check: str, found: str) -> None:
    assert answered(check, evidence()) == (True, found)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_a_value_and_a_series_where_it_says_so(name: str) -> None:
    def with_tasks(at_ns: int, observed: Observed) -> Observed:
        return replace(observed, tasks=2)

    found, known = evidence(with_tasks), NAMES[name]
    if known.is_scalar:
        assert answered(f"{name} >= 0", found)[0]
    if known.over is not None:
        assert answered(f"last({name}) >= 0", found)[0]


def without_nodes(at_ns: int, observed: Observed) -> Observed:
    return replace(observed, nodes={0: counts(120)}, states={}, transitions=())


def gone_for_good(at_ns: int, observed: Observed) -> Observed:
    lost = counts(0, errors={"timeout": 3})
    return replace(observed, nodes={**observed.nodes, 1: lost}) if at_ns >= FAULT else observed


@pytest.mark.parametrize(
    ("check", "changed", "answer"),
    [
        ("errors[node 1] == 0", without_nodes, (None, "the client does not tell which node an operation was on")),
        ("max(connections) < 5", without_nodes, (None, "the client does not say how many connections it has")),
        ("p99[fault, node 1] < 1s", gone_for_good, (None, "no operation ended well")),
        ("recovered[node 2] < 1s", gone_for_good, (None, "no fault was on node 2")),
        ("recovered < 5s", gone_for_good, (False, "recovered = at least 10 s")),
        ("recovered < 20s", gone_for_good, (None, "the true value may be greater than what was measured")),
    ],
)
def test_what_the_client_does_not_show_cannot_be_told(
    check: str, changed: Changed, answer: tuple[bool | None, str]
) -> None:
    passed, found = answered(check, evidence(changed))
    assert passed is answer[0]
    assert found.removeprefix("cannot tell: ").startswith(answer[1])


def test_a_fault_that_did_not_end_leaves_recovery_untold() -> None:
    endless = FaultReport(KILL, (Spell(1, FAULT, None),), 1, "")
    assert answered("recovered < 5s", evidence(faults=(endless,))) == (
        None, "cannot tell: a fault on node 1 did not end",
    )  # fmt: skip
    assert answered("recovered < 5s", evidence(faults=(report(node=1),)))[0]
    assert answered("leaked == 0", evidence(closed=replace(CLOSED, leaked_sockets=None)))[0] is None


def judged_by(*checks: Check) -> TrialEnded:
    found = evidence(plan=replace(PLAN, checks=checks))
    return ended(found, checks=(*ended(found).checks, *judged(found)))


@pytest.mark.parametrize(
    ("check", "exit_code"),
    [
        (Check("errors[node 2] == 0"), ExitCode.YES),
        (Check("errors[node 1] == 0"), ExitCode.NO),
        (Check("errors[node 1] == 0", Level.NICE), ExitCode.YES),
        (Check("max(tasks) < 5"), ExitCode.CANNOT_TELL),
        (Check("max(tasks) < 5", Level.NICE), ExitCode.YES),
    ],
)
def test_what_must_hold_decides_the_trial(check: Check, exit_code: ExitCode) -> None:
    assert judged_by(check).exit_code is exit_code


@pytest.mark.parametrize("format", ["clean", "verbose", "json", "quiet", "markdown", "document"])
def test_every_format_shows_a_check_that_failed(format: str) -> None:
    end = judged_by(Check("p99[fault] < 1us"), Check("p50 < 1us", Level.NICE))
    stream = io.StringIO()
    emit_all(chaos(end), create(format, stream))
    shown = " ".join(html.unescape(stream.getvalue()).replace("\\", "").split())
    assert "p99[fault] = 500 µs" in shown
    assert "p99[fault] < 1us" in shown
    assert ("p50 = 500 µs" in shown) is (format != "quiet")


def test_a_nice_check_is_no_failure_for_junit() -> None:
    found = junit(ChaosEnded((judged_by(Check("p99 < 1us"), Check("p50 < 1us", Level.NICE)),)))
    assert found.count("<failure") == 1
    assert "does not hold, and is only nice: p50 = 500 µs" in found


def test_the_slowest_of_a_phase_is_a_time() -> None:
    def slow_once(at_ns: int, observed: Observed) -> Observed:
        return replace(observed, slowest_ns=900 * MS) if at_ns == FAULT else observed

    found = evidence(slow_once)
    assert answered("slowest == 900ms and slowest[recovery] < 1ms and quantile(slowest, 50 %) < 1ms", found)[0]


def test_a_monitor_s_series_gaps_and_restarts_are_names_of_a_trial() -> None:
    plans = (MonitorPlan("proc", "proc"), MonitorPlan("redis", "redis"))
    readings = tuple(Reading("proc", number * S, 0.0, {"fds": 5.0 + number}, "pid 7") for number in range(4))
    reports = (
        MonitorReport("proc", "proc", readings=4, gaps=2),
        MonitorReport("redis", "redis", gaps=1, why="refused"),
    )
    checks = tuple(
        Check(text)
        for text in ("max(fds) == 8 and growth(fds[proc]) == 60/min", "gaps == 3 and restarts == 0", "max(keys) > 0")
    )
    found = evidence()
    found = replace(found, plan=replace(found.plan, monitors=plans, checks=checks), readings=readings, monitors=reports)
    answers = judged(found)
    assert [each.passed for each in answers] == [True, True, None]
    assert answers[2].found == "cannot tell: the monitor redis gave no reading: refused"
