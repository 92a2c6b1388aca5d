"""Remarks on a test of jobs: what limits its throughput, why jobs are stuck or shares uneven, each with its remedy.

Pure functions. A remark is a sentence for users: the fact, the cause, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from loadgen.jobs.load.checks import BUSY, UNFAIR, takes_back
from loadgen.jobs.load.ended import CONNECTION_LIMIT, CONNECTIONS
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import FAIR_JOBS
from loadgen.reason import Code, Reason
from loadgen.units import NS_PER_S, format_duration, span

NEAR = 0.8
"""The share of its bound from which on a test has reached the bound."""

SLOW = 1.5
"""How many times as long as the others' a worker's executions take when the worker is called slow."""

CROWDED = 0.9
"""The share of the storage's connections from which on they are nearly used up."""

KEPT_UP = 0.05
"""The share of a test in which the last jobs ended after the last publish, below which workers waited for jobs."""


def remarks(evidence: Evidence) -> tuple[Reason, ...]:
    """Return the remarks on a test, the gravest subject first."""
    return tuple(Reason(code, words) for code, remark in _REMARKS for words in [remark(evidence)] if words)


def bound_per_s(evidence: Evidence) -> float | None:
    """Return the jobs per second that the workers can execute at most, by the jobs' own work; None for no work."""
    plan = evidence.plan
    work_ns = sum(kind.jobs * kind.work_ns for kind in plan.publishing.kinds)
    if plan.chains is not None:
        work_ns += plan.chains.workflows * plan.chains.steps * plan.chains.work_ns
    if not work_ns:
        return None
    # A job is executed as often as it is attempted, and completes once.
    attempts = max(1.0, evidence.account.counts.attempts_per_job)
    return plan.workers * plan.concurrency * plan.jobs * NS_PER_S / (work_ns * attempts)


def _stuck(evidence: Evidence) -> str:
    counts, plan = evidence.account.counts, evidence.plan
    left = counts.stuck + counts.held
    if not left:
        return ""
    patience = format_duration(plan.patience_ns)
    fact = f"{left:,} job{'s' * (left != 1)} had not ended when the patience of {patience} was over"
    look = "loadgen jobs inspect QUEUE --older-than 5m lists the running jobs with their workers"
    if evidence.account.unreclaimed_ns or counts.held:
        cause = "a worker went away before it acknowledged them"
        if plan.is_ours:
            lease = format_duration(plan.queue.lease_ns)
            found = f"sweeps find them after the lease of {lease} while a worker lives: see that workers live and sweep"
        else:
            found = f"{plan.adapter} finds such jobs after a time of its own: docs/JOBS.md has its settings"
        return f"{fact}: {cause}; {found}, or wait longer by --patience; {look}"
    if plan.terms.timeout_ns == 0:
        return f"{fact}: they may hang, as they have no timeout; give them one by [terms] timeout; {look}"
    return f"{fact}: workers still execute them, or their ends were not acknowledged; see the workers' errors; {look}"


def _locked(evidence: Evidence) -> str:
    locks = evidence.account.counts.locks
    said = next((words for words in evidence.account.errors if "locked" in words), "")
    if not locks and not said:
        return ""
    times = f"{locks:,} time{'s' * (locks != 1)}" if locks else "at least once"
    return (
        f'the storage was locked for too long {times} ("database is locked"): {evidence.plan.workers} workers and '
        f"{evidence.plan.publishing.producers} producers write to one file, and one at a time; see that its journal is "
        "in WAL mode, take fewer workers with a higher concurrency each, or a queue on Redis"
    )


def _loses(evidence: Evidence) -> str:
    plan = evidence.plan
    faults = [each.fault.kind for each in evidence.on_storage if takes_back(each, plan)]
    if not faults:
        return ""
    durability = plan.queue.durability or ("full" if plan.adapter == "sqlite" else "none")
    safe = "full" if plan.adapter == "sqlite" else "always"
    remedy = f'; [queue] durability = "{safe}" keeps them' if durability != safe else ""
    return f"{', '.join(faults)} with durability {durability} may take back jobs that were acknowledged{remedy}"


def _uneven(evidence: Evidence) -> str:
    completed = [*evidence.completed()]
    fair = sum(completed) / len(completed)
    if len(completed) < 2 or fair < FAIR_JOBS or evidence.on_workers:
        return ""
    off = [number for number, count in enumerate(completed, 1) if abs(count - fair) > UNFAIR * fair]
    if not off:
        return ""
    shares = {share.worker: share for share in evidence.account.shares}
    worst = min(off, key=lambda number: completed[number - 1])
    fact = f"worker {worst} completed {completed[worst - 1]:,} jobs of a fair {fair:,.0f}"
    its = shares.get(str(worst))
    others = [share for name, share in shares.items() if name != str(worst)]
    if its is None:
        return f"{fact}: it never began one; see whether it started, and looks at this queue"
    polls = [share.polls for share in others if share.polls]
    if polls and its.polls < median(polls) / 2:
        return (
            f"{fact}: it asked for jobs {its.polls:,} times, and the others {median(polls):,.0f} times; see whether it "
            "is held up between two claims, or waits too long before it asks again"
        )
    lengths = [share.busy_ns / share.executions for share in others if share.executions]
    its_length = its.busy_ns / its.executions if its.executions else 0.0
    if lengths and its_length > SLOW * median(lengths):
        return (
            f"{fact}: its executions took {span(its_length)}, and the others' {span(median(lengths))}; see what else "
            "runs on its host, and whether it has a CPU"
        )
    return (
        f"{fact}: its executions are as quick as the others'; see whether some workers claim more jobs at once than "
        "they execute, or were ready later"
    )


def _bound(evidence: Evidence) -> str:
    """Say what limits the throughput: the rate, the jobs, a CPU, or the storage."""
    account, cost, plan = evidence.account, evidence.cost, evidence.plan
    rate = account.jobs_per_s
    if not rate or not plan.jobs or evidence.elapsed_s <= 0:
        return ""
    reached = f"{rate:,.4g} jobs/s"
    if plan.publishing.rate_per_s or plan.publishing.bursts > 1 or plan.faults:
        # Then the jobs come as slowly as the test wants, or faults hold them up.
        return ""
    most = bound_per_s(evidence)
    if most is not None and rate >= NEAR * most:
        return (
            f"{reached} of at most {most:,.4g}, which the jobs' own work leaves to {_slots(evidence)}: the jobs are "
            "the limit; more workers or a higher concurrency raise it"
        )
    of = f"{reached} of at most {most:,.4g} by the jobs' own work" if most is not None else reached
    drain_ns = account.last_ns - account.published_ns
    if account.published_ns and drain_ns < KEPT_UP * account.elapsed_ns:
        return (
            f"{of}: the publishes are the limit, as workers had ended each job soon after it was published; more "
            "producers, a higher concurrency of theirs or larger batches raise it"
        )
    if cost.storage_cpu_s is None and cost.workers_cpu_s is None:
        return f"{of}: what limits it is not known, as CPU times were not measured"
    storage, workers = ((each or 0.0) / evidence.elapsed_s for each in (cost.storage_cpu_s, cost.workers_cpu_s))
    # A file has no server.
    used = {"the storage": cost.storage_cpu_s, "the workers": cost.workers_cpu_s}
    known = (f"{who} used {cpu_s / evidence.elapsed_s:.2f}" for who, cpu_s in used.items() if cpu_s is not None)
    cpu = f"of {evidence.cpus} CPUs, {' and '.join(known)}"
    if storage + workers >= BUSY * evidence.cpus:
        return f"{of}: the machine's CPUs are the limit ({cpu}); run the workers on other machines, or fewer of them"
    if storage >= BUSY:
        return f"{of}: the storage is the limit, as it used up its CPU ({cpu}); larger batches ask less of it"
    if workers >= BUSY * plan.workers:
        return f"{of}: each worker is the limit, as it used up a CPU ({cpu}); more workers raise it"
    wait = "for its disk and its lock" if plan.adapter == "sqlite" else "for round trips to it"
    return (
        f"{of}: the storage is the limit, by the waits {wait}, as CPUs were free ({cpu}); larger batches, a higher "
        "concurrency, or a durability that waits less for the disk raise it"
    )


def _slots(evidence: Evidence) -> str:
    workers, at_once = evidence.plan.workers, evidence.plan.concurrency
    return f"{workers:,} worker{'s' * (workers != 1)} of {at_once:,} job{'s' * (at_once != 1)} at once"


def _crowded(evidence: Evidence) -> str:
    facts = evidence.cost.facts
    used, limit = facts.get(CONNECTIONS, 0), facts.get(CONNECTION_LIMIT, 0)
    if not limit or used < CROWDED * limit:
        return ""
    return (
        f"the storage had {used:,} connections of at most {limit:,}: further workers are refused; raise its limit "
        "(maxclients), or have more jobs executed at once by fewer workers"
    )


_REMARKS: tuple[tuple[Code, Callable[[Evidence], str]], ...] = (
    (Code.JOBS_STUCK, _stuck),
    (Code.STORAGE_LOCKED, _locked),
    (Code.STORAGE_LOSES, _loses),
    (Code.STORAGE_FULL, _crowded),
    (Code.SHARES_UNEVEN, _uneven),
    (Code.JOBS_BOUND, _bound),
)
