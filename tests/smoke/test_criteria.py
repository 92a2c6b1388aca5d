"""The criteria of a smoke test on invented counts: met, missed, not reached, not applicable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import constructed_events
import pytest

from loadgen.events import Result
from loadgen.plan import Plan, Weights
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.signs import Signs
from loadgen.smoke.check import Check
from loadgen.smoke.criteria import CRITERIA, judge
from loadgen.smoke.ended import SmokeEnded
from loadgen.smoke.limits import SmokeLimits
from loadgen.smoke.observed import Finding, Observed
from loadgen.snapshot import ConnectionCounts, Histogram, Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S

DEFAULTS = SmokeLimits()
WELL = Observed(
    up=Finding(True, "answered after 0.10 s"),
    sanity=Finding(True, "PING, SET, GET answered right"),
    still_up=Finding(True, "it answers"),
    log_errors=(),
)
GETS, SETS = Tally(planned=4000, ok=4000, hits=3000, misses=1000), Tally(planned=1000, ok=1000, hits=1000)
TALLIES = {"get": GETS, "set": SETS}


def histogram(*values_ns: int, censored_ns: tuple[int, ...] = ()) -> Histogram:
    made = Histogram()
    for value in values_ns:
        made.record(value)
    for value in censored_ns:
        made.record(value, censored=True)
    return made


def result(
    *,
    tallies: Mapping[str, Tally] = TALLIES,
    latency: Histogram | None = None,
    plan: Plan | None = None,
    phases: Mapping[str, Snapshot] | None = None,
    measured: Mapping[str, Any] | None = None,
    **more: Any,
) -> Result:
    """A clean load of 5000 requests, but for what is said here."""
    response = {"get": histogram(*[NS_PER_MS] * 5000) if latency is None else latency}
    snapshot = Snapshot(tallies=tallies, response=response, **(measured or {}))
    all_phases = {"measure": snapshot, **(phases or {})}
    return Result(plan or constructed_events.plan(), snapshot, NS_PER_S, phases=all_phases, **more)


def check(name: str, judged: Result | None, limits: SmokeLimits = DEFAULTS, course: Observed = WELL) -> Check:
    [found] = [each for each in judge(limits, course, judged) if each.name == name]
    return found


def ended(course: Observed, judged: Result | None = None) -> SmokeEnded:
    return SmokeEnded("server", "", judge(SmokeLimits(), course, judged), judged)


def missed(course: Observed, judged: Result | None = None) -> list[str]:
    return [each.name for each in ended(course, judged).failed]


@pytest.mark.parametrize("judged", [None, result(), result(tallies={}, latency=Histogram())])
@pytest.mark.parametrize("course", [Observed(), WELL, Observed(up=Finding(False, "no")), Observed(interrupted=True)])
def test_every_criterion_is_there_in_its_order_and_says_what_was_found(course: Observed, judged: Result | None) -> None:
    checks = judge(SmokeLimits(), course, judged)
    assert tuple(each.name for each in checks) == CRITERIA
    assert all(each.found for each in checks)


def test_a_clean_test_passes_by_every_criterion() -> None:
    clean = ended(WELL, result())
    assert [each.passed for each in clean.checks] == [True] * len(CRITERIA)
    assert clean.passed


@pytest.mark.parametrize(
    ("course", "failed", "reached"),
    [
        (Observed(up=Finding(False, "the port is taken")), "server up", 0),
        (replace(WELL, sanity=Finding(False, "GET was answered wrong")), "sanity", 4),
        (replace(WELL, failure="The prefill stalled."), "completed", 5),
    ],
)
def test_what_follows_a_failure_is_not_reached_and_not_passed(course: Observed, failed: str, reached: int) -> None:
    test = ended(course)
    assert [each.name for each in test.failed] == [failed]
    unreached = [each for each in test.checks[reached:] if each.name != failed]
    assert {each.passed for each in unreached} == {None}
    assert all(each.found.startswith("not reached: ") for each in unreached)
    assert not test.passed


def test_a_server_that_is_gone_at_the_end_fails() -> None:
    gone = replace(WELL, still_up=Finding(False, "killed by SIGSEGV"))
    assert missed(gone, result()) == ["still up"]
    assert check("still up", result(), course=gone).found == "killed by SIGSEGV"


def test_a_line_of_the_log_that_tells_of_an_error_fails() -> None:
    log = check("log", result(), course=replace(WELL, log_errors=("panicked at \x1b[1m", "Assertion failed")))
    assert (log.passed, log.found) == (False, '"panicked at \\x1b[1m", and 1 more')


def test_a_log_that_is_not_seen_is_not_judged() -> None:
    log = check("log", result(), course=replace(WELL, log_errors=None))
    assert (log.passed, log.found) == (None, "loadgen did not start the server, so its log is unknown")


@pytest.mark.parametrize("name", ["sanity", "log"])
def test_a_step_that_is_switched_off_is_not_judged(name: str) -> None:
    course = replace(WELL, sanity=None, log_errors=("panicked",))
    found = check(name, result(), SmokeLimits(sanity=False, log=False), course)
    assert (found.passed, found.found) == (None, f"switched off (smoke.{name})")


@pytest.mark.parametrize("phase", ["measure", "prefill", "warmup"])
@pytest.mark.parametrize("place", ["timeouts", "lost", "corrupt", "unfinished"])
def test_a_request_that_ends_anywhere_but_in_a_reply_is_not_completed(place: str, phase: str) -> None:
    cut = {"set": Tally(planned=1000, ok=998, hits=998, **{place: 2})}
    bad = result(tallies=cut) if phase == "measure" else result(phases={phase: Snapshot(tallies=cut)})
    found = check("completed", bad)
    assert found.passed is False
    assert found.found.endswith(f" requests: {place} 2")


def test_a_request_that_is_not_accounted_for_is_not_completed() -> None:
    found = check("completed", result(tallies={**TALLIES, "set": replace(SETS, ok=997)}))
    assert (found.passed, found.found) == (False, "of 5,000 requests: unaccounted 3")


def test_error_replies_have_a_criterion_of_their_own() -> None:
    replies = {"get": GETS, "set": Tally(planned=1000, ok=990, hits=990, errors=10)}
    bad = result(tallies=replies, measured={"errors": {"OOM": 10}}, examples={"OOM": "OOM no room"})
    assert missed(WELL, bad) == ["error replies"]
    found = check("error replies", bad)
    assert (found.found, found.limit) == ("10 (OOM: OOM no room)", "0")
    allowed = check("error replies", bad, SmokeLimits(error_replies=10))
    assert (allowed.passed, allowed.limit) == (True, "<= 10")
    assert check("error replies", bad, SmokeLimits(error_replies=9)).passed is False


def test_failed_and_lost_connections_count_alike() -> None:
    counts = {"connections": ConnectionCounts(opened=4, failed=1, closed=2), "failures": {"reset": 2, "refused": 1}}
    bad = result(measured=counts, examples={"reset": "Connection reset by peer"})
    assert missed(WELL, bad) == ["connection errors"]
    assert check("connection errors", bad).found == "3 (reset: Connection reset by peer; refused)"
    assert [check("connection errors", bad, SmokeLimits(connection_errors=n)).passed for n in (2, 3)] == [False, True]


def test_timeouts_that_are_allowed_leave_the_rest_completed() -> None:
    late = result(tallies={"get": Tally(planned=2000, ok=1998, hits=1998, timeouts=2)})
    assert missed(WELL, late) == ["completed", "timeouts"]
    for n, passed in ((1, False), (2, True)):
        assert check("timeouts", late, SmokeLimits(timeouts=n)).passed is passed
        assert check("completed", late, SmokeLimits(timeouts=n)).passed is passed


@pytest.mark.parametrize(("value_ns", "passed"), [(99_900_000, True), (100_200_000, False), (150_000_000, False)])
def test_p999_must_stay_below_its_limit(value_ns: int, passed: bool) -> None:
    found = check("p99.9", result(latency=histogram(*[value_ns] * 1000, value_ns)))
    assert (found.passed, found.limit) == (passed, "< 100 ms")


def test_a_single_slow_request_in_many_is_no_p999() -> None:
    assert check("p99.9", result(latency=histogram(*[NS_PER_MS] * 2000, 10 * NS_PER_S))).passed


def test_a_p999_that_missing_answers_could_raise_has_not_met_its_limit() -> None:
    found = check("p99.9", result(latency=histogram(*[NS_PER_MS] * 900, censored_ns=(2 * NS_PER_MS,) * 100)))
    assert found.passed is False
    assert found.found == "≥ 2 ms, and unanswered requests may raise it"


@pytest.mark.parametrize(
    ("limit", "hits", "passed"),
    [(0.0, 0, False), (0.0, 1, True), (0.5, 499, False), (0.5, 500, True), (1.0, 999, False), (1.0, 1000, True)],
)
def test_the_hit_rate_must_reach_its_limit_and_zero_asks_for_any_hit(limit: float, hits: int, passed: bool) -> None:
    gets = Tally(planned=1000, ok=1000, hits=hits, misses=1000 - hits)
    assert check("hit rate", result(tallies={"get": gets}), SmokeLimits(hit_rate=limit)).passed is passed


def sending(protocol: str = "resp", **workload: Any) -> Plan:
    """A plan with these in its workload."""
    plan = constructed_events.plan(protocol=protocol)
    return replace(plan, workload=replace(plan.workload, **workload))


@pytest.mark.parametrize(
    ("told", "limits", "why"),
    [
        ({}, SmokeLimits(hit_rate=None), "switched off (smoke.hit_rate)"),
        ({"protocol": "ping"}, SmokeLimits(), "this protocol has no GET"),
        ({"weights": Weights(set=1)}, SmokeLimits(), "this load has no GET"),
        (
            {"weights": Weights(get=1), "prefill": False},
            SmokeLimits(),
            "this load reads keys that nothing writes",
        ),
    ],
)
def test_a_hit_rate_is_asked_for_only_where_sets_precede_gets(
    told: dict[str, Any], limits: SmokeLimits, why: str
) -> None:
    plan = sending(**told)
    misses = {"get": Tally(planned=2000, ok=2000, misses=2000)}
    found = check("hit rate", result(plan=plan, tallies=misses), limits)
    assert (found.passed, found.found) == (None, why)


@pytest.mark.parametrize("told", [{"prefill": True}, {"backfill_on_miss": True}, {"weights": Weights(get=99, set=1)}])
def test_keys_that_are_written_in_any_way_must_be_hit(told: dict[str, Any]) -> None:
    plan = sending(**{"weights": Weights(get=1), "prefill": False, **told})
    misses = {"get": Tally(planned=2000, ok=2000, misses=2000)}
    assert missed(WELL, result(plan=plan, tallies=misses)) == ["hit rate"]


@pytest.mark.parametrize(("ok", "passed"), [(999, False), (1000, True)])
def test_fewer_requests_than_the_least_prove_nothing(ok: int, passed: bool) -> None:
    found = check("requests measured", result(tallies={"get": Tally(planned=ok, ok=ok, hits=ok)}))
    assert (found.passed, found.found, found.limit) == (passed, f"{ok:,}", ">= 1,000")


def test_no_request_at_all_fails_and_leaves_nothing_else_to_be_judged() -> None:
    nothing = result(tallies={}, latency=Histogram())
    assert missed(WELL, nothing) == ["requests measured"]
    assert check("p99.9", nothing).passed is None
    assert check("hit rate", nothing).passed is None


def test_an_interrupted_load_is_neither_passed_nor_failed() -> None:
    cut = result(tallies={"get": Tally(planned=10, ok=9, hits=9, unfinished=1)}, interrupted=True)
    checks = judge(SmokeLimits(), WELL, cut)
    assert [each.passed for each in checks[:4]] == [True] * 4
    assert {each.passed for each in checks[4:]} == {None}
    assert check("requests measured", cut).found == "9 before the interruption"


def test_a_worker_that_died_is_not_the_servers_fault() -> None:
    cut = {"get": Tally(planned=4000, ok=3990, hits=3990, lost=10)}
    died = result(
        tallies=cut,
        reasons=(Reason(Code.WORKER_DIED, "Worker 1 was killed by SIGKILL.", Severity.COULD_NOT_RUN),),
        signs=Signs(),
    )
    assert missed(WELL, died) == []
    assert check("completed", died).found == "Worker 1 was killed by SIGKILL."
    test = ended(WELL, died)
    assert not test.passed
    assert test.doubts
    # Had the server died, what it left open would be its own.
    assert "completed" in missed(replace(WELL, still_up=Finding(False, "killed by SIGSEGV")), died)
