"""A smoke test's criteria: pure functions from the observations and a run's Result to a check for each criterion.

This file starts no server and no load; `smoke.test` does. A criterion that was not reached is not passed. How the log
is searched, and which bytes are a right answer, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from loadgen.command import READING
from loadgen.escape import printable
from loadgen.events import Result
from loadgen.judge.diagnosis import because
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.smoke.check import Check
from loadgen.smoke.limits import SmokeLimits
from loadgen.smoke.observed import Finding, Observed
from loadgen.snapshot import Snapshot
from loadgen.units import percent_beside, span

CRITERIA = (
    "server up",
    "sanity",
    "still up",
    "log",
    "completed",
    "connection errors",
    "timeouts",
    "error replies",
    "p99.9",
    "hit rate",
    "requests measured",
)
"""The names of a smoke test's checks, in their order."""

_OF_THE_LOAD = CRITERIA[4:]


def judge(limits: SmokeLimits, course: Observed, result: Result | None = None) -> tuple[Check, ...]:
    """Return a check for each of CRITERIA, in their order, from a test's observations and its load's result, if any."""
    return (*_steps(limits, course), *(_no_load(course) if result is None else _load(limits, result, course)))


def _steps(limits: SmokeLimits, course: Observed) -> Iterator[Check]:
    yield _step("server up", course.up, course.not_reached_because)
    yield _step("sanity", course.sanity, course.not_reached_because if limits.sanity else "switched off (smoke.sanity)")
    yield _step("still up", course.still_up, course.not_reached_because)
    yield _log(limits, course)


def _step(name: str, finding: Finding | None, otherwise: str) -> Check:
    return Check(name, finding.good, finding.words) if finding is not None else Check(name, None, otherwise)


def _log(limits: SmokeLimits, course: Observed) -> Check:
    if not limits.log:
        return Check("log", None, "switched off (smoke.log)")
    if course.log_errors is None:
        reached = course.still_up is not None
        words = "loadgen did not start the server, so its log is unknown" if reached else course.not_reached_because
        return Check("log", None, words)
    if not course.log_errors:
        return Check("log", True, "no error")
    others = f", and {len(course.log_errors) - 1:,} more" if len(course.log_errors) > 1 else ""
    return Check("log", False, f'"{printable(course.log_errors[0])}"{others}')


def _no_load(course: Observed) -> Iterator[Check]:
    for name in _OF_THE_LOAD:
        failed = name == "completed" and course.failure
        yield Check(name, False, course.failure) if failed else Check(name, None, course.not_reached_because)


def _load(limits: SmokeLimits, result: Result, course: Observed) -> Iterator[Check]:
    # The precheck, prefill and warm-up are load on the server too: their failures count.
    everything = sum((s for phase, s in result.phases.items() if phase != Phase.MEASURE), result.measured)
    checks = (
        _completed(limits, everything, result, course),
        _connection_errors(limits, everything, result),
        _most("timeouts", sum(tally.timeouts for tally in everything.tallies.values()), limits.timeouts),
        _error_replies(limits, everything, result),
        _p999(limits, result.measured),
        _hit_rate(limits, result.plan, result.measured),
        _requests(limits, result.measured),
    )
    for check in checks:
        if result.interrupted and check.passed is not None:
            yield replace(check, passed=None, found=f"{check.found} before the interruption")
        else:
            yield check


def _most(name: str, count: int, limit: int, why: str = "") -> Check:
    return Check(name, count <= limit, f"{count:,}{why}", f"<= {limit:,}" if limit else "0")


def _completed(limits: SmokeLimits, everything: Snapshot, result: Result, course: Observed) -> Check:
    """Check that every request was answered. Allowed timeouts, and error replies, have criteria of their own."""
    alive = course.still_up is not None and course.still_up.good
    if alive and result.failure and len(result.signs.workers) < len(result.plan.workers):
        # The server is not to blame for the requests in flight in a worker that died.
        return Check("completed", None, result.failure)
    tallies = everything.tallies.values()
    timeouts = sum(tally.timeouts for tally in tallies)
    open_ends = {
        "timeouts": timeouts if timeouts > limits.timeouts else 0,
        "lost": sum(tally.lost for tally in tallies),
        "corrupt": sum(tally.corrupt for tally in tallies),
        "unfinished": sum(tally.unfinished for tally in tallies),
        "unaccounted": result.unaccounted,
    }
    listed = ", ".join(f"{name} {count:,}" for name, count in open_ends.items() if count)
    planned = sum(tally.planned for tally in tallies)
    return Check("completed", not listed, f"of {planned:,} requests: {listed}" if listed else f"all {planned:,}")


def _connection_errors(limits: SmokeLimits, everything: Snapshot, result: Result) -> Check:
    counts = everything.connections
    why = because(everything.failures, result.examples)
    return _most("connection errors", counts.failed + counts.closed, limits.connection_errors, why)


def _error_replies(limits: SmokeLimits, everything: Snapshot, result: Result) -> Check:
    count = sum(tally.errors for tally in everything.tallies.values())
    return _most("error replies", count, limits.error_replies, because(everything.errors, result.examples))


def _p999(limits: SmokeLimits, measured: Snapshot) -> Check:
    """Check the p99.9 of the good replies. Failed requests have criteria of their own, which may allow them."""
    limit = f"< {span(limits.p999_ns)}"
    good = measured.good_latency("all")
    if not good.count:
        failed = measured.tally("all").failed
        return Check("p99.9", None, "no request got a good reply" if failed else "no request was measured", limit)
    value, is_lower_bound = good.quantile(0.999), good.is_lower_bound(0.999)
    found = f"{'≥ ' * is_lower_bound}{span(value)}"
    if is_lower_bound and value <= limits.p999_ns:
        found += ", and unanswered requests may raise it"
    return Check("p99.9", value <= limits.p999_ns and not is_lower_bound, found, limit)


def _hit_rate(limits: SmokeLimits, plan: Plan, measured: Snapshot) -> Check:
    why_not = _no_hits_asked(limits, plan)
    hits, misses = measured.lookups
    answered = hits + misses
    if not why_not and not answered:
        why_not = "no GET got a good reply"
    if why_not or limits.hit_rate is None:
        return Check("hit rate", None, why_not)
    share = hits / answered
    shown, limit = percent_beside(share, limits.hit_rate)
    found = f"{shown} ({hits:,} of {answered:,} {'GETs' if not measured.tally('mget').ok else 'keys'})"
    if not limits.hit_rate:
        return Check("hit rate", share > 0, found, "> 0")
    return Check("hit rate", share >= limits.hit_rate, found, f">= {limit}")


def _no_hits_asked(limits: SmokeLimits, plan: Plan) -> str:
    """Return why no GET needs to hit; empty when one does."""
    if limits.hit_rate is None:
        return "switched off (smoke.hit_rate)"
    if not plan.target.speaks.has_keys:
        return "this protocol has no GET"
    if not any(plan.workload.weights[name] for name in READING):
        return "this load has no GET"
    if not (plan.workload.weights["set"] or plan.workload.prefill or plan.workload.backfill_on_miss):
        return "this load reads keys that nothing writes"
    return ""


def _requests(limits: SmokeLimits, measured: Snapshot) -> Check:
    ok = measured.total.ok
    return Check("requests measured", ok >= limits.requests, f"{ok:,}", f">= {limits.requests:,}")
