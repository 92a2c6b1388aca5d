"""Tests of jobs as records, and the JSON document of those of one command. No I/O."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loadgen.errors import UsageError
from loadgen.jobs import url
from loadgen.jobs.job import Terms
from loadgen.jobs.load.account import Account
from loadgen.jobs.load.ended import (
    Cost,
    JobsBegan,
    JobsCompared,
    JobsEnded,
    JobsProgress,
    QueueInspected,
    WorkerNoted,
)
from loadgen.jobs.load.plan import Chains, JobFault, JobsPlan, Publishing, QueueSettings, Scheduling
from loadgen.record.write.monitors import monitors
from loadgen.record.write.spelling import codes, number, percent, secs, tallied, text, texts, timestamp, words
from loadgen.record.write.trial import check, fault, report, times
from loadgen.severity import Severity
from loadgen.units import NS_PER_US

_VERDICTS = {
    Severity.GOOD: "pass",
    Severity.FAILED: "fail",
    Severity.BREACHED: "fail",
    Severity.COULD_NOT_RUN: "could-not-run",
    Severity.INTERRUPTED: "interrupted",
}


def began(event: JobsBegan) -> dict[str, Any]:
    return {
        "type": "jobs-began",
        "ts": timestamp(event.wall_s),
        "number": event.number,
        "of": event.of,
        "axis": None if event.axis is None else str(event.axis),
        "queue": text(event.queue),
        "version": event.version,
        "plan": plan(event.plan),
    }


def progress(event: JobsProgress) -> dict[str, Any]:
    return {
        "type": "jobs-progress",
        "ts": timestamp(event.wall_s),
        "stage": str(event.stage),
        "acknowledged": event.acknowledged,
        "ended": event.ended,
        "expected": event.expected,
        "jobs_per_s": number(round(event.jobs_per_s, 3)),
        "elapsed_secs": number(round(event.elapsed_s, 3)),
        "left_secs": None if event.left_s is None else number(round(event.left_s, 3)),
    }


def worker(event: WorkerNoted) -> dict[str, Any]:
    return {
        "type": "jobs-worker",
        "ts": timestamp(event.wall_s),
        "worker": text(event.worker),
        "words": text(event.words),
        "t_secs": number(round(event.t_s, 6)),
    }


def ended(event: JobsEnded) -> dict[str, Any]:
    account = event.account
    return {
        "type": "jobs",
        "ts": timestamp(event.wall_s),
        "summary": _summary(event),
        "queue": text(event.queue),
        "version": event.version,
        "host": text(event.host),
        "plan": plan(event.plan),
        "counts": asdict(account.counts),
        **_account(account),
        "checks": [check(each) for each in event.checks],
        "faults": [report(each, account.first_ns) for each in event.faults],
        "cost": _cost(event.cost),
        **monitors(event.monitors),
        "operations": [
            {
                "name": text(each.name),
                "count": each.count,
                "failed": each.failed,
                "elapsed_secs": secs(each.elapsed_ns),
            }
            for each in event.operations
        ],
        "in_flight_at_kills": event.in_flight_at_kills,
        "censored_secs": None if event.censored_ns is None else secs(event.censored_ns),
        "profile": texts(event.profile),
        "said": texts(event.said),
        "reasons": words(event.reasons),
        "severities": [reason.severity.name.lower() for reason in event.reasons],
        "notes": words(event.notes),
        "codes": {"reasons": codes(event.reasons), "notes": codes(event.notes)},
        "interrupted": event.interrupted,
    }


def compared(event: JobsCompared) -> dict[str, Any]:
    return {"type": "jobs-compared", "ts": timestamp(event.wall_s), **_comparison(event)}


def inspected(event: QueueInspected) -> dict[str, Any]:
    return {"type": "jobs-inspected", "ts": timestamp(event.wall_s), **_inspection(event)}


def document(event: JobsCompared) -> dict[str, Any]:
    """Return the document: `metadata`, `summary`, and `results` with the record of each test."""
    first = event.ended[0] if event.ended else None
    answers = [_verdict(each.severity) for each in event.ended]
    return {
        "metadata": {
            "tool": "loadgen jobs",
            "version": first.version if first is not None else "",
            "host": text(first.host) if first is not None else "",
            "timestamp": timestamp(event.wall_s),
        },
        "summary": {
            "tests": len(answers),
            "verdicts": {answer: answers.count(answer) for answer in (*_ANSWERS, "cannot-tell")},
            **_comparison(event),
        },
        "results": [ended(each) for each in event.ended],
    }


def inspection(event: QueueInspected, version: str) -> dict[str, Any]:
    """Return the document of a queue's state: `metadata` and `summary`."""
    return {
        "metadata": {"tool": "loadgen jobs inspect", "version": version, "timestamp": timestamp(event.wall_s)},
        "summary": _inspection(event),
    }


_ANSWERS = dict.fromkeys(_VERDICTS.values())


def _verdict(severity: Severity) -> str:
    return _VERDICTS.get(severity, "cannot-tell")


def _summary(event: JobsEnded) -> dict[str, Any]:
    counts = event.account.counts
    return {
        "verdict": _verdict(event.severity),
        "exit_status": int(event.exit_code),
        "total_jobs": counts.attempted,
        "completed": counts.completed,
        "success_rate": percent(counts.completed / counts.attempted) if counts.attempted else None,
        "jobs_per_s": _rate(event.account),
        "lost": counts.lost,
        "duplicates": counts.duplicates,
    }


def _comparison(event: JobsCompared) -> dict[str, Any]:
    return {
        "axis": str(event.axis),
        "exit_status": int(event.exit_code),
        "rows": [_row(event, each) for each in event.ended],
        "checks": [check(each) for each in event.checks],
        "interrupted": event.interrupted,
    }


def _row(compared: JobsCompared, of: JobsEnded) -> dict[str, Any]:
    counts, reclaim, efficiency = of.account.counts, of.account.reclaim, compared.efficiency(of)
    cpu_ns = of.storage_cpu_ns_per_job
    return {
        "name": text(of.plan.name),
        "adapter": text(of.plan.adapter),
        "queue": text(of.queue),
        "workers": of.plan.workers,
        "verdict": _verdict(of.severity),
        "jobs_per_s": _rate(of.account),
        "efficiency": None if efficiency is None else round(efficiency, 4),
        "lost": counts.lost,
        "duplicates": counts.duplicates,
        "reclaim_p50_secs": secs(reclaim.quantile(0.5)) if reclaim.count else None,
        "reclaim_max_secs": secs(reclaim.max) if reclaim.count else None,
        "reclaim_censored": reclaim.censored,
        "workers_rss_bytes": of.cost.workers_rss_bytes,
        "storage_cpu_us_per_job": None if cpu_ns is None else number(round(cpu_ns / NS_PER_US, 3)),
        "pending_bytes_per_job": of.cost.pending_bytes_per_job,
    }


def _rate(account: Account) -> int | float | None:
    return None if account.jobs_per_s is None else number(round(account.jobs_per_s, 3))


def _inspection(event: QueueInspected) -> dict[str, Any]:
    return {
        "queue": text(event.queue),
        "counts": tallied(event.counts),
        "oldest_secs": event.oldest_s,
        "facts": tallied(event.facts),
        "running": [
            {
                "id": text(each.id),
                "name": text(each.name),
                "worker": text(each.worker),
                "attempt": each.attempt,
                "age_secs": each.age_s,
            }
            for each in event.running
        ],
        "older_than_secs": event.older_than_s,
        "workers": {text(name): since_s for name, since_s in event.workers.items()},
    }


def _account(of: Account) -> dict[str, Any]:
    return {
        "latency": {name: times(each) for name, each in of.latencies.items()},
        "kinds": {text(kind): times(each) for kind, each in of.of_kinds.items()},
        "unreclaimed_secs": [secs(waited_ns) for waited_ns in of.unreclaimed_ns],
        "workers": [
            {
                "worker": text(each.worker),
                "completed": each.completed,
                "executions": each.executions,
                "busy_secs": secs(each.busy_ns),
                "polls": each.polls,
            }
            for each in of.shares
        ],
        "seconds": [
            {
                "t_secs": number(round(each.t_s, 6)),
                "published": each.published,
                "completed": each.completed,
                "queueing_ns": None if each.queueing_ns is None else number(each.queueing_ns),
            }
            for each in of.seconds
        ],
        "elapsed_secs": secs(of.elapsed_ns),
        "errors": tallied(of.errors),
    }


def _cost(of: Cost) -> dict[str, Any]:
    return {
        "storage_cpu_secs": of.storage_cpu_s,
        "workers_cpu_secs": of.workers_cpu_s,
        "workers_rss_bytes": of.workers_rss_bytes,
        "pending_bytes_per_job": of.pending_bytes_per_job,
        "bytes_before": of.bytes_before,
        "bytes_most": of.bytes_most,
        "bytes_after": of.bytes_after,
        "facts": tallied(of.facts),
    }


# ── The plan ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def plan(of: JobsPlan) -> dict[str, Any]:
    return {
        "name": text(of.name),
        "title": text(of.title),
        "adapter": text(of.adapter),
        "storage": _storage(of.storage),
        "queue_name": text(of.queue_name),
        "queue": _queue(of.queue),
        "terms": _terms(of.terms),
        "publishing": _publishing(of.publishing),
        "chains": None if of.chains is None else _chains(of.chains),
        "scheduling": None if of.scheduling is None else _scheduling(of.scheduling),
        "workers": of.workers,
        "concurrency": of.concurrency,
        "namespaces": [text(name) for name in of.namespaces],
        "patience_secs": secs(of.patience_ns),
        "renews": of.renews,
        "faults": [_fault(each) for each in of.faults],
        "checks": [{"expr": text(each.expr), "level": str(each.level)} for each in of.checks],
        "shows_monitors": of.shows_monitors,
        "settings": {text(name): text(value) if isinstance(value, str) else value for name, value in of.settings},
        "seed": of.seed,
    }


def _storage(of: str) -> str:
    """Return the URL without its password."""
    try:
        return text(str(url.parse(of))) if of else ""
    except UsageError:
        return text(f"{of.partition('://')[0]}://…")


def _queue(of: QueueSettings) -> dict[str, Any]:
    return {
        "lease_secs": secs(of.lease_ns),
        "sweep_secs": secs(of.sweep_ns),
        "max_deliveries": of.max_deliveries,
        "durability": text(of.durability),
        "result_ttl_secs": secs(of.result_ttl_ns),
    }


def _terms(of: Terms) -> dict[str, Any]:
    return {
        "max_attempts": of.max_attempts,
        "timeout_secs": secs(of.timeout_ns),
        "backoff": {
            "growth": str(of.backoff.growth),
            "initial_secs": secs(of.backoff.initial_ns),
            "longest_secs": secs(of.backoff.longest_ns),
            "jitter": number(of.backoff.jitter),
        },
    }


def _publishing(of: Publishing) -> dict[str, Any]:
    return {
        "kinds": [
            {
                "jobs": each.jobs,
                "work_secs": secs(each.work_ns),
                "busy": each.busy,
                "fail_p": number(each.fail_p),
                "act": str(each.act),
                "payload_bytes": each.payload_bytes,
            }
            for each in of.kinds
        ],
        "producers": of.producers,
        "concurrency": of.concurrency,
        "batch": of.batch,
        "rate_per_s": number(of.rate_per_s),
        "submissions": of.submissions,
        "bursts": of.bursts,
        "pause_secs": secs(of.pause_ns),
        "before_workers": of.before_workers,
    }


def _chains(of: Chains) -> dict[str, Any]:
    return {
        "workflows": of.workflows,
        "steps": of.steps,
        "work_secs": secs(of.work_ns),
        "concurrency": of.concurrency,
    }


def _scheduling(of: Scheduling) -> dict[str, Any]:
    return {
        "schedules": of.schedules,
        "attempts": of.attempts,
        "updates": of.updates,
        "operations": of.operations,
        "removes": of.removes,
        "cron": text(of.cron),
        "zone": text(of.zone),
        "fires_secs": secs(of.fires_ns),
        "concurrency": of.concurrency,
    }


def _fault(of: JobFault) -> dict[str, Any]:
    return {
        "fault": fault(of.fault),
        "on_workers": of.on_workers,
        "at_share": None if of.at_share is None else number(of.at_share),
    }
