"""The checks of nodes without a fault: a fault on other nodes takes nothing from them."""

from __future__ import annotations

from collections import Counter

from loadgen.judge.named import Check
from loadgen.trial.checks import lateness
from loadgen.trial.evidence import AFTER, Evidence
from loadgen.trial.observed import Counts, Observed, p99_ns
from loadgen.trial.plan import P99_FLOOR_NS
from loadgen.units import NS_PER_S, percent, span


def healthy_nodes(evidence: Evidence) -> Check | None:
    """Nodes without a fault keep their rate of good operations, and their service time, while others are down."""
    if not evidence.plan.faults:
        return None
    share = evidence.plan.limits.healthy
    name = "healthy nodes"
    limit = f"≥ {percent(share)} of the baseline; service p99 ≤ its worst ÷ {percent(share)}, or {span(P99_FLOOR_NS)}"
    healthy = _healthy(evidence)
    if not healthy:
        return Check(name, None, "every node has a fault, or the client does not tell nodes", limit, vital=False)
    found, lost = [], []
    explained = True
    for node in healthy:
        kept, took_ns, most_ns = _kept(evidence, node)
        if kept is None:
            return Check(name, None, f"no operation on node {node} ended well before the fault", limit)
        words = f"node {node} {percent(kept)}, service p99 {span(took_ns)}"
        found.append(words)
        if kept < share or took_ns > most_ns:
            lost.append(f"{words} (at most {span(most_ns)})" if took_ns > most_ns else words)
            explained = explained and _slowed(evidence, node, most_ns) and _idled(evidence, share - kept)
    if not lost:
        return Check(name, True, "; ".join(found), limit)
    passed, because = lateness.answer(evidence, explained)
    return Check(name, passed, "; ".join(lost) + because, limit)


def pools_free(evidence: Evidence) -> Check | None:
    """A node that is down exhausts no pool of another node."""
    if not evidence.plan.faults:
        return None
    healthy = _healthy(evidence)
    name, limit = "pools free", "0 waits in vain on other nodes"
    exposed = any(s.total is not None for o in evidence.phases.values() for s in o.states.values())
    vain = Counter({node: _of(evidence, node, *AFTER).errors.get("pool_exhausted", 0) for node in healthy})
    if not healthy:
        return Check(name, None, "every node has a fault", limit, vital=False)
    if +vain:
        found = ", ".join(f"{count:,} on node {node}" for node, count in sorted((+vain).items()))
        late = all(
            lateness.stalled(evidence, observed, {"pool_exhausted"})
            for observed in evidence.within(*AFTER)
            if any(observed.of(node).errors.get("pool_exhausted") for node in healthy)
        )
        passed, because = lateness.answer(evidence, late)
        return Check(name, passed, f"the pool was exhausted {found}{because}", limit)
    if not exposed and not any("pool_exhausted" in observed.of().errors for observed in evidence.within(*AFTER)):
        return Check(name, None, "the client does not expose its pool", limit, vital=False)
    return Check(name, True, "none", limit)


def _healthy(evidence: Evidence) -> list[int]:
    """Return the nodes without a fault on which operations were seen."""
    return sorted(evidence.used - evidence.faulted)


def _of(evidence: Evidence, node: int, *phases: str) -> Counts:
    return sum((evidence.phases[phase].of(node) for phase in phases if phase in evidence.phases), Counts())


def _kept(evidence: Evidence, node: int) -> tuple[float | None, int, int]:
    """Return the share of its rate that a node kept in the fault phase, its p99 then, and the highest that passes.

    In an open loop the share is exact: the operations on the node that ended well, of those that began, and the
    operations that began at all, of those that were due. In a closed loop it is a ratio of rates.
    The highest p99 is that of the worst of the baseline's intervals, divided by the share of the limits.
    """
    rate = _served if evidence.phases.get("fault", Observed()).due else _rate
    before, during = rate(evidence, node, "baseline"), rate(evidence, node, "fault")
    if not before or during is None:
        return None, 0, 0
    worst_ns = max((p99_ns(observed.of(node).service) for observed in evidence.within("baseline")), default=0)
    return (
        during / before,
        p99_ns(_of(evidence, node, "fault").service),
        round(max(worst_ns / evidence.plan.limits.healthy, P99_FLOOR_NS)),
    )


def _served(evidence: Evidence, node: int, phase: str) -> float | None:
    """Return the share of operations due on a node that began and ended well; None without any."""
    observed = evidence.phases.get(phase)
    if observed is None or not observed.due or not (of_node := observed.of(node)).begun:
        return None
    return min(1.0, of_node.ok / of_node.begun) * min(1.0, observed.of().begun / observed.due)


def _rate(evidence: Evidence, node: int, phase: str) -> float | None:
    """Return the good operations per second of a node in a phase; None without the phase."""
    observed = evidence.phases.get(phase)
    if observed is None or observed.to_ns <= observed.from_ns:
        return None
    return observed.of(node).ok * NS_PER_S / (observed.to_ns - observed.from_ns)


def _slowed(evidence: Evidence, node: int, most_ns: int) -> bool:
    """Return True when a healthy node's p99 is kept in those intervals whose own waits do not explain theirs."""
    others = []
    for observed in evidence.within("fault"):
        counts = observed.of(node)
        took_ns = p99_ns(counts.service)
        if took_ns <= most_ns or not lateness.explains(evidence, observed, took_ns, most_ns):
            others.append(counts)
    return p99_ns(sum(others, Counts()).service) <= most_ns


def _idled(evidence: Evidence, missing: float) -> bool:
    """Return True when waits were as large a share of the fault phase as what a node is missing of its limit."""
    during = evidence.phases["fault"]
    return lateness.waited_ns(evidence, during.from_ns, during.to_ns) >= missing * (during.to_ns - during.from_ns)
