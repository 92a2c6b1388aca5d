"""Tests of jobs from their records. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadgen.events import Event
from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.job import Terms
from loadgen.jobs.load.account import Account, Counts, Second, Share
from loadgen.jobs.load.ended import (
    Axis,
    Cost,
    JobsBegan,
    JobsCompared,
    JobsEnded,
    JobsProgress,
    Operations,
    QueueInspected,
    RunningJob,
    Stage,
    WorkerNoted,
)
from loadgen.jobs.load.plan import Chains, JobFault, JobsPlan, Kind, Publishing, QueueSettings, Scheduling
from loadgen.jobs.load.work import Act
from loadgen.judge.check import Check, Level
from loadgen.record.read.fields import Fields
from loadgen.record.read.monitors import monitors
from loadgen.record.read.reasons import reasons
from loadgen.record.read.trial import check, fault, histogram, report
from loadgen.severity import Severity


def event(record: Fields, ended: Sequence[JobsEnded]) -> Event | None:
    """Return the event of a record; None for a record of another kind. `ended` are the tests of the command so far."""
    match record.name:
        case "jobs-began":
            axis = record.get("axis", None)
            return JobsBegan(
                plan(record.part("plan")),
                record.text("queue"),
                record.text("version"),
                record.count("number"),
                record.count("of"),
                None if axis is None else Axis(axis),
                record.wall_s(),
            )
        case "jobs-progress":
            return JobsProgress(
                Stage(record.text("stage")),
                record.count("acknowledged"),
                record.count("ended"),
                record.count("expected"),
                record.number("jobs_per_s"),
                record.get("left_secs", None),
                record.number("elapsed_secs"),
                record.wall_s(),
            )
        case "jobs-worker":
            return WorkerNoted(record.text("worker"), record.text("words"), record.number("t_secs"), record.wall_s())
        case "jobs":
            return _ended(record)
        case "jobs-compared":
            checks = tuple(map(check, record.parts("checks")))
            interrupted = bool(record.get("interrupted", False))
            return JobsCompared(Axis(record.text("axis")), tuple(ended), checks, interrupted, record.wall_s())
        case "jobs-inspected":
            return _inspected(record)
        case _:
            return None


def _ended(record: Fields) -> JobsEnded:
    return JobsEnded(
        plan(record.part("plan")),
        record.text("queue"),
        record.text("version"),
        _account(record),
        checks=tuple(map(check, record.parts("checks"))),
        faults=tuple(map(report, record.parts("faults"))),
        cost=_cost(record.part("cost")),
        monitors=monitors(record),
        operations=tuple(
            Operations(each.text("name"), each.count("count"), each.count("failed"), each.ns("elapsed_secs"))
            for each in record.parts("operations")
        ),
        in_flight_at_kills=record.count("in_flight_at_kills"),
        censored_ns=None if record.get("censored_secs", None) is None else record.ns("censored_secs"),
        profile=record.texts("profile"),
        said=record.texts("said"),
        reasons=tuple(
            replace(reason, severity=Severity[severity.upper()])
            for reason, severity in zip(reasons(record, "reasons"), record.texts("severities"), strict=True)
        ),
        notes=reasons(record, "notes"),
        host=record.text("host"),
        interrupted=bool(record.get("interrupted", False)),
        wall_s=record.wall_s(),
    )


def _account(record: Fields) -> Account:
    """Return the account, whose clock starts at 0 with the first publish."""
    counts, latency, kinds = record.part("counts"), record.part("latency"), record.part("kinds")
    return Account(
        counts=Counts(**{name: counts.count(name) for name in Counts.__dataclass_fields__}),
        latencies={str(name): histogram(latency.part(name)) for name in latency.values},
        of_kinds={str(kind): histogram(kinds.part(kind)) for kind in kinds.values},
        unreclaimed_ns=tuple(round(float(waited_s) * 1e9) for waited_s in record.get("unreclaimed_secs", ())),
        shares=tuple(
            Share(
                each.text("worker"),
                each.count("completed"),
                each.count("executions"),
                each.ns("busy_secs"),
                each.count("polls"),
            )
            for each in record.parts("workers")
        ),
        seconds=tuple(
            Second(
                each.number("t_secs"), each.count("published"), each.count("completed"), each.get("queueing_ns", None)
            )
            for each in record.parts("seconds")
        ),
        last_ns=record.ns("elapsed_secs"),
        errors={str(words): int(count) for words, count in record.get("errors", {}).items()},
    )


def _cost(record: Fields) -> Cost:
    return Cost(
        record.get("storage_cpu_secs", None),
        record.get("workers_cpu_secs", None),
        record.get("workers_rss_bytes", None),
        record.get("pending_bytes_per_job", None),
        record.get("bytes_before", None),
        record.get("bytes_most", None),
        record.get("bytes_after", None),
        {str(name): int(value) for name, value in record.get("facts", {}).items()},
    )


def _inspected(record: Fields) -> QueueInspected:
    return QueueInspected(
        record.text("queue"),
        {str(state): int(count) for state, count in record.get("counts", {}).items()},
        record.get("oldest_secs", None),
        {str(name): int(value) for name, value in record.get("facts", {}).items()},
        tuple(
            RunningJob(
                each.text("id"), each.text("name"), each.text("worker"), each.count("attempt"), each.number("age_secs")
            )
            for each in record.parts("running")
        ),
        record.get("older_than_secs", None),
        {str(name): float(since_s) for name, since_s in record.get("workers", {}).items()},
        record.wall_s(),
    )


# ── The plan ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def plan(record: Fields) -> JobsPlan:
    return JobsPlan(
        name=record.text("name"),
        title=record.text("title"),
        adapter=record.text("adapter"),
        storage=record.text("storage"),
        queue_name=record.text("queue_name"),
        queue=_queue(record.part("queue")),
        terms=_terms(record.part("terms")),
        publishing=_publishing(record.part("publishing")),
        chains=None if record.get("chains", None) is None else _chains(record.part("chains")),
        scheduling=None if record.get("scheduling", None) is None else _scheduling(record.part("scheduling")),
        workers=record.count("workers"),
        concurrency=record.count("concurrency"),
        namespaces=tuple(map(str, record.get("namespaces", ()))),
        patience_ns=record.ns("patience_secs"),
        renews=bool(record.get("renews", True)),
        faults=tuple(map(_fault, record.parts("faults"))),
        checks=tuple(Check(each.text("expr"), Level(each.text("level"))) for each in record.parts("checks")),
        shows_monitors=bool(record.get("shows_monitors", False)),
        settings=tuple(record.get("settings", {}).items()),
        seed=record.count("seed"),
    )


def _queue(record: Fields) -> QueueSettings:
    return QueueSettings(
        record.ns("lease_secs"),
        record.ns("sweep_secs"),
        record.count("max_deliveries"),
        record.text("durability"),
        record.ns("result_ttl_secs"),
    )


def _terms(record: Fields) -> Terms:
    its = record.part("backoff")
    backoff = Backoff(
        Growth(its.get("growth", Growth.EXPONENTIAL)),
        its.ns("initial_secs"),
        its.ns("longest_secs"),
        its.number("jitter"),
    )
    return Terms(record.count("max_attempts"), record.ns("timeout_secs"), backoff)


def _publishing(record: Fields) -> Publishing:
    return Publishing(
        kinds=tuple(map(_kind, record.parts("kinds"))),
        producers=record.count("producers"),
        concurrency=record.count("concurrency"),
        batch=record.count("batch"),
        rate_per_s=record.number("rate_per_s"),
        submissions=record.count("submissions"),
        bursts=record.count("bursts"),
        pause_ns=record.ns("pause_secs"),
        before_workers=bool(record.get("before_workers", False)),
    )


def _kind(record: Fields) -> Kind:
    return Kind(
        record.count("jobs"),
        record.ns("work_secs"),
        bool(record.get("busy", False)),
        record.number("fail_p"),
        Act(record.get("act", Act.WORK)),
        record.count("payload_bytes"),
    )


def _chains(record: Fields) -> Chains:
    return Chains(record.count("workflows"), record.count("steps"), record.ns("work_secs"), record.count("concurrency"))


def _scheduling(record: Fields) -> Scheduling:
    return Scheduling(
        schedules=record.count("schedules"),
        attempts=record.count("attempts"),
        updates=record.count("updates"),
        operations=record.count("operations"),
        removes=bool(record.get("removes", True)),
        cron=record.text("cron"),
        zone=record.text("zone"),
        fires_ns=record.ns("fires_secs"),
        concurrency=record.count("concurrency"),
    )


def _fault(record: Fields) -> JobFault:
    return JobFault(fault(record.part("fault")), bool(record.get("on_workers", False)), record.get("at_share", None))
