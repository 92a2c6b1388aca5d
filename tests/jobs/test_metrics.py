"""The names of checks of a test of jobs, on a constructed account."""

from __future__ import annotations

from fractions import Fraction

import pytest
from job_evidence import MS, S, account, evidence, histogram, plan

from loadgen.jobs.load import metrics
from loadgen.jobs.load.account import LATENCIES, Second, Share
from loadgen.jobs.load.ended import Cost, Operations
from loadgen.jobs.load.evidence import Evidence
from loadgen.judge.check import Check as Asked
from loadgen.judge.check import Level, mistakes
from loadgen.judge.expression.value import Unknown
from loadgen.judge.named import Check
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.reading import Reading
from loadgen.monitors.report import MonitorReport

NAMES = metrics.vocabulary(2)


def answer(expr: str, its: Evidence) -> bool | None:
    """The answer to one check of a test with this evidence."""
    assert mistakes(expr, NAMES) == []
    asked = plan(checks=(Asked(expr),), publishing=its.plan.publishing, workers=its.plan.workers,
                 baseline_per_s=its.plan.baseline_per_s)  # fmt: skip
    [check] = metrics.judged(Evidence(asked, its.account, its.cost, operations=its.operations))
    assert check.limit == expr
    return check.passed


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("throughput == 500/s", "throughput > 500/s"),
        ("success == 100 %", "success < 100 %"),
        ("planned == 1000", "planned < 1000"),
        ("p99 < 13ms and p99 > 11ms", "p99 < 11ms"),
        ("p50[queueing] > 800ms", "max[queueing] < 800ms"),
        ("mean[handling, kind 1] == 12ms", "mean[kind 1] > 12ms"),
        ("attempts_per_job == 1", "attempts_per_job > 1"),
        ("drain == 1s and elapsed == 2s", "drain > 1s"),
        ("completed == 1000 and lost == 0", "completed < 1000"),
        ("last(completed) == 500", "first(completed) == 501"),
        ("least_share == 100 %", "greatest_share > 100 %"),
    ],
)
def test_a_name_has_its_value(right: str, wrong: str) -> None:
    assert answer(right, evidence()) is True
    assert answer(wrong, evidence()) is False


def test_every_count_is_the_accounts() -> None:
    """Each count has a number of its own, so that one name cannot stand for another."""
    fields = [name for name in metrics.NAMES if name in metrics._COUNTS and name != "duplicates"]
    numbers = {name: at for at, name in enumerate(fields, 1)}
    its = metrics.JobsMetrics(evidence(its_account=account(numbers)))
    assert {name: its.scalar(name, {}) for name in fields} == numbers
    both = numbers["duplicate_executions"] + numbers["duplicate_effects"]
    assert its.scalar("duplicates", {}) == both


@pytest.mark.parametrize("latency", LATENCIES)
def test_each_latency_is_selected_by_its_name(latency: str) -> None:
    its = metrics.JobsMetrics(evidence(its_account=account(latencies={latency: histogram(7 * MS)})))
    for other in LATENCIES:
        found = its.scalar("max", {"latency": other})
        assert found == 7 * MS if other == latency else isinstance(found, Unknown)


def test_a_job_that_was_never_reclaimed_makes_a_lower_bound() -> None:
    latencies = {"reclaim": histogram(2 * S, 3 * S)}
    reclaimed = evidence(its_account=account(latencies=latencies))
    censored = evidence(its_account=account(latencies=latencies, unreclaimed_ns=(30 * S,)))
    assert answer("max[reclaim] <= 7s", reclaimed) is True
    assert answer("max[reclaim] <= 7s", censored) is False
    assert answer("max[reclaim] <= 40s", censored) is None
    assert answer("p50[reclaim] <= 4s", censored) is True
    assert answer("mean[reclaim] <= 40s", censored) is None
    # The account itself stays as it was.
    assert latencies["reclaim"].count == 2


def test_shares_count_a_worker_that_completed_nothing() -> None:
    its = evidence(plan(workers=2), account(shares=(Share("1", 1000, 1000, 0, 0),)))
    assert answer("least_share == 0 %", its) is True
    assert answer("greatest_share == 200 %", its) is True


def test_operations_are_those_of_a_kind_or_all() -> None:
    its = evidence(operations=(Operations("create", 500, 0, 10 * S), Operations("list", 100, 5, 20 * S)))
    assert answer("operations[create] == 50/s and operations[list] == 5/s", its) is True
    assert answer("operations == 20/s", its) is True
    assert answer("operations_failed == 5 and operations_failed[create] == 0", its) is True
    assert answer("operations_success[list] == 95 %", its) is True
    assert answer("operations[delete] > 10/s", its) is None


def test_what_was_not_measured_cannot_be_told() -> None:
    its = evidence()
    for expr in ("bytes_per_job < 1KB", "stream_length == 0", "baseline_throughput > 1/s", "max[reclaim] < 1s"):
        assert answer(expr, its) is None
    nothing = evidence(its_account=account(dict.fromkeys(("attempted", "executed", "executions", "completed"), 0),
                                           shares=(), seconds=(), first_ns=0, published_ns=0, last_ns=0))  # fmt: skip
    assert answer("success == 0 %", nothing) is True
    for name in ("throughput > 1/s", "least_share > 1 %", "drain < 1s", "elapsed < 1s",
                 "dead_share < 1 %", "attempts_per_job < 3", "last(completed) > 1"):  # fmt: skip
        assert answer(name, nothing) is None


def test_costs_facts_and_the_baseline_have_their_values() -> None:
    cost = Cost(workers_rss_bytes=30_000_000, pending_bytes_per_job=512.5, bytes_after=5000,
                facts={"stream_length": 3})  # fmt: skip
    its = evidence(plan(baseline_per_s=510.5), cost=cost)
    assert answer("worker_memory == 30MB and bytes_per_job == 512.5B and storage_after == 5KB", its) is True
    assert answer("stream_length == 3", its) is True
    assert answer("baseline_throughput == 510.5/s and throughput >= 90 % * baseline_throughput", its) is True


def test_the_first_and_the_last_second_are_left_out_of_levels() -> None:
    seconds = tuple(Second(n + 0.5, 10, 10 * n, n * MS) for n in range(6))
    its = evidence(its_account=account(seconds=seconds))
    assert answer("first(throughput) == 10/s and last(throughput) == 40/s", its) is True
    assert answer("max(waiting) == 5ms", its) is True


def test_kinds_are_told_apart_in_the_handling_only_and_a_check_may_be_nice() -> None:
    assert answer("max[execution, kind 1] < 1s", evidence()) is None
    [nice] = metrics.judged(Evidence(plan(checks=(Asked("p99 < 1ms", Level.NICE),)), account()))
    assert (nice.passed, nice.level, nice.name) == (False, Level.NICE, "check 1")
    assert metrics.JobsMetrics(evidence()).scalar("elapsed", {}) == Fraction(2 * S)


def test_the_storage_has_a_series_that_counts_from_the_first_publish() -> None:
    sizes = ((1 * S, 1000), (2 * S, 501_000), (3 * S, 1_001_000))
    asked = plan(checks=(Asked("growth(storage) == 500kB/s and growth(storage, completed) == 1kB"),))
    [judged] = metrics.judged(evidence(asked, storage=sizes))
    assert judged.passed is True, judged.found
    [judged] = metrics.judged(evidence(asked))
    assert judged.passed is None
    assert "the storage does not say what it takes" in judged.found


MONITORS = (MonitorPlan("redis", "redis"), MonitorPlan("host", "host"))


def of_monitors(expr: str) -> Check:
    """The answer to a check of a test with two monitors, of which only one gave readings."""
    its = plan(checks=(Asked(expr),), monitors=MONITORS)
    assert mistakes(expr, metrics.JobsMetrics(evidence(its)).names) == []
    readings = tuple(
        Reading("redis", (1 + n) * S, 0.0, {"used_memory": 1e6 + n * 1e5, "connected_clients": 5.0 + n})
        for n in range(3)
    )
    reports = (MonitorReport("redis", "redis", 3, gaps=2), MonitorReport("host", "host", gaps=1, why="gone"))
    [judged] = metrics.judged(evidence(its, readings=readings, monitors=reports))
    return judged


def test_what_monitors_read_has_the_names_of_their_series() -> None:
    assert of_monitors("growth(used_memory) == 100kB/s and max(connected_clients[redis]) == 7").passed is True
    assert of_monitors("max(connected_clients) < 7").passed is False
    assert of_monitors("gaps == 3 and gaps[host] == 1 and restarts == 0").passed is True
    # Both count from the first publish: 500 jobs and 100 kB in each second.
    assert of_monitors("growth(used_memory, completed) == 200B").passed is True


def test_a_monitor_that_gave_no_reading_cannot_tell_and_says_why() -> None:
    silent = of_monitors("min(memory_available) > 1GB")
    assert silent.passed is None
    assert "the monitor host gave no reading: gone" in silent.found


def test_the_rate_is_that_of_the_schedule_and_0_without_one() -> None:
    from loadgen.config import jobs_presets
    from loadgen.config.jobs_file import Overrides

    def answers(rate: float) -> list[bool | None]:
        case = jobs_presets.case("throughput", Overrides(flags={"--rate": rate} if rate else {}))
        found = metrics.judged(evidence(case.plan))
        return [check.passed for check in found if check.limit.startswith("intended_rate")]

    # Without a schedule the queueing is not asked; with one and nothing measured, it cannot be told.
    assert answers(0.0) == [True, True]
    assert answers(100.0) != [True, True]
