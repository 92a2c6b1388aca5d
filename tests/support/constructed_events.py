"""Constructed runs: events with invented numbers, on which outputs and records are tested.

Latencies are drawn from a fixed seed and times are made up, so that every run is the same to the last digit.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import replace

from loadgen.engine._histogram import Histogram
from loadgen.events import (
    Configured,
    Event,
    FaultBegan,
    FaultEnded,
    HistoryKept,
    Monitored,
    MonitorGap,
    PhaseBegan,
    Progress,
    Result,
    Sample,
    TopologyChanged,
)
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS
from loadgen.faults.report import FaultReport, Outage, Spell
from loadgen.hosts import AgentHost, HostPart
from loadgen.judge import failures
from loadgen.judge.check import Check, Checked, Level
from loadgen.judge.expression.dimension import COUNT, NUMBER, SHARE, SIZE, TIME
from loadgen.judge.judging import Judging
from loadgen.monitors.reading import Gap, Reading
from loadgen.monitors.report import MonitorReport, SeriesReport
from loadgen.overload import of_window
from loadgen.plan import (
    Endpoint,
    KeptHistory,
    Keyspace,
    Load,
    Plan,
    Segment,
    Target,
    Weights,
    Wire,
    WorkerPlan,
    Workload,
)
from loadgen.reason import Code, Reason
from loadgen.runner.beside import notes
from loadgen.severity import Severity
from loadgen.signs import Ceiling, HostSigns, PauseAccount, Signs, WorkerSigns
from loadgen.slo import Attainment, Evaluation, Objective, Unit, check
from loadgen.snapshot import Backlog, ConnectionCounts, HistoryCounts, NodeCounts, Snapshot, Tally
from loadgen.usage import ServerReport, Usage

S = 1_000_000_000
START_S = 1_763_640_000.25


def plan(
    *,
    protocol: str = "resp",
    rate_per_s: float = 0.0,
    endpoints: int = 1,
    cpus: bool = False,
    weights: Weights | None = None,
    backfill: bool = False,
    profile: tuple[Segment, ...] | None = None,
    arrival: str = "constant",
    spin: bool = False,
) -> Plan:
    worker_count = 2
    return Plan(
        target=Target(
            protocol=protocol,
            endpoints=tuple(Endpoint("127.0.0.1", 6379 + n, "127.0.0.1") for n in range(endpoints)),
            username="someone",
            password="a-password-that-nobody-may-see",
        ),
        wire=Wire(
            connections=50,
            pipeline_depth=8,
            batch_size=8,
            connect_timeout_ns=5 * S,
            request_timeout_ns=S,
            request_distribution="roundrobin",
            spin=spin,
        ),
        workload=Workload(
            keyspace=Keyspace(count=1_000_000, length=16, distribution="uniform", zipf_exponent=0.99),
            weights=weights or Weights(get=80, set=20, delete=0),
            value_bytes=64,
            prefill=True,
            prefill_timeout_ns=300 * S,
            backfill_on_miss=backfill,
        ),
        load=Load(
            warmup_ns=2 * S,
            duration_ns=3 * S,
            interval_ns=S,
            profile=profile if profile is not None else (Segment(3 * S, rate_per_s, rate_per_s),) if rate_per_s else (),
            arrival=arrival,
        ),
        seed=42,
        workers=tuple(
            WorkerPlan(n, n if cpus else None, (25,) * endpoints, 1 / worker_count, n * 500_000, 500_000)
            for n in range(worker_count)
        ),
    )


def latencies(count: int, seed: int, typical_ns: float = 45_000, *, unanswered: int = 0) -> Histogram:
    """Log-normal latencies, and `unanswered` requests at an age of a second; the caller's own."""
    return Histogram() + _drawn(count, seed, typical_ns, unanswered)


@functools.cache
def _drawn(count: int, seed: int, typical_ns: float, unanswered: int) -> Histogram:
    """Each distribution is drawn once: many tests construct the same runs."""
    drawn, histogram = random.Random(seed), Histogram()
    for _ in range(count - unanswered):
        histogram.record(int(typical_ns * drawn.lognormvariate(0, 0.5)))
    for _ in range(unanswered):
        histogram.record(S, censored=True)
    return histogram


def counted(
    tallies: dict[str, Tally],
    seed: int,
    *,
    open_loop: bool = False,
    unanswered: int = 0,
    failures: dict[str, int] | None = None,
) -> Snapshot:
    """A snapshot of these tallies, with a latency for each request that came to one."""
    ended = {c: t.ok + t.errors + t.timeouts + t.unfinished for c, t in tallies.items()}
    lost = sum((failures or {}).values())
    return Snapshot(
        tallies=tallies,
        response={c: latencies(n, seed + i, unanswered=min(unanswered, n)) for i, (c, n) in enumerate(ended.items())},
        service={c: latencies(n, seed + i, 30_000) for i, (c, n) in enumerate(ended.items())} if open_loop else {},
        lag=latencies(sum(ended.values()), seed, 12_000) if open_loop else Histogram(),
        lag_ours=latencies(sum(ended.values()), seed, 9_000) if open_loop else Histogram(),
        lag_backpressure=latencies(sum(ended.values()), seed, 3_000) if open_loop else Histogram(),
        errors={"OOM": sum(t.errors for t in tallies.values())} if any(t.errors for t in tallies.values()) else {},
        failures=failures or {},
        connections=ConnectionCounts(
            opened=lost, failed=lost // 3, closed=lost - lost // 3, reconnects=lost, active=50
        ),
        failed={
            c: latencies(t.errors + t.timeouts, seed + i, unanswered=min(t.timeouts, unanswered))
            for i, (c, t) in enumerate(tallies.items())
        },
        rx_bytes=sum(70 * t.received for t in tallies.values()),
        tx_bytes=sum(60 * t.sent for t in tallies.values()),
        answered_in_time=sum(t.answered for command, t in tallies.items() if command != "backfill"),
        ok_in_time=sum(t.ok for command, t in tallies.items() if command != "backfill"),
        cpu_ns=sum(4_050 * t.sent for t in tallies.values()),
    )


def good(get: int, set_: int, misses: int = 0) -> dict[str, Tally]:
    return {
        "get": Tally(planned=get, ok=get, hits=get - misses, misses=misses),
        "set": Tally(planned=set_, ok=set_, hits=set_),
    }


def before(measured: Snapshot, *, connections: int = 50) -> dict[str, Snapshot]:
    """The phases of a run that measured this."""
    precheck = Snapshot(
        tallies={"ping": Tally(planned=2, ok=2, hits=2)}, connections=ConnectionCounts(connections, active=connections)
    )
    prefill = counted({"set": Tally(planned=1000, ok=1000, hits=1000)}, 90)
    return {"precheck": precheck, "prefill": prefill, "warmup": counted(good(800, 200), 91), "measure": measured}


def phases(*names: str) -> list[Event]:
    began = {"connect": 0, "precheck": 1, "prefill": 2, "warmup": 3, "measure": 5, "drain": 9}
    return [PhaseBegan(name, START_S + began[name]) for name in names]


def sample(second: int, interval: Snapshot, phase: str = "measure") -> Sample:
    return Sample(phase, START_S + 6 + second, S, interval)


def closed_loop() -> list[Event]:
    measured = counted(good(2400, 600, misses=24), 1)
    return [
        Configured(plan(cpus=True), "0.1.0", server="redis 7.0.15", wall_s=START_S),
        *phases("connect", "precheck", "prefill"),
        Progress("prefill", 500_000, 1_000_000, 2 * S),
        *phases("warmup"),
        sample(-1, counted(good(1, 1), 5), "warmup"),
        *phases("measure"),
        *(sample(n, counted(good(800, 200, misses=8), 10 + n)) for n in range(3)),
        *phases("drain"),
        Result(
            plan(cpus=True), measured, 3 * S, phases=before(measured), max_rss_bytes=45_600_000, wall_s=START_S + 10
        ),
    ]


def schedule() -> list[Event]:
    the_plan = plan(rate_per_s=1000.0, weights=Weights(get=70, set=20, delete=10), backfill=True)
    tallies = good(2100, 600, misses=100) | {
        "delete": Tally(planned=300, ok=300, hits=200, misses=100),
        "backfill": Tally(planned=100, ok=100, hits=100),
    }
    measured = counted(tallies, 2, open_loop=True)
    interval = counted(good(800, 200, misses=30), 20, open_loop=True)
    return [
        Configured(the_plan, "0.1.0", (Reason(Code.CONFIGURATION, "zipf is slower to draw."),), wall_s=START_S),
        *phases("warmup", "measure"),
        sample(0, interval),
        Result(
            the_plan,
            measured,
            3 * S,
            phases=before(measured),
            max_rss_bytes=45_600_000,
            notes=(Reason(Code.CPU_AWAITED, "A core was shared."),),
            wall_s=START_S + 10,
        ),
    ]


def errors_of_all_kinds() -> list[Event]:
    tallies = {
        "get": Tally(
            planned=2400,
            ok=2300,
            errors=40,
            timeouts=25,
            lost=20,
            corrupt=5,
            unfinished=10,
            hits=1500,
            misses=800,
            late=7,
            unsent=12,
        ),
        "set": Tally(planned=600, ok=590, errors=10, hits=590),
    }
    failures = {"refused": 2, "eof": 3, "reset": 1}
    measured = counted(tallies, 3, unanswered=35, failures=failures)
    return [
        Configured(plan(endpoints=4), "0.1.0", wall_s=START_S),
        *phases("measure"),
        sample(0, measured),
        sample(1, Snapshot(tallies={"get": Tally(planned=400), "set": Tally(planned=100)})),
        Result(
            plan(endpoints=4),
            measured,
            3 * S,
            phases=before(measured),
            max_rss_bytes=45_600_000,
            reasons=(
                Reason(Code.GENERATOR_LATE, "A worker's CPU was 99 % busy.", Severity.INVALID),
                Reason(Code.GENERATOR_SHORT, "Sends fell short of the plan by 3 %.", Severity.INVALID),
            ),
            notes=(
                Reason(
                    Code.CONNECTIONS_DOWN,
                    "The 127.0.0.1:6381 endpoint was away for 1.2 s, so that its keys were neither read nor written.",
                ),
            ),
            examples={
                "OOM": "OOM command not allowed when used memory > 'maxmemory'.\x1b[2J",
                "refused": "Connection refused",
                "ERR": "half a pair \ud800",
            },
            wall_s=START_S + 10,
        ),
    ]


def failed() -> list[Event]:
    """One node of a cluster, which refuses two requests of three, and closes a connection now and then."""
    slo = (Objective("p99", 200_000_000, Unit.NS), Objective("throughput_min", 400, Unit.PER_S))
    the_plan = plan(rate_per_s=500.0)
    tallies = {
        "get": Tally(planned=1200, ok=400, errors=798, lost=2, hits=390, misses=10),
        "set": Tally(planned=300, ok=100, errors=200, hits=100),
    }
    measured = replace(
        counted(tallies, 6, open_loop=True, failures={"eof": 1}), errors={"MOVED": 900, "CLUSTERDOWN": 98}
    )
    words = {"MOVED": "MOVED 3999 127.0.0.1:6381", "CLUSTERDOWN": "CLUSTERDOWN Hash slot not served"}
    too_many = failures.of_requests((measured,), 0.01, words)
    unopened = failures.of_connections(50, 10, 0.01, " (refused: Connection refused)")
    return [
        Configured(the_plan, "0.1.0", judging=Judging(slo), wall_s=START_S),
        *phases("measure"),
        sample(0, measured),
        Result(
            the_plan,
            measured,
            3 * S,
            phases=before(measured),
            reasons=failures.reasons(f"{too_many}; {failures.ACCEPT}", unopened),
            notes=(Reason(Code.CONNECTIONS_DOWN, "10 of 50 connections to 127.0.0.1:6379 could not be opened."),),
            examples=words,
            checks=check(slo, measured, 3 * S),
            wall_s=START_S + 10,
        ),
    ]


def embedded() -> list[Event]:
    measured = counted(good(2400, 600), 4)
    return [
        Configured(plan(), "0.1.0", embedded=True, wall_s=START_S),
        *phases("measure"),
        sample(0, measured),
        Result(plan(), measured, 3 * S, phases=before(measured), embedded=True, wall_s=START_S + 10),
    ]


def interrupted() -> list[Event]:
    measured = counted(good(800, 200), 5)
    return [
        Configured(plan(), "0.1.0", wall_s=START_S),
        *phases("warmup", "measure", "drain"),
        Result(
            plan(),
            measured,
            1_234_567_890,
            phases=before(measured),
            interrupted=True,
            history=HistoryKept(
                KeptHistory("/tmp/a run\x1b[2J.lghist", 0.01, 0),
                HistoryCounts(records=12_345, ok=12_000, miss=300, not_done=5, unknown=40, undrawn=1),
                whole=False,
            ),
            wall_s=START_S + 10,
        ),
    ]


def zero_requests() -> list[Event]:
    """Stopped during the prefill."""
    prefill = counted({"set": Tally(planned=100, ok=90, unfinished=10, hits=90)}, 6)
    return [
        Configured(plan(), "0.1.0", wall_s=START_S),
        *phases("prefill"),
        Result(plan(), Snapshot(), 0, phases={"prefill": prefill}, interrupted=True, wall_s=START_S + 10),
    ]


def ping() -> list[Event]:
    measured = counted({"ping": Tally(planned=1000, ok=1000, hits=1000)}, 7)
    return [
        Configured(plan(protocol="ping"), "0.1.0", wall_s=START_S),
        *phases("measure"),
        sample(0, measured),
        Result(plan(protocol="ping"), measured, 3 * S, phases={"measure": measured}, wall_s=START_S + 10),
    ]


def unbalanced() -> list[Event]:
    """What a bug in the accounting looks like."""
    measured = counted({"get": Tally(planned=1000, ok=990, hits=990)}, 8)
    return [
        Configured(plan(), "0.1.0", wall_s=START_S),
        *phases("measure"),
        Result(plan(), measured, 3 * S, phases={"measure": measured}, wall_s=START_S + 10),
    ]


def busy() -> list[Event]:
    """The widest numbers that a large machine comes to."""
    count, slow = 123_456_789, Histogram()
    slow.record_many(1_234_567, count - 2000)
    slow.record_many(123_456_789, 1000)
    for _ in range(1000):
        slow.record(S, censored=True)
    tallies = {
        c: Tally(planned=count, ok=count - 1000, timeouts=1000, hits=count // 2, misses=count - count // 2 - 1000)
        for c in ("get", "set", "delete", "backfill")
    }
    clocks = dict.fromkeys(tallies, slow)
    connections = ConnectionCounts(10_000, 1234, 1234, 1234, 10_000)
    measured = Snapshot(
        tallies=tallies,
        response=clocks,
        service=clocks,
        lag=slow,
        lag_ours=slow,
        lag_backpressure=slow,
        errors={"LOADING": 12},
        failures={"reset": 2468},
        connections=connections,
        rx_bytes=10**12,
        tx_bytes=10**12,
        answered_in_time=3 * (count - 1000),
        ok_in_time=3 * (count - 1000),
        cpu_ns=10**12,
    )
    the_plan = plan(
        rate_per_s=12_345_678.5, endpoints=9, cpus=True, weights=Weights(get=1, set=1, delete=1), backfill=True
    )
    return [
        Configured(the_plan, "0.1.0", wall_s=START_S),
        *phases("connect", "prefill", "warmup", "measure", "drain"),
        sample(0, measured),
        Result(the_plan, measured, 3 * S, phases=before(measured), max_rss_bytes=10**9, wall_s=START_S + 10),
    ]


CEILING = Ceiling(1_234_567.8, 31_200, 41_000, "2026-11-20")

SIGNS = Signs(
    (
        WorkerSigns(0, 3 * S, 2 * S, 30_000_000, PauseAccount(2, 12_000_000, 1_500_000, 12_500_000, 0), 0),
        WorkerSigns(1, 3 * S, 1 * S, None, PauseAccount(), 7),
    ),
    HostSigns(0.0123456789, "tsc"),
    (120_000, 125_000, 119_000),
    CEILING,
)
"""Of two workers, the second on a system that does not say how long a process was queued."""

OBJECTIVES = (
    Objective("p99", 1_000_000, Unit.NS),
    Objective("p999", 200_000, Unit.NS),
    Objective("p99", 100_000, Unit.NS, "get"),
    Objective("max", 5_000_000, Unit.NS, "set"),
    Objective("errors", 0, Unit.COUNT),
    Objective("timeouts", 0.001, Unit.SHARE),
    Objective("hit_rate_min", 0.9, Unit.SHARE),
    Objective("throughput_min", 12_000, Unit.PER_S, "delete"),
)


CHECKED = (
    Checked(Check("p99 < 50ms and errors == 0"), True, "p99 = 12.4 ms; errors = 0"),
    Checked(Check("errors / requests < 0.1 %"), False, "errors / requests = 0.12 %"),
    Checked(
        Check("growth(fds) < 5/min"), None, "cannot tell: the server was not watched, so that fds is not known\x1b[2J"
    ),
    Checked(Check("cv(throughput) < 1 %", Level.NICE), False, "cv(throughput) = 3.1 %"),
)
CHECKS = tuple(each.check for each in CHECKED)


def objectives() -> list[Event]:
    """A run that is valid and breaches some of its objectives and checks, on a host whose ceiling is known."""
    profile = (Segment(2 * S, 1000.0, 4000.0), Segment(S, 2500.0, 2500.0))
    the_plan = plan(profile=profile, arrival="poisson", spin=True)
    measured = counted(good(6_000, 1_500, misses=6), 30, open_loop=True)
    return [
        Configured(the_plan, "0.1.0", server="redis 7.0.15", judging=Judging(OBJECTIVES, CHECKS), wall_s=START_S),
        *phases("measure"),
        sample(0, counted(good(800, 200, misses=8), 31, open_loop=True)),
        Result(
            the_plan,
            measured,
            3 * S,
            phases=before(measured),
            max_rss_bytes=45_600_000,
            signs=SIGNS,
            checks=check(OBJECTIVES, measured, 3 * S),
            checked=CHECKED,
            wall_s=START_S + 10,
        ),
    ]


def many_phases() -> list[Event]:
    """A schedule of more segments than are shown, some of awkward length; a run that is invalid and has no answers."""
    stairs = tuple(Segment(S // 3, 1000.0 + 1000 * n / 3, 1000.0 + 1000 * n / 3) for n in range(4))
    swings = (Segment(60 * S, 1_234_567.5, 9_876_543.0, 10 * S), Segment(1_500_000_000, 0.5, 0.0))
    bursts = (Segment(S, 100.0, 100.0), Segment(S, 90_000.0, 90_000.0)) * 6
    slo = (Objective("p99", 1_000_000, Unit.NS), Objective("p9999", 2_469_135, Unit.NS, "delete"))
    the_plan = plan(profile=(*stairs, *swings, *bursts), arrival="poisson")
    measured = counted({"get": Tally(planned=400, unfinished=400, unsent=400)}, 32, open_loop=True, unanswered=400)
    checks = (
        Evaluation(slo[0], S, Attainment.BREACHED, is_lower_bound=True, has_few_samples=True),
        Evaluation(slo[1], None, Attainment.UNKNOWN),
    )
    return [
        Configured(the_plan, "0.1.0", judging=Judging(slo), wall_s=START_S),
        *phases("measure"),
        Result(
            the_plan,
            measured,
            3 * S,
            phases=before(measured),
            reasons=(
                Reason(
                    Code.GENERATOR_LATE,
                    "The p99 of the generator's own lag was 1.2 ms, 15 % of the p99 of response time.",
                    Severity.INVALID,
                ),
            ),
            signs=replace(SIGNS, ceiling=None),
            checks=checks,
            wall_s=START_S + 10,
        ),
    ]


def used(cpu_ms: int, rss_bytes: int = 12_300_000, threads: int = 5, fds: int = 61) -> Usage:
    """What a server used in a second."""
    return Usage(S, cpu_ms * 1_000_000, rss_bytes, threads, fds)


def watched() -> list[Event]:
    """A run whose server loadgen started: it used more and more memory, complained, and was gone at the end."""
    measured = counted(good(2400, 600, misses=24), 1, failures={"eof": 3})
    report = ServerReport(
        name="crucible",
        used=Usage(5 * S, 4_350_000_000, 12_300_000, 5, 61),
        requests=923_567,
        max_rss_bytes=12_345_678,
        max_threads=5,
        max_fds=61,
        exit_report="crucible was killed by SIGSEGV 2.1 s into the load",
        log_errors=("thread 'main' panicked at src/store.rs:42\x1b[2J", "ERROR out of slots", "ERROR 3", "ERROR 4"),
    )
    return [
        Configured(plan(), "0.1.0", server="crucible 0.3", host="4 CPUs of a kind, Linux 6.1", wall_s=START_S),
        *phases("measure"),
        replace(sample(0, counted(good(800, 200, misses=8), 10)), server=used(870)),
        replace(sample(1, counted(good(800, 200), 11)), server=used(15_870, 1_234_500_000, 1)),
        sample(2, counted(good(800, 200), 12)),
        Result(
            plan(),
            measured,
            3 * S,
            phases=before(measured),
            max_rss_bytes=45_600_000,
            server=report,
            wall_s=START_S + 10,
        ),
    ]


def overloaded() -> list[Event]:
    """Twice what the server takes: a queue that only grew, after a warm-up that had left one of its own."""
    told = plan(rate_per_s=2000, arrival="constant")
    done = {"get": Tally(planned=800, ok=800, hits=800), "set": Tally(planned=200, ok=200, hits=200)}
    all_of_it = {
        "get": Tally(planned=4800, ok=3200, hits=3200, unfinished=1600, unsent=1600),
        "set": Tally(planned=1200, ok=800, hits=800, unfinished=400, unsent=400),
    }
    measured = replace(
        counted(all_of_it, 1, open_loop=True, unanswered=400),
        backlog=Backlog(3000, 1_500_000_000),
        answered_in_time=3000,
    )
    backlogs = [Backlog(1000 * n, S * n // 2) for n in (1, 2, 3)]
    account = of_window(
        measured, 3 * S, backlogs, warmup=Snapshot(tallies={"get": Tally(planned=1, unfinished=1, unsent=1)})
    )
    rows = (
        replace(
            sample(n, replace(counted(done, 10 + n, open_loop=True), backlog=backlog)),
            offered=2000,
            growing=True,
        )
        for n, backlog in enumerate(backlogs)
    )
    return [
        Configured(told, "0.1.0", server="redis 7.0.15", host="4 CPUs of a kind, Linux 6.1", wall_s=START_S),
        *phases("measure"),
        *rows,
        Result(
            told,
            measured,
            3 * S,
            phases=before(measured),
            max_rss_bytes=45_600_000,
            overload=account,
            wall_s=START_S + 10,
        ),
    ]


def faults() -> list[Event]:
    """A node that was killed and came back, one that was slow and did not, and a fault that had no effect."""
    told = plan(endpoints=2)
    kill = Fault(
        "kill", Layer.PROCESS, (1,), 1 * S, 2 * S, parameters={"data": "kept"}, seed=11, roles=("master 1",)
    )  # fmt: skip
    slow = Fault(
        "latency", Layer.PROXY, (2,), 4 * S, 500_000_000, every_ns=S, times=2, seed=12,
        parameters={"delay": 100_000_000, "jitter": 5_000_000, "stream": "downstream", "toxicity": 0.5},
    )  # fmt: skip
    cut = Fault("cut", Layer.PROXY, at_ns=5 * S, parameters=KINDS["cut"].defaults(), seed=13)
    began_ns = 77 * S
    spells = Spell(1, began_ns + 1_004_000_000, began_ns + 3_040_000_000)
    others = [Spell(2, began_ns + at * S, began_ns + at * S + 500_000_000) for at in (4, 5)]
    measured = counted(
        {"get": Tally(planned=2400, ok=2390, lost=10, hits=2390), "set": Tally(planned=600, ok=600, hits=600)}, 1
    )
    words = "[[fault]] 3, cut (proxy) on every node, had no effect: 0 connections cut, and at least 1 would show one"
    return [
        Configured(
            told,
            "0.1.0",
            server="redis 7.0.15",
            host="4 CPUs of a kind, Linux 6.1",
            wall_s=START_S,
            faults=(kill, slow, cut),
        ),
        *phases("measure"),
        sample(0, counted(good(800, 200, misses=8), 10)),
        FaultBegan(kill, 1, spells.began_ns, START_S + 1),
        sample(1, counted(good(800, 200), 11)),
        FaultEnded(kill, 1, spells.ended_ns or 0, START_S + 3, 1),
        FaultEnded(cut, 1, began_ns + 5 * S, START_S + 5, 0, "the proxy has ended\x1b[2J"),
        sample(2, counted(good(800, 200), 12)),
        Result(
            told,
            measured,
            6 * S,
            phases=before(measured),
            max_rss_bytes=45_600_000,
            began_ns=began_ns,
            faults=(
                FaultReport(kill, (spells,), 1),
                FaultReport(slow, tuple(others), 1234),
                FaultReport(cut, (), 0),
            ),
            outages=(
                Outage(
                    1,
                    spells.began_ns,
                    spells.ended_ns,
                    began_ns + S,
                    began_ns + 3 * S,
                    began_ns + 3_200_000_000,
                    failed=10,
                    refused=36,
                ),
                Outage(2, others[0].began_ns, others[0].ended_ns, back_ns=began_ns + 4_500_000_000),
                Outage(2, others[1].began_ns, others[1].ended_ns),
            ),
            reasons=(Reason(Code.FAULT_NOT_FIRED, words, Severity.INVALID),),
            notes=(Reason(Code.NOT_BACK, "node 2 was not back inside its baseline's interval when the load ended"),),
            wall_s=START_S + 10,
        ),
    ]


def node(seed: int, ok: int, typical_ns: float = 45_000, **others: int) -> NodeCounts:
    """One of several servers. Its errors have response times, and its timeouts an age."""
    known = {"hits": ok * 3 // 4, "misses": ok // 20, "ready": 16, "wanted": 16, "answered_in_time": ok, **others}
    bad = latencies(known.get("errors", 0) + known.get("timeouts", 0), seed + 1, unanswered=known.get("timeouts", 0))
    return NodeCounts(ok=ok, response=latencies(ok, seed, typical_ns), bad=bad, share=1 / 3, **known)


def endpoints() -> list[Event]:
    """A cluster of three, of which one is slow and one failed for a while."""
    told = plan(endpoints=3)
    names = [str(endpoint) for endpoint in told.target.endpoints]
    tally = Tally(planned=3000, ok=2980, errors=5, timeouts=3, lost=12, unsent=2, hits=2835, misses=145)
    counts = (
        node(31, 1000),
        node(32, 1100, 190_000),
        node(33, 880, errors=5, timeouts=3, lost=12, unsent=2, ready=15, opened=3, closed=4, refused=7),
    )
    redirects = {"moved": 12, "ask": 3, "redirected": 14}
    measured = replace(
        counted({"get": tally}, 1, failures={"reset": 12}, unanswered=3),
        nodes=dict(zip(names, counts, strict=True)),
        redirects=redirects,
    )
    began_ns = 77 * S
    failing = {"first_failed_ns": began_ns + S, "last_failed_ns": began_ns + 2 * S, "failed": 12, "refused": 7}
    outage = Outage(
        3, began_ns + S, began_ns + 2 * S, back_ns=began_ns + 2_100_000_000, is_planned=False, name=names[2], **failing
    )
    words = f"{names[2]} is served by 127.0.0.1:6390", "slots 0-99 belong to\x1b[2J another node"
    changed = TopologyChanged(began_ns + 1_500_000_000, START_S + 7, words)
    opened = {name: NodeCounts(opened=16, ready=16, wanted=16, share=1 / 3) for name in names}
    ended = before(measured, connections=48)
    ended = {**ended, "precheck": replace(ended["precheck"], nodes=opened)}
    interval = dict(zip(names, (node(41, 330), node(42, 370, 190_000), node(43, 280, lost=12, ready=12)), strict=True))
    return [
        Configured(told, "0.1.0", server="redis 7.0.15", wall_s=START_S),
        *phases("measure"),
        sample(0, replace(counted(good(800, 200, misses=8), 10), nodes=interval)),
        changed,
        Result(
            told,
            measured,
            3 * S,
            phases=ended,
            max_rss_bytes=45_600_000,
            began_ns=began_ns,
            outages=(outage,),
            changes=(changed,),
            wall_s=START_S + 10,
        ),
    ]


def many_endpoints() -> list[Event]:
    """So many servers that only some are shown to people: the slowest, the fastest and those with errors."""
    told = plan(endpoints=24)
    names = [str(endpoint) for endpoint in told.target.endpoints]
    counts = {name: node(60 + n, 100, 30_000 + 1_000 * (n * 7 % 24)) for n, name in enumerate(names)}
    counts[names[11]] = node(99, 60, errors=3, ready=15)
    counts = {name: replace(each, share=1 / 24, hits=0, misses=0) for name, each in counts.items()}
    measured = replace(counted({"set": Tally(planned=2363, ok=2360, errors=3, hits=2360)}, 1), nodes=counts)
    return [
        Configured(told, "0.1.0", server="redis 7.0.15", wall_s=START_S),
        *phases("measure"),
        Result(told, measured, 3 * S, phases={"measure": measured}, max_rss_bytes=45_600_000, wall_s=START_S + 10),
    ]


def agent_host(number: int, **others: object) -> AgentHost:
    """One of the machines that are to send a load of 1000 requests/s."""
    known = AgentHost(
        name=f"db{number}",
        host=f"db{number}.example",
        version="0.1.0",
        python="3.13.1",
        cpus=4,
        open_files=1_048_576,
        workers=1,
        connections=25,
        rate_per_s=500.0,
        clock_ahead_ns=86_400 * S + number,
        clock_error_ns=5_200 + 10 * number,
        wall_ahead_ns=-3_000 * number,
        wall_error_ns=5_200 + 10 * number,
        ceiling_per_s=200_000.0,
    )
    return replace(known, **others)  # type: ignore[arg-type]


def host_part(agent: AgentHost, measured: Snapshot, host: HostSigns | None) -> HostPart:
    clock = agent.clock_ahead_ns, agent.clock_error_ns
    return HostPart(agent.name, agent.workers, agent.connections, measured, host, *clock, agent.ceiling_per_s)


def agents() -> list[Event]:
    """Three machines: one was late, and one was lost on the way."""
    told = plan(rate_per_s=1000.0)
    machines = (
        agent_host(1),
        agent_host(2, host="a-host-with-a-name-that-is-rather-long.example", python="3.12.8", open_files=0),
        agent_host(3, name="db\x1b[2J3", cpus=64, workers=4, clock_error_ns=812_000, wall_ahead_ns=41 * S // 1000),
    )
    counts = (
        counted(good(1200, 300, misses=12), 1, open_loop=True),
        counted({"get": Tally(planned=1500, ok=1470, errors=5, timeouts=25, unsent=25, hits=1470)}, 2, open_loop=True),
        counted(good(400, 100, misses=4), 3, open_loop=True),
    )
    late = WorkerSigns(1, 3 * S, 3 * S, 400_000_000, PauseAccount(30, 40_000_000, 900_000_000), host="db2")
    quiet = WorkerSigns(0, 3 * S, 900_000_000, 1_000_000, PauseAccount(), host="db1")
    signs = (HostSigns(0.0, "tsc"), HostSigns(0.041, "tsc"), None)
    parts = tuple(map(host_part, machines, counts, signs))
    measured = sum(counts, Snapshot())
    words = "Agent db3 closed the connection; it had sent 500 requests of the measure window when it was last heard of"
    return [
        Configured(told, "0.1.0", server="redis 7.0.15", agents=machines, wall_s=START_S),
        *phases("measure"),
        replace(
            sample(0, counted(good(800, 200, misses=8), 10, open_loop=True)),
            hosts={
                "db1": counted(good(400, 100), 11),
                "db2": counted({"get": Tally(planned=250, ok=240, timeouts=10, hits=240)}, 12, unanswered=10),
                "db\x1b[2J3": counted(good(250, 0), 13),
            },
        ),
        Result(
            told,
            measured,
            2 * S,
            phases=before(measured),
            max_rss_bytes=45_600_000,
            reasons=(Reason(Code.WORKER_DIED, words, Severity.COULD_NOT_RUN),),
            signs=Signs((quiet, late), ceiling=Ceiling(600_000.0, 0, 0, "2026-11-20")),
            hosts=parts,
            wall_s=START_S + 10,
        ),
    ]


def many_agents(count: int = 24) -> list[Event]:
    """So many machines that only those are shown which stand out, in a closed loop."""
    told = plan()
    machines = [
        agent_host(n, rate_per_s=0.0, ceiling_per_s=0.0, wall_ahead_ns=(-1) ** n * 7_000 * (n * 37 % count))
        for n in range(count)
    ]
    machines[17] = replace(machines[17], clock_error_ns=2_100_000, cpus=2, open_files=1024)
    part = counted(good(80, 20), 4)
    slow = counted({"get": Tally(planned=90, ok=80, timeouts=10, hits=80)}, 5, unanswered=10)
    counts = [slow if n == 11 else part for n in range(count)]
    signs = [None if n == 7 else HostSigns(0.2 if n == 5 else 0.0, "tsc") for n in range(count)]
    parts = tuple(map(host_part, machines, counts, signs))
    total = 100 * (count - 1)
    measured = counted({"get": Tally(planned=total + 90, ok=total + 80, timeouts=10, hits=total)}, 6, unanswered=10)
    return [
        Configured(told, "0.1.0", agents=tuple(machines), wall_s=START_S),
        *phases("measure"),
        Result(told, measured, 3 * S, phases={"measure": measured}, hosts=parts, wall_s=START_S + 10),
    ]


def dry_run() -> list[Event]:
    """What two machines would do, and no load."""
    machines = agent_host(1), agent_host(2)
    told = plan(rate_per_s=1000.0)
    return [Configured(told, "0.1.0", server="redis 7.0.15", agents=machines, dry_run=True, wall_s=START_S)]


def monitored() -> list[Event]:
    """A run with monitors beside it: one that always read, one with gaps and a restart, and one that never read."""
    measured = counted(good(2400, 600, misses=24), 1)
    gone = "connection refused by 127.0.0.1:6380\x1b[2J"
    reading = Reading("redis", 0, START_S + 1, {"used_memory": 1_020_000.0, "connected_clients": 50.0}, "run 0a1b")
    redis = MonitorReport(
        "redis",
        "redis",
        readings=60,
        series=(
            SeriesReport("used_memory", SIZE, 60, 1_020_000, 1_010_000, 1_310_000, 1_310_000, 290_000.0),
            SeriesReport("fragmentation", NUMBER, 60, 1.25, 1.1, 1.25, 1.1, -0.15),
            SeriesReport("connected_clients", COUNT, 60, 51, 51, 51, 51, 0.0),
            SeriesReport("evicted_keys", COUNT, 60, 0, 0, 0, 0, 0.0),
        ),
    )
    proxy = MonitorReport(
        "proxy",
        "prometheus",
        readings=2,
        gaps=1_234,
        why=gone,
        restarts=1,
        series=(
            SeriesReport("http_requests_in_flight_of_the_backend_pool_of_connections", COUNT, 2, 3, 3, 12, 12, None),
            SeriesReport("uptime", TIME, 2, 3600 * S, 4 * S, 3600 * S, 4 * S, None),
            SeriesReport("busy", SHARE, 2, 0.5, 0.5, 0.75, 0.75, None),
        ),
    )
    silent = MonitorReport("worker", "proc", gaps=3, why="no process has the id 4711")
    checks = (
        Checked(Check("growth(used_memory) < 1MB/min"), True, "growth(used_memory) = 290 KB/min"),
        Checked(Check("gaps[proxy] == 0", Level.NICE), False, "gaps[proxy] = 1,234"),
        Checked(
            Check("max(fds[worker]) < 100"), None,
            "cannot tell: the monitor worker gave no reading: no process has the id 4711",
        ),
    )  # fmt: skip
    return [
        Configured(plan(), "0.1.0", server="redis 7.0.15", host="4 CPUs of a kind, Linux 6.1", wall_s=START_S),
        Monitored(reading),
        MonitorGap(Gap("worker", 0, START_S + 1, "no process has the id 4711")),
        *phases("measure"),
        sample(0, counted(good(800, 200, misses=8), 10)),
        MonitorGap(Gap("worker", 0, START_S + 2, "no process has the id 4711")),
        MonitorGap(Gap("proxy", 0, START_S + 2, gone)),
        sample(1, counted(good(800, 200), 11)),
        replace_reading(reading, used_memory=1_310_000.0),
        sample(2, counted(good(800, 200), 12)),
        Result(
            plan(),
            measured,
            3 * S,
            phases=before(measured),
            max_rss_bytes=45_600_000,
            monitors=(redis, proxy, silent),
            checked=checks,
            notes=tuple(notes((redis, proxy, silent))),
            wall_s=START_S + 10,
        ),
    ]


def replace_reading(reading: Reading, **values: float) -> Monitored:
    """The next reading of a monitor, a second later, with other values."""
    return Monitored(replace(reading, wall_s=reading.wall_s + 1, values={**reading.values, **values}))


RUNS: dict[str, Callable[[], list[Event]]] = {
    run.__name__: run
    for run in (
        closed_loop,
        schedule,
        errors_of_all_kinds,
        failed,
        embedded,
        interrupted,
        zero_requests,
        ping,
        unbalanced,
        busy,
        objectives,
        many_phases,
        watched,
        overloaded,
        faults,
        endpoints,
        many_endpoints,
        agents,
        many_agents,
        monitored,
    )
}

DRY_RUNS: dict[str, Callable[[], list[Event]]] = {"dry_run": dry_run}
"""Runs without a load."""
