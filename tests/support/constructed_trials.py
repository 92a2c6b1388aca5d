"""Constructed trials: what a client did, with invented numbers, and events of whole trials. See `constructed_events`.

Times are ns of an invented monotonic clock; intervals are 200 ms long, as callers report them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from constructed_events import START_S

from loadgen.events import Event, FaultBegan, FaultEnded
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.report import FaultReport, Spell
from loadgen.judge.expression.dimension import COUNT
from loadgen.monitors.report import MonitorReport, SeriesReport
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.trial.account import Account
from loadgen.trial.checks.every import judged
from loadgen.trial.ended import (
    ChaosBegan,
    ChaosEnded,
    ServerCount,
    TrialBegan,
    TrialEnded,
    TrialPhaseBegan,
    TrialSample,
)
from loadgen.trial.evidence import Closed, Evidence
from loadgen.trial.observed import Counts, Histogram, NodeState, Observed, Transition, WrongAnswer
from loadgen.trial.plan import ClientPlan, Phases, Traffic, TrialPlan

S = 1_000_000_000
MS = 1_000_000
TICK = 200 * MS

KILL = Fault("kill", Layer.PROCESS, on=(1,), for_ns=0)

PLAN = TrialPlan(
    scenario="kill-1-of-3",
    title="node 1 of 3 is killed, and started again at the end",
    client=ClientPlan("builtin", "loadgen.trial.adapters.builtin:make"),
    protocol="memcache",
    nodes=3,
    traffic=Traffic("mixed", {"get": 60, "set": 30, "delete": 5, "increment": 5}, rate_per_s=600),
    phases=Phases(S, 5 * S, 2 * S, 10 * S),
    concurrency=100,
    timeout_ns=S,
    seed=7,
    faults=(KILL,),
    expects=("timeout", "refused", "lost", "breaker_open"),
)

BASELINE, FAULT, RECOVERY, END = 1 * S, 6 * S, 8 * S, 18 * S
"""When the phases of PLAN begin and the last one ends."""


@functools.cache
def histogram(*values_ns: int) -> Histogram:
    """A histogram of these values, which is made once: nobody records into it."""
    found = Histogram()
    for value in values_ns:
        found.record(value)
    return found


def counts(
    ok: int = 40, took_ns: int = 500_000, *, refused_ns: int = 200_000, queued_ns: int = 0, **fields: object
) -> Counts:
    """Operations that ended: `ok` of them well, after `took_ns`, and `errors` after `refused_ns`.

    Both count from the call of the client, for which a caller was free `queued_ns` after the operation was due.
    """
    errors = fields.get("errors", {})
    assert isinstance(errors, dict)
    failed = sum(errors.values())
    return Counts(
        begun=ok + failed,
        ok=ok,
        latency=histogram(*[queued_ns + took_ns] * ok),
        failed_latency=histogram(*[queued_ns + refused_ns] * failed),
        service=histogram(*[took_ns] * ok),
        failed_service=histogram(*[refused_ns] * failed),
        **fields,  # type: ignore[arg-type]
    )


def state(**fields: object) -> NodeState:
    """The state of a node whose pool has 10 connections at rest."""
    rest: dict[str, object] = {
        "breaker": "closed",
        "consecutive_failures": 0,
        "total": 10,
        "constructing": 0,
        "active": 2,
        "idle": 8,
        "waiting": 0,
        "most": 10,
        "opened": 12,
        "closed": 2,
        "sockets": 10,
    }
    return NodeState(**(rest | fields))  # type: ignore[arg-type]


def interval(
    from_ns: int, nodes: Mapping[int, Counts], *, states: Mapping[int, NodeState] | None = None, **fields: object
) -> Observed:
    return Observed(
        from_ns=from_ns,
        to_ns=from_ns + TICK,
        nodes=dict(nodes),
        states={node: state() for node in nodes if node} if states is None else states,
        slowest_ns=max((each.latency.max for each in nodes.values() if each.latency.count), default=0),
        **fields,  # type: ignore[arg-type]
    )


def phase_at(at_ns: int) -> str:
    found = {0: "settle", BASELINE: "baseline", FAULT: "fault", RECOVERY: "recovery"}
    return next(name for begin, name in sorted(found.items(), reverse=True) if at_ns >= begin)


Changed = Callable[[int, Observed], Observed]


def as_it_was(at_ns: int, observed: Observed) -> Observed:
    return observed


def intervals(changed: Changed = as_it_was, *, down_until_ns: int = RECOVERY) -> list[tuple[str, Observed]]:
    """A client that loses node 1 in the fault phase, refuses its operations at once, and is back `down_until_ns`."""
    found = []
    for at_ns in range(0, END, TICK):
        down = FAULT <= at_ns < down_until_ns
        first = counts(0, errors={"refused": 30} if at_ns < FAULT + S else {"breaker_open": 40}) if down else counts()
        opened = (Transition(FAULT + 300 * MS, 1, "closed", "open"),) * (at_ns == FAULT + TICK)
        probed = (
            Transition(down_until_ns + 100 * MS, 1, "open", "half-open"),
            Transition(down_until_ns + 150 * MS, 1, "half-open", "closed"),
        ) * (at_ns == down_until_ns)
        states = {n: state(breaker="open" if n == 1 and FAULT + 2 * TICK <= at_ns < down_until_ns else "closed")
                  for n in (1, 2, 3)}  # fmt: skip
        observed = interval(
            at_ns, {1: first, 2: counts(), 3: counts()}, states=states, transitions=opened + probed, due=120
        )
        found.append((phase_at(at_ns), changed(at_ns, observed)))
    return found


def report(fault: Fault = KILL, effects: int = 1, failure: str = "", node: int = 1) -> FaultReport:
    return FaultReport(fault, (Spell(node, FAULT, RECOVERY),), effects, failure)


CLOSED = Closed(states={node: state(active=0, idle=10) for node in (1, 2, 3)})


def evidence(
    changed: Changed = as_it_was,
    *,
    plan: TrialPlan = PLAN,
    faults: Sequence[FaultReport] | None = None,
    closed: Closed | None = CLOSED,
    writers: int = 1,
    down_until_ns: int = RECOVERY,
) -> Evidence:
    account = Account(plan, writers)
    for phase, observed in intervals(changed, down_until_ns=down_until_ns):
        account.take(phase, observed)
    return account.evidence((report(),) if faults is None else tuple(faults), closed)


# ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def ended(found: Evidence, **fields: object) -> TrialEnded:
    given: dict[str, object] = {
        "plan": found.plan,
        "checks": judged(found),
        "phases": found.phases,
        "figures": found.figures,
        "faults": found.faults,
        "transitions": found.transitions,
        "wrong": tuple(each for o in found.phases.values() for each in o.wrong)[:20],
        "client_version": "loadgen 0.1.0",
        "server": "memcached 1.6.18",
        "servers": (ServerCount(1, None), *(ServerCount(node, {"get": 2040, "set": 40}) for node in (2, 3))),
        "began_ns": BASELINE,
        "wall_s": START_S + 18,
    }
    return TrialEnded(**(given | fields))  # type: ignore[arg-type]


def passed() -> TrialEnded:
    return ended(evidence())


def failed() -> TrialEnded:
    """A client that hands out another key's value, never comes back, and leaves a socket open."""

    def confused(at_ns: int, observed: Observed) -> Observed:
        if at_ns < FAULT + S:
            return observed
        wrong = WrongAnswer("other_key", at_ns, 2, "lg:1:s4", "value 17 of writer 2 for key lg:2:s9\x1b[2J, 1.2 s old")
        node = counts(39, wrong=1)
        lost = counts(0, errors={"other": 12, "timeout": 3})
        found = {**observed.nodes, 0: counts(6, 700_000, errors={"lost": 2}), 1: lost, 2: node}
        parts = {1: Counts(begun=2, errors={"lost": 2}), 3: Counts(begun=8, ok=8)}
        return replace(
            observed, nodes=found, parts=parts, wrong=(wrong,), examples={"other": "KeyError: 'no such\x1b[2J node'"}
        )

    closed = replace(CLOSED, leaked_sockets=2, leaked_tasks=1, leaked="Task-9")
    return ended(
        evidence(confused, closed=closed),
        plan=replace(PLAN, client=ClientPlan("mine:make", "mine:make"), namespaces=("east", "we\x1b[2Jst")),
        client_version="mine 1.0",
        notes=(Reason(Code.CONFIGURATION, "[client] of the scenario is for the built-in client: not acted on"),),
        wall_s=START_S + 19,
    )


def untold() -> TrialEnded:
    """A client that exposes nothing, under a fault that did not fire."""

    def bare(at_ns: int, observed: Observed) -> Observed:
        return replace(observed, nodes={0: counts(120)}, states={}, transitions=())

    found = evidence(bare, faults=(report(effects=0),), closed=replace(CLOSED, states={}))
    return ended(found, plan=replace(PLAN, client=ClientPlan("bare", "bare:make")), client_version="", server="")


def monitored() -> TrialEnded:
    """A trial with a monitor that had gaps while the node was down."""
    series = SeriesReport("fds", COUNT, 80, 32, 23, 32, 25, -28.5)
    why = "the server is not running"
    read = MonitorReport("proc", "proc", readings=80, gaps=5, why=why, restarts=1, series=(series,))
    return ended(evidence(), monitors=(read,))


def could_not_run() -> TrialEnded:
    why = Reason(Code.WORKER_DIED, "caller 1 of pymemcache ended with exit status 1", Severity.COULD_NOT_RUN)
    return TrialEnded(plan=PLAN, checks=(), reasons=(why,), wall_s=START_S + 2)


def interrupted() -> TrialEnded:
    found = evidence()
    kept = {name: found.phases[name] for name in ("settle", "baseline")}
    return ended(replace(found, phases=kept), checks=(), figures=(), faults=(), transitions=(), interrupted=True)


def told(end: TrialEnded, number: int = 1) -> list[Event]:
    """The events of a trial, with three of its samples."""
    shown = [each for each in intervals() if each[1].from_ns in (BASELINE, FAULT + TICK, RECOVERY)]
    lengths = {"baseline": 5 * S, "fault": 2 * S, "recovery": 10 * S}
    events: list[Event] = [TrialBegan(end.plan, number, START_S)]
    for phase, observed in shown:
        at_s = START_S + observed.from_ns / S
        events.append(TrialPhaseBegan(phase, lengths[phase], at_s))
        if phase == "fault":
            events.append(FaultBegan(KILL, 1, FAULT, at_s))
        if phase == "recovery":
            events.append(FaultEnded(KILL, 1, RECOVERY, at_s, 1))
        events.append(TrialSample(phase, observed, at_s + 0.2))
    return [*events, end]


def chaos(*ends: TrialEnded, interrupted: bool = False) -> list[Event]:
    events: list[Event] = [ChaosBegan(tuple(end.plan for end in ends), wall_s=START_S)]
    for number, end in enumerate(ends, 1):
        events += told(end, number)
    return [*events, ChaosEnded(ends, interrupted)]


def without_faults() -> list[Event]:
    """A workload without faults, until somebody stops it."""
    plan = replace(PLAN, scenario="", title="", faults=(), expects=(), phases=Phases(S, 0, 0, 0))
    [(_, observed)] = [each for each in intervals() if each[1].from_ns == BASELINE]
    sample = TrialSample("baseline", observed, START_S + 1)
    account = Account(plan)
    account.take("baseline", observed)
    end = ended(account.evidence((), CLOSED), interrupted=True)
    return [
        ChaosBegan((), wall_s=START_S),
        TrialBegan(plan, 1, START_S),
        TrialPhaseBegan("baseline", 0, START_S),
        sample,
        end,
        ChaosEnded((end,), interrupted=True),
    ]


TRIALS: dict[str, Callable[[], list[Event]]] = {
    "chaos_passed": lambda: chaos(passed()),
    "chaos_failed": lambda: chaos(failed()),
    "chaos_untold": lambda: chaos(untold()),
    "chaos_could_not_run": lambda: chaos(could_not_run()),
    "chaos_interrupted": lambda: chaos(interrupted(), interrupted=True),
    "chaos_several": lambda: chaos(passed(), failed(), untold()),
    "chaos_without_faults": without_faults,
    "chaos_monitored": lambda: chaos(monitored()),
}
