"""Constructed tests of jobs: what became of invented jobs, and the events of whole tests. See `constructed_events`.

Times are ns of an invented monotonic clock, which is at FIRST_NS when the first job is published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from constructed_events import START_S

from loadgen.events import Event, Monitored, MonitorGap
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.report import FaultReport, Spell
from loadgen.jobs.backoff import Backoff
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
from loadgen.judge.check import Check as Expression
from loadgen.judge.check import Level
from loadgen.judge.expression.dimension import COUNT, SIZE
from loadgen.judge.named import Check
from loadgen.monitors.reading import Gap, Reading
from loadgen.monitors.report import MonitorReport, SeriesReport
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.snapshot import Histogram

S = 1_000_000_000
MS = 1_000_000
FIRST_NS = 7 * S

VERSION, HOST = "0.1.0", "a host"
SQLITE = "sqlite 3.40.1 at sqlite://./jobs\x1b[2J.db"

PLAN = JobsPlan(
    name="throughput",
    title="one worker executes 1,000 jobs of 10 ms",
    publishing=Publishing(kinds=(Kind(1000),)),
    seed=7,
)
"""A test with one worker on SQLite."""

FIVE = replace(PLAN, name="multi-worker", title="5 workers share 1,000 jobs", workers=5)

KILL = JobFault(Fault("kill", Layer.PROCESS, on=(2, 4), parameters={}, seed=7), on_workers=True, at_share=0.3)
POWER = JobFault(Fault("power_cut", Layer.DISK, at_ns=2 * S, parameters={}, seed=7), on_workers=False)

EVERYTHING = JobsPlan(
    name="every\x1b[2Jthing",
    title="all that a plan may have",
    adapter="streams",
    storage="redis://me:secret@127.0.0.1:6379/1",
    queue=QueueSettings(3 * S, S // 2, 4, "everysec", 10 * S),
    terms=Terms(5, 10 * S, Backoff(initial_ns=100 * MS, longest_ns=5 * S, jitter=0.2)),
    publishing=Publishing(
        kinds=(Kind(500, 10 * MS, fail_p=0.8), Kind(50, 2 * S, True, 0, Act.RAISE, 4000)),
        producers=5,
        concurrency=20,
        batch=10,
        rate_per_s=250,
        submissions=5,
        bursts=3,
        pause_ns=3 * S,
        before_workers=True,
    ),
    chains=Chains(100),
    scheduling=Scheduling(500, 5, 20, 10, removes=False, fires_ns=70 * S),
    workers=10,
    namespaces=("east", "we\x1b[2Jst"),
    renews=False,
    faults=(KILL, POWER),
    checks=(Expression("lost == 0"), Expression("p99(end_to_end) < 1s", Level.NICE)),
    shows_monitors=True,
    settings=(("visibility_timeout", 3600), ("pool", "solo\x1b[2J"), ("acks_late", True)),
    seed=42,
)


def times(*blocks: tuple[float, int]) -> Histogram:
    """A histogram of blocks of samples: their length in ms, and how many."""
    found = Histogram()
    for length_ms, count in blocks:
        found.record_many(int(length_ms * MS), count)
    return found


def life(jobs: int, slow: float = 1.0) -> dict[str, Histogram]:
    """The latencies of the life of so many jobs."""
    return {
        "publish": times((0.3, jobs - 1), (1.2, 1)),
        "queueing": times((400 * slow, jobs // 2), (5100 * slow, jobs - jobs // 2)),
        "execution": times((10.1, jobs)),
        "ack": times((0.4, jobs - 1), (6, 1)),
        "handling": times((10.5, jobs - 1), (16.1, 1)),
        "end_to_end": times((410.5 * slow, jobs // 2), (5110.5 * slow, jobs - jobs // 2)),
    }


def shares(*completed: int) -> tuple[Share, ...]:
    return tuple(Share(str(n), jobs, jobs, jobs * 10 * MS, 300) for n, jobs in enumerate(completed, 1))


def of_jobs(jobs: int, per_s: float, *completed: int, **more: object) -> Account:
    """The account of a test in which all jobs completed."""
    given: dict[str, object] = {
        "counts": Counts(
            attempted=jobs, acknowledged=jobs, executed=jobs, executions=jobs, completed=jobs, reclaimed=0
        ),
        "latencies": life(jobs),
        "shares": shares(*(completed or (jobs,))),
        "seconds": (Second(1.0, jobs - jobs // 2, 70, 401_000.0), Second(2.0, jobs // 2, 85, None)),
        "first_ns": FIRST_NS,
        "last_ns": FIRST_NS + int(jobs / per_s * S),
    }
    return Account(**(given | more))  # type: ignore[arg-type]


CHECKS = (
    Check("lost", True, "0 of 1,000 acknowledged jobs", "0"),
    Check("shares", None, "a fair share is 1,000 jobs for one worker alone", "± 20 %", vital=False),
    Check("throughput", True, "85.2 jobs/s", "> 50 jobs/s"),
    Check("check 1", False, "p99(handling) = 16.1 ms\x1b[2J", "p99(handling) < 15ms", level=Level.NICE),
)


def ended(plan: JobsPlan, account: Account, **more: object) -> JobsEnded:
    given: dict[str, object] = {
        "plan": plan,
        "queue": SQLITE,
        "version": VERSION,
        "account": account,
        "checks": CHECKS,
        "host": HOST,
        "wall_s": START_S + 12,
    }
    return JobsEnded(**(given | more))  # type: ignore[arg-type]


REDIS = MonitorReport(
    "redis",
    "redis",
    readings=12,
    gaps=1,
    why="connection refused\x1b[2J",
    series=(
        SeriesReport("used_memory", SIZE, 12, 1_020_000, 1_010_000, 1_310_000, 1_310_000, 290_000.0),
        SeriesReport("connected_clients", COUNT, 12, 7, 7, 7, 7, 0.0),
    ),
)
"""What a monitor read beside a test."""


def told(end: JobsEnded, number: int = 1, of: int = 1, axis: Axis | None = None) -> list[Event]:
    """The events of one test."""
    expected = end.plan.jobs
    return [
        JobsBegan(end.plan, end.queue, end.version, number, of, axis, START_S),
        JobsProgress(Stage.STARTING, 0, 0, expected, 0.0, None, 0.2, START_S + 1),
        *(
            WorkerNoted(str(node), "killed (SIGKILL) with 6 jobs in flight\x1b[2J", 2.31, START_S + 2)
            for each in end.plan.faults
            if each.on_workers
            for node in each.fault.on
        ),
        *(
            event
            for each in end.monitors
            for event in (
                Monitored(Reading(each.name, 0, START_S + 3, {each.series[0].name: 1_020_000.0})),
                MonitorGap(Gap(each.name, 0, START_S + 4, each.why)),
            )
        ),
        JobsProgress(Stage.EXECUTING, 1000, 456, expected, 85.2, 6.4 if expected else None, 5.4, START_S + 6),
        end,
    ]


def passed() -> list[Event]:
    cost = Cost(None, 1.25, 45_200_000, 312.4, 4096, 450_560, 5000, {"file_bytes": 421_888, "wal_bytes": 28_672})
    notes = (Reason(Code.CPU_AWAITED, "low throughput is bound by the jobs themselves\x1b[2J"),)
    # The file asked for no monitors.
    return told(ended(PLAN, of_jobs(1000, 85.23), cost=cost, monitors=(REDIS,), notes=notes))


def shared() -> list[Event]:
    plan = replace(FIVE, shows_monitors=True)
    return told(ended(plan, of_jobs(1000, 412.7, 198, 205, 201, 195, 201), monitors=(REDIS,)))


def many_workers() -> list[Event]:
    plan = replace(FIVE, workers=100)
    return told(ended(plan, of_jobs(1000, 1234.5, *(9 + number % 3 for number in range(100)))))


def failed() -> list[Event]:
    """Workers were killed, the power was cut, and nearly all that can go wrong did."""
    counts = Counts(
        attempted=550, acknowledged=545, publish_failed=5, deduplicated=2200, executed=540, executions=702,
        completed=500, dead=28, failures=120, lost=12, held=3, recovered=2, unexpected=1, duplicate_executions=7,
        duplicate_effects=1, stuck=9, refused=4, reclaimed=11, retries_early=1, waits_outside=2, fired=30,
        double_fired=1, missed_firings=3, presumed=1, storage_errors=6, locks=14,
    )  # fmt: skip
    account = of_jobs(
        550,
        98.7,
        260,
        40,
        200,
        counts=counts,
        of_kinds={"1": times((10.5, 450)), "2": times((2003, 50))},
        latencies={**life(550), "reclaim": times((5200, 8)), "retry": times((0.9, 120))},
        unreclaimed_ns=(30 * S, 30_000_400_000, 30 * S),
        errors={"database is locked\x1b[2J": 14, "disk I/O error": 6},
    )
    spell = Spell(2, FIRST_NS + 2_310_000_000, FIRST_NS + 3_310_000_000, 1)
    checks = (
        Check("lost", False, "12 of 545 acknowledged jobs", "0"),
        Check("reclaim", None, "3 jobs of dead workers were waited for in vain, for 30.0 s", "≤ 7 s"),
        Check("stuck", False, "9 jobs", "0"),
        Check("check 1", False, "p99(end_to_end) = 5.11 s", "p99(end_to_end) < 1s", level=Level.NICE),
    )
    return told(
        ended(
            EVERYTHING,
            account,
            queue="streams on redis 7.0.15",
            checks=checks,
            faults=(
                FaultReport(KILL.fault, (spell, replace(spell, node=4)), 2),
                FaultReport(POWER.fault, failure="the preload library could not be built\x1b[2J"),
            ),
            cost=Cost(1.375, 3.5, 61_000_000, 412.0, 950_000, 1_400_000, 960_000, {"stream_length": 17}),
            operations=(Operations("create", 500, 0, 2_100_000_000), Operations("pause", 500, 3, 900_000_000)),
            in_flight_at_kills=12,
            censored_ns=30_000_400_000,
            profile=("profile/worker-1.svg\x1b[2J",),
            said=("Completed: 500\x1b[2J", "::error::of the program"),
            notes=(
                Reason(
                    Code.MONITOR_SILENT,
                    "the database was locked 14 times: enable WAL mode, or use fewer workers on one file",
                ),
            ),
        )
    )


def reclaims() -> list[Event]:
    """Two workers of a library were killed, and nobody took over most of their jobs while the test waited."""
    plan = replace(
        FIVE, name="kill", title="2 of 5 workers are killed at 30 % of the jobs", adapter="rq", faults=(KILL,)
    )
    account = of_jobs(
        1000,
        61.2,
        250,
        101,
        260,
        99,
        290,
        counts=Counts(1000, 1000, executed=1000, executions=1001, completed=990, stuck=10, duplicate_executions=1),
        latencies={**life(1000), "reclaim": times((29_000, 1))},
        unreclaimed_ns=(30 * S,) * 10,
    )
    spells = tuple(Spell(node, FIRST_NS + 2_310_000_000, None, 1) for node in (2, 4))
    checks = (
        Check("lost", True, "0 of 1,000 acknowledged jobs", "0"),
        Check("reclaim", None, "10 jobs of dead workers were waited for in vain, for 30 s"),
    )
    return told(
        ended(
            plan,
            account,
            queue="rq 3.0.0 on redis 7.0.15",
            checks=checks,
            faults=(FaultReport(KILL.fault, spells, 2),),
            in_flight_at_kills=11,
            censored_ns=30 * S,
        )
    )


def schedules() -> list[Event]:
    plan = JobsPlan(
        "schedules", "500 schedules are created, paused and removed", scheduling=Scheduling(500), workers=1, seed=7
    )
    operations = tuple(
        Operations(name, 500, 0, length_ms * MS)
        for name, length_ms in (("create", 2100), ("list", 350), ("pause", 900), ("resume", 905), ("delete", 810))
    )
    checks = (Check("create", True, "238 ops/s", "> 10 ops/s"), Check("schedules", True, "500", "500"))
    return told(ended(plan, Account(), checks=checks, operations=operations))


def could_not_run() -> list[Event]:
    why = Reason(Code.COULD_NOT_RUN, "rq is not installed: pip install 'loadgen[jobs]'\x1b[2J", Severity.COULD_NOT_RUN)
    return [ended(replace(PLAN, adapter="rq"), Account(), queue="", checks=(), reasons=(why,))]


def interrupted() -> list[Event]:
    counts = Counts(attempted=400, acknowledged=400, executed=210, executions=210, completed=204)
    account = of_jobs(204, 80, counts=counts)
    return told(ended(PLAN, account, checks=(), interrupted=True))


def program() -> list[Event]:
    """A program of the user's own, of which the number of jobs is not known beforehand."""
    plan = JobsPlan("app", "", adapter="sqlite", workers=0, seed=7)
    return told(ended(plan, of_jobs(2, 50), checks=CHECKS[:1], said=("Completed: 2",)))


def several(axis: Axis, ends: Sequence[JobsEnded], *checks: Check) -> list[Event]:
    """The events of a command with several tests."""
    events = [event for number, end in enumerate(ends, 1) for event in told(end, number, len(ends), axis)]
    return [*events, JobsCompared(axis, tuple(ends), checks, wall_s=START_S + 60)]


def end_of(events: list[Event]) -> JobsEnded:
    return next(event for event in events if isinstance(event, JobsEnded))


def adapters() -> list[Event]:
    ours = replace(
        end_of(reclaims()),
        plan=replace(end_of(reclaims()).plan, adapter="streams"),
        queue="streams on redis 7.0.15",
        account=of_jobs(5000, 2412.7, latencies={**life(5000), "reclaim": times((5200, 9), (5900, 1))}),
        cost=Cost(0.72, 3.1, 43_500_000, 396.4),
        censored_ns=None,
    )
    rq = replace(end_of(reclaims()), cost=Cost(1.25, 61.0, 61_200_000, 1834.0))
    return several(Axis.ADAPTER, [ours, rq, replace(end_of(could_not_run()), plan=replace(PLAN, adapter="dramatiq"))])


def workers() -> list[Event]:
    ends = [
        ended(replace(PLAN, name="scaling", workers=n), of_jobs(1000, rate), cost=Cost(storage_cpu_s=0.2 + n / 100))
        for n, rate in ((1, 98.2), (2, 195.1), (5, 470.0), (10, 741.3))
    ]
    scaling = Check("scaling", False, "0.75 of one worker's rate each, with 10 workers", "≥ 0.8")
    return several(Axis.WORKERS, ends, scaling)


def presets() -> list[Event]:
    return several(
        Axis.TEST, [end_of(scene()) for scene in (passed, shared, failed, schedules, could_not_run, interrupted)]
    )


def inspected() -> list[Event]:
    return [
        QueueInspected(
            "streams on redis 7.0.15\x1b[2J",
            {"pending": 1200, "delayed": 3, "running": 2, "dead": 1},
            412.5,
            {"stream_length": 1202, "pending_entries": 2, "memory_bytes": 1_450_000},
            (
                RunningJob("01J9ZK3V7Q0000000000000001", "send-mail\x1b[2J", "worker-1", 1, 401.25),
                RunningJob("01J9ZK3V7Q0000000000000002", "resize", "worker-2", 3, 0.35),
            ),
            300.0,
            {"worker-1": 0.25, "worker-2": 75.5},
            START_S,
        )
    ]


def inspected_empty() -> list[Event]:
    return [QueueInspected("sqlite 3.40.1", {"pending": 0}, None, {}, wall_s=START_S)]


JOBS: dict[str, Callable[[], list[Event]]] = {
    f"jobs_{scene.__name__}": scene
    for scene in (
        passed, shared, many_workers, failed, reclaims, schedules, could_not_run, interrupted, program, adapters,
        workers, presets, inspected, inspected_empty,
    )
}  # fmt: skip
"""By name."""
