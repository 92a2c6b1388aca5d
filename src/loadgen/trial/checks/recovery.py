"""The check of recovery: every node with a fault is back inside the baseline's interval, as users see the node.

Times are response times here: a node is back when nobody waits for the client, or for a caller, longer than before.
"""

from __future__ import annotations

from loadgen.judge.named import Check
from loadgen.trial.account import counts_of
from loadgen.trial.checks import lateness
from loadgen.trial.ended import NodeFigures
from loadgen.trial.evidence import NOWHERE, Evidence
from loadgen.trial.observed import NEVER_NS
from loadgen.units import span


def recovered(evidence: Evidence) -> Check | None:
    """Every node with a fault is back in the baseline's interval, soon after its last fault ended."""
    if not evidence.plan.faults:
        return None
    limit_ns = evidence.plan.limits.recovery_ns
    name, limit = "recovered", f"≤ {span(limit_ns)}"
    faulted = [figures for figures in evidence.figures if figures.faulted]
    # A node that has none of the workload's keys has nothing to come back to.
    used = [f for f in faulted if any(counts_of(observed, f.node).begun for observed in evidence.within("baseline"))]
    touched = used or faulted
    for figures in touched:
        if not any(counts_of(observed, figures.node).ok for observed in evidence.within("baseline")):
            return Check(name, None, f"{_node(figures)} had no operation that ended well before the fault", limit)
    known = [(figures, figures.recovered_ns) for figures in touched if figures.recovered_ns is not None]
    late = [(figures, ns) for figures, ns in known if ns > limit_ns]
    never = [figures for figures in touched if figures.recovered_ns is None]
    if not late and not never:
        return Check(name, True, ", ".join(f"{_node(f)} {_soon(ns)}" for f, ns in known), limit)
    found = [f"{_node(figures)} {_soon(ns)}" for figures, ns in late]
    found += [f"{_node(figures)} is not back within {span(evidence.watched_ns(figures.node))}" for figures in never]
    # A node that was watched for less than the limit may still come back.
    untold = not late and all(evidence.watched_ns(figures.node) < limit_ns for figures in never)
    absences = [(evidence.ended_ns(each.node), ns) for each, ns in [*late, *((each, NEVER_NS) for each in never)]]
    explained = all(lateness.mostly_late(evidence, from_ns, from_ns + ns) for from_ns, ns in absences)
    passed, because = lateness.answer(evidence, explained)
    return Check(name, None if untold else passed, "; ".join(found) + because, limit)


def _node(figures: NodeFigures) -> str:
    return "the client" if figures.node == NOWHERE else f"node {figures.node}"


def _soon(ns: int) -> str:
    return f"{span(ns)} after its fault" if ns else "at once"
