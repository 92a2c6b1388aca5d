"""Clients on trial from their records. No I/O.

The workload of a plan has its name and rate only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loadgen.events import Event, FaultBegan, FaultEnded
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.report import FaultReport, Spell
from loadgen.judge.check import Level
from loadgen.judge.named import Check
from loadgen.record.read import latency
from loadgen.record.read.fields import Fields
from loadgen.record.read.monitors import monitors
from loadgen.record.read.reasons import reasons
from loadgen.severity import Severity
from loadgen.snapshot import Histogram
from loadgen.trial.ended import (
    NodeFigures,
    PoolPoint,
    ServerCount,
    TrialBegan,
    TrialEnded,
    TrialPhaseBegan,
    TrialSample,
)
from loadgen.trial.observed import Counts, NodeState, Observed, Transition, WrongAnswer
from loadgen.trial.plan import ClientPlan, Limits, Phases, Traffic, TrialPlan


def event(record: Fields) -> Event | None:
    """Return the event of a record; None for a record of another kind."""
    match record.name:
        case "trial-began":
            return TrialBegan(plan(record.part("plan")), record.count("number"), record.wall_s())
        case "trial-phase":
            return TrialPhaseBegan(record.text("phase"), record.ns("secs"), record.wall_s())
        case "trial-sample":
            return TrialSample(record.text("phase"), _observed(record), record.wall_s())
        case "fault":
            return _fault_event(record)
        case "trial":
            return _ended(record)
        case _:
            return None


def plan(record: Fields) -> TrialPlan:
    phases, limits = record.part("phases"), record.part("limits")
    return TrialPlan(
        scenario=record.text("scenario"),
        title=record.text("title"),
        client=ClientPlan(record.text("client"), record.text("factory"), dict(record.get("options", {}))),
        protocol=record.text("protocol"),
        nodes=record.count("nodes"),
        traffic=Traffic(record.text("workload"), {}, rate_per_s=record.number("rate_per_s")),
        phases=Phases(*(phases.ns(name) for name in ("settle", "baseline", "fault", "recovery"))),
        concurrency=record.count("concurrency"),
        timeout_ns=record.ns("timeout_secs"),
        seed=record.count("seed"),
        faults=tuple(map(fault, record.parts("faults"))),
        groups=record.count("groups"),
        namespaces=tuple(map(str, record.get("namespaces", ()))),
        expects=record.texts("expects"),
        limits=Limits(
            limits.ns("recovery_secs"), limits.ns("refusal_secs"), limits.number("healthy"), limits.ns("unread_secs")
        ),
    )


def _fault_event(record: Fields) -> Event:
    its, node = fault(record.part("fault")), record.count("node")
    if record.get("begins", True):
        return FaultBegan(its, node, 0, record.wall_s())
    return FaultEnded(its, node, 0, record.wall_s(), record.count("effects"), record.text("failure"))


def _ended(record: Fields) -> TrialEnded:
    phases = record.part("phases")
    return TrialEnded(
        plan=plan(record.part("plan")),
        checks=tuple(map(check, record.parts("checks"))),
        phases={name: _observed(phases.part(name)) for name in phases.values},
        figures=tuple(map(_figures, record.parts("nodes"))),
        faults=tuple(map(report, record.parts("faults"))),
        transitions=tuple(
            Transition(each.ns("at_secs"), each.count("node"), each.text("before"), each.text("after"))
            for each in record.parts("transitions")
        ),
        wrong=tuple(
            WrongAnswer(each.text("kind"), each.ns("at_secs"), each.count("node"), each.text("key"), each.text("found"))
            for each in record.parts("wrong")
        ),
        pools=tuple(map(_pool, record.parts("pools"))),
        servers=tuple(map(_server, record.parts("servers"))),
        monitors=monitors(record),
        leaked_sockets=record.get("leaked_sockets", None),
        backend_served=record.get("backend_served", None),
        client_version=record.text("client_version"),
        server=record.text("server"),
        reasons=reasons(record, "could_not_run", Severity.COULD_NOT_RUN),
        notes=reasons(record, "notes"),
        interrupted=bool(record.get("interrupted", False)),
        wall_s=record.wall_s(),
    )


def _server(record: Fields) -> ServerCount:
    counted = record.get("operations", None)
    return ServerCount(record.count("node"), None if counted is None else {name: int(n) for name, n in counted.items()})


def fault(record: Fields) -> Fault:
    return Fault(
        kind=record.text("kind"),
        layer=Layer(record.text("layer")),
        on=tuple(map(int, record.get("on", ()))),
        at_ns=record.ns("at_secs"),
        for_ns=record.ns("for_secs"),
        every_ns=record.ns("every_secs"),
        times=record.count("times"),
        stagger_ns=record.ns("stagger_secs"),
        parameters=dict(record.get("parameters", {})),
        seed=record.count("seed"),
        roles=tuple(map(str, record.may("roles", ()))),
    )


def report(record: Fields) -> FaultReport:
    spells = tuple(
        Spell(each.count("node"), each.ns("began_secs"), _ns(each, "ended_secs"), each.get("effects", None))
        for each in record.parts("spells")
    )
    seen = None if record.get("seen", None) is None else record.count("seen")
    return FaultReport(fault(record.part("fault")), spells, record.count("effects"), record.text("failure"), seen)


def check(record: Fields) -> Check:
    return Check(
        record.text("name"),
        record.get("passed", None),
        record.text("found"),
        record.text("limit"),
        bool(record.get("vital", True)),
        Level(record.text("level")) if "level" in record else None,
    )


def _figures(record: Fields) -> NodeFigures:
    return NodeFigures(
        record.count("node"),
        bool(record.get("faulted", False)),
        _ns(record, "detected_secs"),
        _ns(record, "outage_secs"),
        _ns(record, "recovered_secs"),
    )


def _pool(record: Fields) -> PoolPoint:
    numbers = (record.get(name, None) for name in ("total", "active", "idle", "waiting"))
    return PoolPoint(record.ns("at_secs"), record.text("phase"), record.count("node"), *numbers)


def _observed(record: Fields) -> Observed:
    states, parts = record.part("states"), _by_node(record.part("parts"))
    by_node = {node: _without(counts, parts.get(node)) for node, counts in _by_node(record.part("by_node")).items()}
    return Observed(
        from_ns=0,
        to_ns=record.ns("secs"),
        nodes={node: counts for node, counts in by_node.items() if counts != Counts()},
        parts=parts,
        states={int(node): _state(states.part(node)) for node in states.values},
        unread_ns=record.ns("unread_secs"),
        slowest_ns=record.ns("slowest_secs"),
        waited_ns=record.ns("waited_secs"),
        under_way=record.count("under_way"),
        due=record.count("due"),
        backend_loads=record.count("backend_loads"),
        expiries=record.count("expiries"),
        tasks=record.get("tasks", None),
        examples=dict(record.get("examples", {})),
    )


def _by_node(record: Fields) -> dict[int, Counts]:
    return {int(node): _counts(record.part(node)) for node in record.values}


def _without(counts: Counts, part: Counts | None) -> Counts:
    """Return the counts of a node without its parts of operations on several nodes."""
    if part is None:
        return counts
    rest = counts - part
    return replace(rest, errors={error: count for error, count in rest.errors.items() if count})


def _counts(record: Fields) -> Counts:
    return Counts(
        begun=record.count("begun"),
        ok=record.count("ok"),
        misses=record.count("misses"),
        wrong=record.count("wrong"),
        errors={str(name): int(count) for name, count in record.get("errors", {}).items()},
        overdue=record.count("overdue"),
        latency=histogram(record.part("latency")),
        failed_latency=histogram(record.part("failed_latency")),
        service=histogram(record.part("service")),
        failed_service=histogram(record.part("failed_service")),
    )


def histogram(record: Fields) -> Histogram:
    return latency.whole(record.get("histogram", None), record)


def _state(record: Fields) -> NodeState:
    values: dict[str, Any] = {name: record.get(name, None) for name in NodeState.__dataclass_fields__}
    return NodeState(**values)


def _ns(record: Fields, name: str) -> int | None:
    return None if record.get(name, None) is None else record.ns(name)
