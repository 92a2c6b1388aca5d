"""The checks that every test of jobs has, by name: what a durable queue promises, and the red flags. Pure functions.

A check that says nothing about a test, such as shares of one worker, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from loadgen.faults.kinds import KINDS
from loadgen.jobs.load import metrics
from loadgen.jobs.load.ended import JobsEnded
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import FAIR_JOBS, JobFault, JobsPlan, Kind
from loadgen.jobs.load.work import Act
from loadgen.judge.check import Level
from loadgen.judge.named import Check
from loadgen.stats import chi_square
from loadgen.stats.growth import drift, growth
from loadgen.units import NS_PER_S, span

UNFAIR = 0.2
"""The share by which a worker may be off its fair share, as in upstream's guide."""

GROWTH_LIMIT = 10e6
"""Bytes an hour by which the memory of the workers may grow: the limit of upstream's bands."""

DRIFT_LIMIT = 0.5
"""The share of its median by which queueing may grow over a test."""

LONG_NS = 300 * NS_PER_S
"""From this length on, a trend that cannot be told leaves the test without an answer."""

SLACK_NS = NS_PER_S
"""What a job may take to begin again beyond lease and sweep."""

LEAST_EFFICIENCY = 0.8
MOST_SCALED = 10
"""The workers up to which throughput is to grow in proportion, as upstream's guide says."""

BUSY = 0.85
"""The share of all CPU time from which on the machine, and not the queue, is taken to limit the throughput."""

_SIGMAS = 4.0
"""How many standard deviations a count of failures may be off: chance is once in 16,000 times."""

_LOSING = frozenset({"power_cut", "torn_tail", "bit_flip", "crash_mid_write"})
"""The kinds of faults that may take back what a storage has acknowledged."""


def judged(evidence: Evidence) -> tuple[Check, ...]:
    """Return the checks by name that apply, in the order of NAMES, and those of the file after them."""
    named = (check for judge in _CHECKS.values() if (check := judge(evidence)) is not None)
    return (*named, *metrics.judged(evidence))


# ── What a queue promises ─────────────────────────────────────────────────────────────────────────────────────────────


def _lost(evidence: Evidence) -> Check:
    counts = evidence.account.counts
    return Check("lost", not counts.lost, f"{counts.lost:,} of {_jobs(counts.acknowledged)} acknowledged", "0")


def _stuck(evidence: Evidence) -> Check:
    """No job is left over when the patience ends: neither executing nor kept by a worker that is dead."""
    counts = evidence.account.counts
    waits = evidence.account.unreclaimed_ns
    found = _jobs(counts.stuck)
    if counts.held:
        found += f", and {_jobs(counts.held)} that a worker kept and never began"
    if waits:
        found += f"; {len(waits):,} of a worker that died began again in more than {span(max(waits))}, if ever"
    return Check("stuck", not counts.stuck + counts.held, found, "0")


def _unexpected(evidence: Evidence) -> Check:
    unexpected = evidence.account.counts.unexpected
    return Check("unexpected", not unexpected, f"{_jobs(unexpected)} executed that nobody published", "0")


def _published(evidence: Evidence) -> Check | None:
    """Every publish is acknowledged, as long as nothing is done to the storage."""
    counts = evidence.account.counts
    if evidence.on_storage or not counts.attempted:
        return None
    found = f"{counts.publish_failed:,} of {counts.attempted:,} failed"
    return Check("published", not counts.publish_failed, found, "0")


def _duplicate_effects(evidence: Evidence) -> Check:
    duplicates = evidence.account.counts.duplicate_effects
    return Check("duplicate effects", not duplicates, f"{duplicates:,} ends beyond a job's first", "0")


def _duplicate_executions(evidence: Evidence) -> Check:
    """A job is executed once more for each worker that was killed or paused with it, and else once."""
    plan, found = evidence.plan, evidence.account.counts.duplicate_executions
    name, words = "duplicate executions", f"{found:,} beyond the first, and beyond one after each failure"
    if any(takes_back(fault, plan) for fault in evidence.on_storage):
        return Check(name, None, f"{words}; the fault may take back what was acknowledged", vital=False)
    limit, why = 0, ""
    if evidence.on_workers or any(kind.act in (Act.KILL, Act.HANG) for kind in plan.publishing.kinds):
        limit, why = evidence.in_flight_at_kills, ": jobs in flight when workers were killed or paused"
    if evidence.on_storage:
        spells = sum(fault.fault.times for fault in evidence.on_storage)
        limit += spells * plan.workers * plan.concurrency
        why = ": jobs in flight when faults came"
    return Check(name, found <= limit, words, f"≤ {limit:,}{why}" if limit else "0")


def takes_back(each: JobFault, plan: JobsPlan) -> bool:
    """Return True for a fault after which a storage may be without what it has acknowledged."""
    fault = each.fault
    if fault.kind in ("kill", "oom") and fault.parameters.get("data") != "gone":
        # SIGKILL leaves what was written to the kernel; without a file nothing was.
        return plan.adapter != "sqlite" and plan.queue.durability in ("", "none")
    safe = ("", "full") if plan.adapter == "sqlite" else ("always",)
    return fault.kind in ("kill", "torn_tail", "bit_flip") or (
        fault.kind in _LOSING and plan.queue.durability not in safe
    )


def _reclaim(evidence: Evidence) -> Check | None:
    """A queue of ours begins the jobs of a dead worker again within lease, sweep and a second."""
    plan, account = evidence.plan, evidence.account
    if not any(each.fault.kind == "kill" for each in evidence.on_workers) or evidence.on_storage:
        return None
    limit_ns = plan.queue.lease_ns + plan.queue.sweep_ns + SLACK_NS
    limit = f"≤ {span(limit_ns)}" if plan.is_ours else ""
    found = account.latencies.get("reclaim")
    if account.unreclaimed_ns:
        longest_ns = max(account.unreclaimed_ns)
        passed = False if plan.is_ours and longest_ns > limit_ns else None
        return Check("reclaim", passed, f"> {span(longest_ns)}", limit, vital=plan.is_ours)
    if found is None:
        words = "no job was in flight when a worker was killed"
        return Check("reclaim", None, words, limit, vital=False)
    passed = found.max <= limit_ns if plan.is_ours else None
    return Check("reclaim", passed, f"{span(found.max)} at most, of {_jobs(found.count)}", limit, vital=plan.is_ours)


def _fired_once(evidence: Evidence) -> Check | None:
    if evidence.plan.scheduling is None or not evidence.plan.scheduling.fires_ns:
        return None
    counts = evidence.account.counts
    found = f"{counts.double_fired:,} of {counts.fired:,} firings were for a time that had fired"
    return Check("fired once", not counts.double_fired, found, "0")


# ── The storage ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _storage_locks(evidence: Evidence) -> Check:
    locks = evidence.account.counts.locks
    return Check("storage locks", not locks, f"locked for too long {locks:,} {'time' if locks == 1 else 'times'}", "0")


def _storage_errors(evidence: Evidence) -> Check | None:
    if evidence.on_storage:
        return None
    errors = evidence.account.counts.storage_errors
    first = next(iter(evidence.account.errors), "")
    words = f"{errors:,}{f', such as: {first}' if errors and first else ''}"
    return Check("storage errors", not errors, words, "0")


# ── Workers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _shares(evidence: Evidence) -> Check | None:
    """Each worker completes its fair share, where chance alone cannot take a fifth of it away.

    Workers that wait for jobs need not share them evenly, nor do those that find a storage again at different times:
    there the answer has no consequence.
    """
    completed = [*evidence.completed()]
    if len(completed) < 2 or evidence.on_workers or (fair := sum(completed) / len(completed)) < FAIR_JOBS:
        return None
    least, most = min(completed) / fair, max(completed) / fair
    statistic, p = chi_square.even(completed)
    found = (
        f"{_off(least)} to {_off(most)} of a fair {fair:,.0f} jobs; χ² = {statistic:.3g}, "
        f"p = {p:.2g}{'' if p >= 1e-3 else ': workers differ by more than chance'}"
    )
    is_even = least >= 1 - UNFAIR and most <= 1 + UNFAIR
    waits = evidence.plan.publishing.rate_per_s or evidence.plan.chains or evidence.plan.faults
    level = Level.NICE if waits else None
    return Check("shares", is_even, found, f"±{UNFAIR:.0%}".replace("%", " %"), level=level)


def _off(share: float) -> str:
    """Return a share relative to the fair one: "−4 %", "+11 %"."""
    percent = round(100 * (share - 1))
    return f"{'+' if percent > 0 else '−' if percent < 0 else ''}{abs(percent)} %"


# ── Failures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _attempts(evidence: Evidence) -> Check | None:
    """Executions per job are as many as the probability of a failure makes."""
    expected = _expected_of(evidence)
    counts = evidence.account.counts
    if expected is None or not counts.executed:
        return None
    mean, spread = expected[0] / expected[2], math.sqrt(expected[1]) / expected[2]
    margin = _SIGMAS * spread
    found = counts.attempts_per_job
    return Check("attempts", abs(found - mean) <= margin, f"{found:.3f} per job", f"{mean:.3f} ± {margin:.2g}")


def _dead_share(evidence: Evidence) -> Check | None:
    """As many jobs fail in all of their attempts as the probability of a failure makes."""
    counts = evidence.account.counts
    if _expected_of(evidence) is None or not counts.executed:
        return None
    attempts = evidence.plan.terms.max_attempts
    mean = variance = 0.0
    jobs = evidence.plan.jobs
    for kind in evidence.plan.publishing.kinds:
        p = _failure(kind) ** attempts
        mean += kind.jobs * p
        variance += kind.jobs * p * (1 - p)
    margin = _SIGMAS * math.sqrt(variance) / jobs
    found = counts.dead / counts.executed
    limit = f"{100 * mean / jobs:.1f} ± {100 * margin:.1f} %"
    return Check("dead share", abs(found - mean / jobs) <= margin, f"{100 * found:.1f} %", limit)


def _expected_of(evidence: Evidence) -> tuple[float, float, int] | None:
    """Return mean and variance of the executions of all jobs, and the jobs. None where failures are not by chance, or
    faults make further executions."""
    plan = evidence.plan
    kinds = plan.publishing.kinds
    if plan.faults or not any(kind.fail_p for kind in kinds) or any(kind.act is Act.KILL for kind in kinds):
        return None
    mean, variance = float(plan.jobs - plan.publishing.jobs), 0.0
    attempts = plan.terms.max_attempts
    for kind in kinds:
        p = _failure(kind)
        chances = [(n, p ** (n - 1) * (1.0 if n == attempts else 1 - p)) for n in range(1, attempts + 1)]
        first = math.fsum(n * chance for n, chance in chances)
        mean += kind.jobs * first
        variance += kind.jobs * (math.fsum(n * n * chance for n, chance in chances) - first**2)
    return mean, max(0.0, variance), plan.jobs


def _failure(kind: Kind) -> float:
    """Return the probability with which an execution of a job of a kind fails."""
    return kind.fail_p if kind.act is Act.WORK else 1.0


def _backoff(evidence: Evidence) -> Check | None:
    """Failed jobs wait for as long as the backoff says."""
    counts, plan = evidence.account.counts, evidence.plan
    if not plan.is_ours or not counts.failures:
        return None
    wrong = counts.waits_outside + counts.retries_early
    found = f"{counts.waits_outside:,} waits outside the backoff, {counts.retries_early:,} begun too early"
    return Check("backoff", not wrong, f"{found}, of {counts.failures:,} failures", "0")


# ── Faults and trends ─────────────────────────────────────────────────────────────────────────────────────────────────


def _faults_fired(evidence: Evidence) -> Check | None:
    """Every fault took effect. A fault without effect shows nothing of a queue."""
    if not evidence.plan.faults:
        return None
    reports, planned = evidence.faults, len(evidence.plan.faults)
    wrong = [
        f"{report.fault.kind}: {report.failure or f'{KINDS[report.fault.kind].counts} {report.counted}'}"
        for report in reports
        if not report.fired
    ]
    if planned > len(reports):
        wrong.append(f"{planned - len(reports)} of {planned} did not begin")
    if wrong:
        return Check("faults fired", None, "; ".join(wrong), "every fault")
    did = (f"{report.fault.kind}: {KINDS[report.fault.kind].counts} {report.counted}" for report in reports)
    return Check("faults fired", True, "; ".join(did), "every fault")


def _memory(evidence: Evidence) -> Check:
    """The workers' memory has no trend. A test of some seconds cannot tell."""
    seconds = [at_s for at_s, _ in evidence.memory]
    found = growth(seconds, [size for _, size in evidence.memory], seed=1).per(3600.0)
    exceeds = found.exceeds(GROWTH_LIMIT)
    limit = f"≤ {GROWTH_LIMIT / 1e6:g} MB/h"
    if exceeds is None:
        why = found.why_not or f"{found.low / 1e6:.3g} to {found.high / 1e6:.3g} MB/h"
        return Check("memory", None, f"cannot tell: {why}", limit, vital=_is_long(evidence))
    return Check("memory", not exceeds, f"growth of {found.low / 1e6:.3g} to {found.high / 1e6:.3g} MB/h", limit)


def _latency(evidence: Evidence) -> Check:
    """The queueing latency has no trend, where jobs come at a rate: without one the backlog is the test's own."""
    limit = f"≤ {100 * DRIFT_LIMIT:g} % over the test"
    if not evidence.plan.publishing.rate_per_s:
        return Check("latency", None, "cannot tell: jobs are published without a rate", limit, vital=False)
    if evidence.plan.faults:
        return Check("latency", None, "cannot tell: faults are what latency shows", limit, vital=False)
    points = [(each.t_s, each.queueing_ns) for each in evidence.account.seconds[1:-1] if each.queueing_ns is not None]
    found = drift([at_s for at_s, _ in points], [value for _, value in points], seed=1)
    exceeds = found.exceeds(DRIFT_LIMIT)
    change = f"queueing changed by {_in_percent(found.low)} to {_in_percent(found.high)}"
    if exceeds is None:
        return Check("latency", None, f"cannot tell: {found.why_not or change}", limit, vital=_is_long(evidence))
    return Check("latency", not exceeds, change, limit)


def _in_percent(share: float) -> str:
    return f"{100 * share:.3g} %".replace("-", "−")


def _is_long(evidence: Evidence) -> bool:
    return evidence.account.elapsed_ns >= LONG_NS


def _jobs(count: int) -> str:
    return f"{count:,} job{'s' * (count != 1)}"


_CHECKS: Mapping[str, Callable[[Evidence], Check | None]] = {
    "lost": _lost,
    "stuck": _stuck,
    "unexpected": _unexpected,
    "published": _published,
    "duplicate effects": _duplicate_effects,
    "duplicate executions": _duplicate_executions,
    "reclaim": _reclaim,
    "fired once": _fired_once,
    "storage errors": _storage_errors,
    "storage locks": _storage_locks,
    "shares": _shares,
    "attempts": _attempts,
    "dead share": _dead_share,
    "backoff": _backoff,
    "faults fired": _faults_fired,
    "memory": _memory,
    "latency": _latency,
}

NAMES = (*_CHECKS, "scaling")
"""Every check by name, in the order of outputs; `scaling` is one over several tests."""


# ── Several tests ─────────────────────────────────────────────────────────────────────────────────────────────────────


def scaling(ended: Sequence[JobsEnded], cpus: int) -> tuple[Check, ...]:
    """Return the check of a sweep over numbers of workers: up to 10, throughput grows in proportion to them.

    Where it does not and the machine's CPUs were busy, that cannot be told. Nothing for a sweep without two numbers.
    """
    known = sorted((each for each in ended if each.plan.workers <= MOST_SCALED), key=lambda each: each.plan.workers)
    if len({each.plan.workers for each in known}) < 2:
        return ()
    first, last = known[0], known[-1]
    fewest, base = first.plan.workers, first.account.jobs_per_s
    workers, rate = last.plan.workers, last.account.jobs_per_s
    limit = f"≥ {LEAST_EFFICIENCY:g} at {workers} workers"
    if not base or not rate:
        return (Check("scaling", None, "a test completed no job", limit),)
    efficiency = (rate / workers) / (base / fewest)
    found = f"{efficiency:.2f}: {rate:,.4g} jobs/s with {workers} workers, {base:,.4g} with {fewest}"
    passed: bool | None = efficiency >= LEAST_EFFICIENCY
    cpu_s = (last.cost.storage_cpu_s or 0.0) + (last.cost.workers_cpu_s or 0.0)
    if not passed and cpu_s >= BUSY * cpus * last.account.elapsed_ns / NS_PER_S:
        passed = None
        found += f"; the machine's {cpus} CPUs were busy, so it cannot tell"
    return (Check("scaling", passed, found, limit),)
