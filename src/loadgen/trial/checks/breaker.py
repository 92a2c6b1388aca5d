"""The check of circuit breakers: their changes are legal, founded on failures, and all end closed."""

from __future__ import annotations

from collections import Counter

from loadgen.judge.named import Check
from loadgen.trial.evidence import NOWHERE, Evidence
from loadgen.units import NS_PER_S

PROBES = 3
"""Operations that a half-open breaker may let through at once: gobreaker's MaxRequests of upstream's settings."""

OPEN_NS = 5 * NS_PER_S
"""The time after which an open breaker lets probes through: gobreaker's Timeout of upstream's settings."""

LEGAL = {("closed", "open"), ("open", "half-open"), ("half-open", "open"), ("half-open", "closed")}
"""The changes of state that a breaker may make."""


def breaker_legal(evidence: Evidence) -> Check:
    """Breakers change as they may, refuse operations only when they have opened, and all end closed.

    They change between neighbouring states, each change follows from the one before, and none opens on a node without
    a failure.
    """
    name, limit = "breaker", "legal transitions, closed at the end"
    last = {node: state.breaker for _, o in evidence.intervals for node, state in o.states.items() if state.breaker}
    changes = evidence.transitions
    if not last and not changes:
        return Check(name, None, "the client exposes none", limit, vital=False)
    for change in changes:
        if (change.before, change.after) not in LEGAL:
            return Check(name, False, f"node {change.node}: {change.before} → {change.after}", limit)
    if evidence.writers == 1 and (broken := _broken_chain(evidence)):
        return Check(name, False, broken, limit)
    if unfounded := _unfounded(evidence, {*last}):
        return Check(name, False, unfounded, limit)
    rest = {node: s.breaker for node, s in evidence.closed.states.items() if s.breaker} if evidence.closed else {}
    unclosed = [f"node {node}'s is {state}" for node, state in sorted({**last, **rest}.items()) if state != "closed"]
    if unclosed:
        watched_ns = min((evidence.watched_ns(each.node) for each in evidence.figures if each.faulted), default=0)
        told = watched_ns >= evidence.plan.limits.recovery_ns
        return Check(name, False if told else None, f"at the end {', '.join(unclosed)}", limit, vital=told)
    opened = sum(change.after == "open" for change in changes)
    return Check(name, True, f"transitions: {len(changes)}, to open: {opened}" if changes else "never opened", limit)


def _unfounded(evidence: Evidence, exposed: set[int]) -> str:
    """Return what the callers' own counts say against the breakers that the client exposes; empty for nothing.

    Failures of operations on several nodes may be those of any node. A client that tries again elsewhere (failover) or
    anew shows its callers none: dials that failed and connections that were given up, by its own counts, count too.
    """
    opened = {change.node for change in evidence.transitions if change.after == "open"}
    failures: Counter[int] = Counter()
    for node in sorted({NOWHERE, *exposed, *opened}):
        errors = sum((Counter(o.of(node).errors) for _, o in evidence.intervals), Counter[str]())
        refused = errors.pop("breaker_open", 0)
        own = [state for _, o in evidence.intervals if (state := o.states.get(node)) is not None]
        failures[node] = errors.total() + max(
            ((each.failed_dials or 0) + (each.abandoned or 0) for each in own), default=0
        )
        if refused and node != NOWHERE and node not in opened:
            return f"node {node}: operations that its breaker refused: {refused:,}, and the breaker never opened"
    for node in sorted(opened):
        if not failures[node] + failures[NOWHERE]:
            return f"node {node}: its breaker opened, and no operation on the node had failed"
    return ""


def _broken_chain(evidence: Evidence) -> str:
    """Return the first change that does not begin where the one before it ended; empty when there is none."""
    states: dict[int, str] = {}
    for change in evidence.transitions:
        if states.get(change.node, "closed") != change.before:
            return (
                f"node {change.node}: {change.before} → {change.after} after the breaker was "
                f"{states.get(change.node, 'closed')}"
            )
        states[change.node] = change.after
    return ""
