"""Clients on trial as records. Times of a trial are seconds from the start of its baseline. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.events import FaultBegan, FaultEnded
from loadgen.faults.fault import Fault
from loadgen.faults.report import FaultReport
from loadgen.judge.named import Check
from loadgen.record.write import latency
from loadgen.record.write.monitors import monitors
from loadgen.record.write.spelling import codes, number, secs, share, tallied, text, timestamp, words
from loadgen.snapshot import Histogram, encode_v2
from loadgen.trial.ended import NodeFigures, PoolPoint, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.trial.observed import Counts, NodeState, Observed
from loadgen.trial.plan import TrialPlan


def began(event: TrialBegan) -> dict[str, Any]:
    return {
        "type": "trial-began",
        "ts": timestamp(event.wall_s),
        "number": event.number,
        "plan": plan(event.plan),
    }


def phase(event: TrialPhaseBegan) -> dict[str, Any]:
    return {
        "type": "trial-phase",
        "ts": timestamp(event.wall_s),
        "phase": event.phase,
        "secs": secs(event.length_ns),
    }


def sample(event: TrialSample) -> dict[str, Any]:
    return {
        "type": "trial-sample",
        "ts": timestamp(event.wall_s),
        "phase": event.phase,
        **observed(event.observed),
    }


def fault_began(event: FaultBegan) -> dict[str, Any]:
    return {
        "type": "fault",
        "ts": timestamp(event.wall_s),
        "begins": True,
        "node": event.node,
        "fault": fault(event.fault),
        "effects": None,
        "failure": None,
    }


def fault_ended(event: FaultEnded) -> dict[str, Any]:
    return {
        "type": "fault",
        "ts": timestamp(event.wall_s),
        "begins": False,
        "node": event.node,
        "fault": fault(event.fault),
        "effects": event.effects,
        "failure": text(event.failure) or None,
    }


def ended(event: TrialEnded) -> dict[str, Any]:
    since_ns = event.began_ns
    return {
        "type": "trial",
        "ts": timestamp(event.wall_s),
        "plan": plan(event.plan),
        "client_version": text(event.client_version),
        "server": text(event.server),
        "verdict": event.verdict,
        "checks": [check(each) for each in event.checks],
        "phases": {name: observed(each) for name, each in event.phases.items()},
        "nodes": [figures(each) for each in event.figures],
        "faults": [report(each, since_ns) for each in event.faults],
        "transitions": [
            {
                "at_secs": secs(each.at_ns - since_ns),
                "node": each.node,
                "before": text(each.before),
                "after": text(each.after),
            }
            for each in event.transitions
        ],
        "pools": [pool(each, since_ns) for each in event.pools],
        "wrong": [
            {
                "at_secs": secs(each.at_ns - since_ns),
                "kind": each.kind,
                "node": each.node,
                "key": text(each.key),
                "found": text(each.found),
            }
            for each in event.wrong
        ],
        "servers": [
            {"node": each.node, "operations": None if each.operations is None else dict(each.operations)}
            for each in event.servers
        ],
        **monitors(event.monitors),
        "leaked_sockets": event.leaked_sockets,
        "backend_served": event.backend_served,
        "could_not_run": words(event.reasons),
        "notes": words(event.notes),
        "codes": {"could_not_run": codes(event.reasons), "notes": codes(event.notes)},
        "interrupted": event.interrupted,
    }


def plan(of: TrialPlan) -> dict[str, Any]:
    return {
        "scenario": text(of.scenario),
        "title": text(of.title),
        "client": text(of.client.name),
        "factory": text(of.client.factory),
        "options": {text(name): value for name, value in of.client.options.items()},
        "protocol": of.protocol,
        "nodes": of.nodes,
        "groups": of.groups,
        "namespaces": [text(name) for name in of.namespaces],
        "workload": text(of.traffic.name),
        "rate_per_s": number(of.traffic.rate_per_s),
        "concurrency": of.concurrency,
        "timeout_secs": secs(of.timeout_ns),
        "seed": of.seed,
        "phases": {
            "settle": secs(of.phases.settle_ns),
            "baseline": secs(of.phases.baseline_ns),
            "fault": secs(of.phases.fault_ns),
            "recovery": secs(of.phases.recovery_ns),
        },
        "expects": list(of.expects),
        "limits": {
            "recovery_secs": secs(of.limits.recovery_ns),
            "refusal_secs": secs(of.limits.refusal_ns),
            "healthy": of.limits.healthy,
            "unread_secs": secs(of.limits.unread_ns),
        },
        "faults": [fault(each) for each in of.faults],
    }


def fault(of: Fault) -> dict[str, Any]:
    return {
        "kind": of.kind,
        "layer": str(of.layer),
        "on": list(of.on),
        **({"roles": list(of.roles)} if of.roles else {}),
        "at_secs": secs(of.at_ns),
        "for_secs": secs(of.for_ns),
        "every_secs": secs(of.every_ns),
        "times": of.times,
        "stagger_secs": secs(of.stagger_ns),
        "parameters": dict(of.parameters),
        "seed": of.seed,
    }


def report(of: FaultReport, since_ns: int) -> dict[str, Any]:
    return {
        "fault": fault(of.fault),
        "spells": [
            {
                "node": spell.node,
                "began_secs": secs(spell.began_ns - since_ns),
                "ended_secs": None if spell.ended_ns is None else secs(spell.ended_ns - since_ns),
                "effects": spell.effects,
            }
            for spell in of.spells
        ],
        "effects": of.effects,
        "seen": of.seen,
        "fired": of.fired,
        "failure": text(of.failure) or None,
    }


def check(of: Check) -> dict[str, Any]:
    return {
        "name": of.name,
        "passed": of.passed,
        "found": text(of.found),
        "limit": text(of.limit) or None,
        "vital": of.vital,
        **({"level": str(of.level)} if of.level is not None else {}),
    }


def figures(of: NodeFigures) -> dict[str, Any]:
    return {
        "node": of.node,
        "faulted": of.faulted,
        "detected_secs": None if of.detected_ns is None else secs(of.detected_ns),
        "outage_secs": None if of.outage_ns is None else secs(of.outage_ns),
        "recovered_secs": None if of.recovered_ns is None else secs(of.recovered_ns),
    }


def pool(of: PoolPoint, since_ns: int) -> dict[str, Any]:
    return {
        "at_secs": secs(of.at_ns - since_ns),
        "phase": of.phase,
        "node": of.node,
        "total": of.total,
        "active": of.active,
        "idle": of.idle,
        "waiting": of.waiting,
    }


def observed(of: Observed) -> dict[str, Any]:
    """Return an interval or a phase: all nodes together, each node, and the state of the client at its end."""
    length_ns = max(0, of.to_ns - of.from_ns)
    return {
        "secs": secs(length_ns),
        "all": counts(of.of(), length_ns),
        "by_node": {str(node): counts(of.of(node), length_ns) for node in sorted(of.seen)},
        "parts": {str(node): counts(each, length_ns) for node, each in sorted(of.parts.items())},
        "states": {str(node): state(each) for node, each in sorted(of.states.items())},
        "unread_secs": secs(of.unread_ns),
        "slowest_secs": secs(of.slowest_ns),
        "waited_secs": secs(of.waited_ns),
        "under_way": of.under_way,
        "due": of.due,
        "backend_loads": of.backend_loads,
        "expiries": of.expiries,
        "tasks": of.tasks,
        "examples": {name: text(said) for name, said in of.examples.items()},
    }


def counts(of: Counts, length_ns: int) -> dict[str, Any]:
    return {
        "begun": of.begun,
        "ok": of.ok,
        "ok_per_s": number(round(of.ok * 1e9 / length_ns, 3)) if length_ns else None,
        "success": share(of.ok, of.ended),
        "failure": share(of.failed + of.wrong, of.ended),
        "misses": of.misses,
        "wrong": of.wrong,
        "overdue": of.overdue,
        "errors": tallied(of.errors),
        "latency": times(of.latency),
        "failed_latency": times(of.failed_latency),
        "service": times(of.service),
        "failed_service": times(of.failed_service),
    }


def times(of: Histogram) -> dict[str, Any]:
    return {**latency.in_ns(of), "histogram": encode_v2(of)}


def state(of: NodeState) -> dict[str, Any]:
    names = ("consecutive_failures", "total", "constructing", "active", "idle", "waiting", "most", "opened", "closed")
    return {
        "breaker": None if of.breaker is None else text(of.breaker),
        **{name: getattr(of, name) for name in (*names, "failed_dials", "abandoned", "sockets")},
    }
