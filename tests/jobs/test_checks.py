"""The checks of tests of jobs: each passes on an account that is well, and fails on one that breaks it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from job_evidence import MS, S, account, evidence, fault, histogram, named, plan

from loadgen.faults.report import FaultReport
from loadgen.jobs.job import Terms
from loadgen.jobs.load import checks
from loadgen.jobs.load.account import Second, Share
from loadgen.jobs.load.ended import Cost, JobsEnded
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import Kind, Publishing, QueueSettings, Scheduling
from loadgen.jobs.load.work import Act
from loadgen.judge.check import Check as Asked
from loadgen.judge.named import Check
from loadgen.severity import Severity


def check(name: str, its: Evidence) -> Check | None:
    return named(checks.judged(its)).get(name)


def passed(name: str, its: Evidence) -> bool | None:
    found = check(name, its)
    assert found is not None
    return found.passed


def of_counts(**counts: int) -> Evidence:
    return evidence(its_account=account(counts))


def shares(*completed: int) -> tuple[Share, ...]:
    return tuple(Share(str(number), count, count, 0, 0) for number, count in enumerate(completed, 1))


def test_a_test_that_went_well_passes_every_check() -> None:
    found = checks.judged(evidence())
    assert {each.name for each in found} <= set(checks.NAMES)
    assert [each.name for each in found] == [name for name in checks.NAMES if name in named(found)]
    assert Severity.gravest(each.severity for each in found) is Severity.GOOD
    # What a test of 2 s cannot tell is said, and has no consequence.
    assert {each.name for each in found if each.passed is None} == {"memory", "latency"}


def test_the_checks_of_the_file_follow_those_by_name() -> None:
    found = checks.judged(evidence(plan(checks=(Asked("lost == 0"), Asked("lost == 1")))))
    assert [(each.name, each.passed) for each in found[-2:]] == [("check 1", True), ("check 2", False)]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("lost", "lost"),
        ("stuck", "stuck"),
        ("stuck", "held"),
        ("unexpected", "unexpected"),
        ("published", "publish_failed"),
        ("duplicate effects", "duplicate_effects"),
        ("duplicate executions", "duplicate_executions"),
        ("storage errors", "storage_errors"),
        ("storage locks", "locks"),
    ],
)
def test_a_count_that_must_be_0_fails_its_check_and_no_other(name: str, count: str) -> None:
    found = named(checks.judged(of_counts(**{count: 1})))
    assert [each.name for each in found.values() if each.passed is False] == [name]
    assert "1" in found[name].found
    assert found[name].severity is Severity.BREACHED


# ── Duplicates under faults ───────────────────────────────────────────────────────────────────────────────────────────


def duplicates(count: int, *faults: Any, in_flight: int = 0, **changed: Any) -> bool | None:
    its = plan(faults=faults, workers=2, concurrency=3, **changed)
    found = evidence(its, account({"duplicate_executions": count}), in_flight_at_kills=in_flight)
    return passed("duplicate executions", found)


@pytest.mark.parametrize("kind", ["kill", "pause"])
def test_a_worker_under_a_fault_allows_as_many_executions_as_were_in_flight(kind: str) -> None:
    assert duplicates(4, fault(kind, on_workers=True), in_flight=4) is True
    assert duplicates(5, fault(kind, on_workers=True), in_flight=4) is False
    # Without a fault, nothing is in flight that matters.
    assert duplicates(4, in_flight=4) is False


def test_a_job_that_kills_its_worker_takes_others_with_it() -> None:
    killing = Publishing((Kind(10, act=Act.KILL), Kind(90)))
    assert duplicates(4, in_flight=4, publishing=killing) is True
    assert duplicates(5, in_flight=4, publishing=killing) is False


def test_a_storage_under_a_fault_allows_what_workers_had_in_flight_each_time() -> None:
    twice = fault("latency", times=2, every_ns=S)
    assert duplicates(12, twice, adapter="streams") is True
    assert duplicates(13, twice, adapter="streams") is False


@pytest.mark.parametrize(
    ("kind", "changed", "takes_back"),
    [
        ("kill", {"adapter": "streams"}, True),
        ("kill", {"adapter": "streams", "queue": QueueSettings(durability="everysec")}, False),
        ("power_cut", {"adapter": "streams", "queue": QueueSettings(durability="everysec")}, True),
        ("power_cut", {"adapter": "streams", "queue": QueueSettings(durability="always")}, False),
        ("power_cut", {"adapter": "sqlite"}, False),
        ("power_cut", {"adapter": "sqlite", "queue": QueueSettings(durability="normal")}, True),
        ("torn_tail", {"adapter": "streams", "queue": QueueSettings(durability="always")}, True),
        ("pause", {"adapter": "streams"}, False),
    ],
)
def test_a_fault_that_takes_acknowledgements_back_leaves_executions_untold(
    kind: str, changed: Mapping[str, Any], takes_back: bool
) -> None:
    answer = duplicates(1000, fault(kind), **changed)
    assert answer is None if takes_back else answer is False
    gone = fault("kill", parameters={"data": "gone"})
    assert duplicates(1000, gone, adapter="streams", queue=QueueSettings(durability="always")) is None


def test_errors_and_failed_publishes_are_not_held_against_a_storage_under_a_fault() -> None:
    counts = {"storage_errors": 5, "publish_failed": 5}
    its = evidence(plan(adapter="streams", faults=(fault("latency"),)), account(counts))
    assert check("storage errors", its) is None
    assert check("published", its) is None


# ── Reclaim ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def reclaim(*, adapter: str = "sqlite", took: tuple[int, ...] = (), never: tuple[int, ...] = ()) -> Check:
    latencies = {"reclaim": histogram(*took)} if took else {}
    its = plan(adapter=adapter, faults=(fault("kill", on_workers=True),))
    found = check("reclaim", evidence(its, account(latencies=latencies, unreclaimed_ns=never)))
    assert found is not None
    return found


def test_a_queue_of_ours_reclaims_within_lease_sweep_and_a_second() -> None:
    assert reclaim(took=(6 * S,)).passed is True
    assert reclaim(took=(6 * S, 8 * S)).passed is False
    assert reclaim(never=(30 * S,)).passed is False
    assert reclaim(never=(30 * S,)).found == "> 30 s"
    # It may still come.
    assert reclaim(never=(3 * S,)).passed is None
    assert reclaim().passed is None


def test_a_library_that_has_not_reclaimed_when_the_patience_ended_is_censored_and_not_failed() -> None:
    found = reclaim(adapter="rq", never=(30 * S,))
    assert (found.passed, found.found, found.severity) == (None, "> 30 s", Severity.GOOD)
    assert reclaim(adapter="rq", took=(90 * S,)).passed is None


def test_reclaim_is_asked_of_killed_workers_only() -> None:
    assert check("reclaim", evidence()) is None
    assert check("reclaim", evidence(plan(faults=(fault("pause", on_workers=True),)))) is None


# ── Shares ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_shares(*completed: int, **changed: Any) -> Check | None:
    its = plan(workers=len(completed), **changed)
    return check("shares", evidence(its, account(shares=shares(*completed))))


def test_shares_are_within_a_fifth_of_the_fair_one() -> None:
    even, edge, uneven = of_shares(198, 205, 201, 195, 201), of_shares(160, 240, 200), of_shares(159, 241, 200)
    assert even is not None
    assert edge is not None
    assert uneven is not None
    assert (even.passed, edge.passed, uneven.passed) == (True, True, False)
    assert even.found == "−3 % to +2 % of a fair 200 jobs; χ² = 0.28, p = 0.99"
    assert "workers differ by more than chance" in uneven.found
    idle = of_shares(400, 400, 0)
    assert idle is not None
    assert idle.passed is False


def test_uneven_shares_of_workers_that_wait_for_jobs_have_no_consequence() -> None:
    waiting = of_shares(900, 100, publishing=Publishing((Kind(1000),), rate_per_s=100.0))
    busy = of_shares(900, 100, publishing=Publishing((Kind(1000),)))
    assert waiting is not None
    assert busy is not None
    assert (waiting.passed, waiting.severity) == (False, Severity.GOOD)
    assert (busy.passed, busy.severity) == (False, Severity.BREACHED)


def test_shares_say_nothing_of_few_jobs_one_worker_or_workers_under_a_fault() -> None:
    assert of_shares(100, 250) is None
    assert of_shares(1000) is None
    assert of_shares(900, 100, faults=(fault("kill", on_workers=True),)) is None


# ── Failures ──────────────────────────────────────────────────────────────────────────────────────────────────────────

STORM = {"publishing": Publishing((Kind(1000, fail_p=0.8),)), "terms": Terms(max_attempts=3)}


def storm(executions: int, dead: int, **counts: int) -> dict[str, Check]:
    given = {"executions": executions, "dead": dead, "completed": 1000 - dead, "failures": 1500, **counts}
    return named(checks.judged(evidence(plan(**STORM), account(given))))


def test_attempts_and_dead_jobs_are_as_many_as_chance_makes() -> None:
    assert storm(2440, 512)["attempts"].passed is True
    assert storm(2440, 512)["attempts"].limit.startswith("2.440 ± 0.1")
    assert storm(2300, 512)["attempts"].passed is False
    assert storm(2560, 512)["attempts"].passed is False
    assert storm(2440, 512)["dead share"].limit == "51.2 ± 6.3 %"
    assert storm(2440, 440)["dead share"].passed is False
    assert storm(2440, 580)["dead share"].passed is False


@pytest.mark.parametrize("seed", range(20))
def test_chance_passes_attempts_and_dead_jobs(seed: int) -> None:
    draw = random.Random(seed)
    executions = dead = 0
    for _ in range(1000):
        failed = 0
        while failed < 3 and draw.random() < 0.8:
            failed += 1
        executions += min(failed + 1, 3)
        dead += failed == 3
    found = storm(executions, dead)
    assert (found["attempts"].passed, found["dead share"].passed) == (True, True)


def test_kinds_of_jobs_are_added_up() -> None:
    kinds = Publishing((Kind(100, act=Act.RAISE), Kind(100, fail_p=0.5), Kind(800)))
    counts = {"executions": 300 + 175 + 800, "dead": 100 + 13}
    found = named(checks.judged(evidence(plan(publishing=kinds), account(counts))))
    assert (found["attempts"].passed, found["dead share"].passed) == (True, True)
    more = {"executions": 300 + 175 + 800 + 60, "dead": 100 + 40}
    found = named(checks.judged(evidence(plan(publishing=kinds), account(more))))
    assert (found["attempts"].passed, found["dead share"].passed) == (False, False)


def test_attempts_say_nothing_where_jobs_do_not_fail_by_chance_or_workers_are_killed() -> None:
    assert check("attempts", evidence()) is None
    assert check("dead share", evidence()) is None
    killed = plan(**STORM, faults=(fault("kill", on_workers=True),))
    assert check("attempts", evidence(killed)) is None


def test_waits_are_within_the_backoff() -> None:
    assert storm(2440, 512)["backoff"].passed is True
    assert storm(2440, 512, waits_outside=1)["backoff"].passed is False
    assert storm(2440, 512, retries_early=1)["backoff"].passed is False
    assert check("backoff", evidence()) is None
    of_library = evidence(plan(**STORM, adapter="rq"), account({"failures": 5, "retries_early": 5}))
    assert check("backoff", of_library) is None


def test_a_schedule_fires_once_for_each_time() -> None:
    fires = plan(scheduling=Scheduling(10, fires_ns=S))
    assert passed("fired once", evidence(fires, account({"fired": 10}))) is True
    assert passed("fired once", evidence(fires, account({"fired": 10, "double_fired": 1}))) is False
    assert check("fired once", evidence(plan(scheduling=Scheduling(10)))) is None


# ── Faults and trends ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_fault_has_to_fire() -> None:
    kill = fault("kill", on_workers=True)
    under = plan(faults=(kill,))
    assert passed("faults fired", evidence(under, faults=(FaultReport(kill.fault, effects=1),))) is True
    idle = check("faults fired", evidence(under, faults=(FaultReport(kill.fault),)))
    assert idle is not None
    assert (idle.passed, idle.severity) == (None, Severity.UNKNOWN)
    failed = evidence(under, faults=(FaultReport(kill.fault, effects=1, failure="no such process"),))
    assert passed("faults fired", failed) is None
    assert passed("faults fired", evidence(under)) is None
    assert check("faults fired", evidence()) is None


def readings(per_hour: float, seed: int = 1) -> tuple[tuple[float, float], ...]:
    """Memory each 2 s of ten minutes, with noise of 10 KB."""
    draw = random.Random(seed)
    return tuple((at, 40e6 + per_hour * at / 3600 + draw.gauss(0, 1e4)) for at in range(0, 600, 2))


def test_memory_that_grows_fails_and_memory_that_stays_passes() -> None:
    long = account(last_ns=601 * S)
    assert passed("memory", evidence(its_account=long, memory=readings(0.0))) is True
    assert passed("memory", evidence(its_account=long, memory=readings(60e6))) is False


def test_a_long_test_needs_an_answer_about_its_memory_and_a_short_one_does_not() -> None:
    short = check("memory", evidence(memory=readings(0.0)[:5]))
    long = check("memory", evidence(its_account=account(last_ns=601 * S)))
    assert short is not None
    assert long is not None
    assert (short.passed, short.severity) == (None, Severity.GOOD)
    assert (long.passed, long.severity) == (None, Severity.UNKNOWN)


def of_queueing(growth: float, **changed: Any) -> Check:
    draw = random.Random(3)
    seconds = tuple(
        Second(float(at), 50, 50, (5 + growth * at / 600) * MS * draw.uniform(0.9, 1.1)) for at in range(1, 601)
    )
    its = plan(publishing=Publishing((Kind(30_000),), rate_per_s=50.0), **changed)
    found = check("latency", evidence(its, account(seconds=seconds, last_ns=601 * S)))
    assert found is not None
    return found


def test_queueing_that_grows_at_a_fixed_rate_fails_and_queueing_that_stays_passes() -> None:
    assert of_queueing(0.0).passed is True
    assert of_queueing(40.0).passed is False
    assert of_queueing(40.0, faults=(fault("kill", on_workers=True),)).passed is None


# ── Scaling ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def swept(rates: Mapping[int, float], cpu_s: float = 0.0, cpus: int = 2) -> tuple[Check, ...]:
    """The checks of a sweep in which so many workers completed 1,000 jobs at so many a second."""
    ended = [
        JobsEnded(
            plan(workers=workers), "", "", account(first_ns=S, last_ns=S + round(1000 / rate * S)),
            cost=Cost(workers_cpu_s=cpu_s),
        )
        for workers, rate in rates.items()
    ]  # fmt: skip
    return checks.scaling(ended, cpus)


def test_a_sweep_scales_up_to_ten_workers() -> None:
    [good] = swept({1: 100, 2: 200, 10: 900, 100: 1000})
    assert (good.name, good.passed) == ("scaling", True)
    assert good.found == "0.90: 900 jobs/s with 10 workers, 100 with 1"
    [bad] = swept({1: 100, 10: 790})
    assert bad.passed is False
    [untold] = swept({1: 100, 10: 500}, cpu_s=3.5)
    assert (untold.passed, untold.severity) == (None, Severity.UNKNOWN)
    assert swept({5: 100}) == ()
    assert swept({1: 100, 20: 100}) == ()


def test_a_sweep_in_which_nothing_completed_cannot_be_told() -> None:
    nothing = JobsEnded(plan(), "", "", account(first_ns=0, last_ns=0))
    [found] = checks.scaling([nothing, replace(nothing, plan=plan(workers=5))], 2)
    assert found.passed is None
