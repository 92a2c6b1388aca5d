"""The checks of what a client says of itself, and of what it leaves behind: its pools, its sockets, its tasks."""

from __future__ import annotations

from loadgen.judge.named import Check
from loadgen.trial.checks import lateness
from loadgen.trial.evidence import Evidence
from loadgen.trial.observed import NodeState
from loadgen.units import span


def statistics_readable(evidence: Evidence) -> Check:
    """The client's statistics can be read at all times."""
    limit_ns = evidence.plan.limits.unread_ns
    name, limit = "statistics", f"every {span(limit_ns)}"
    if not any(observed.states for observed in evidence.phases.values()):
        return Check(name, None, "the client exposes none", limit, vital=False)
    unread_ns = max(observed.unread_ns for observed in evidence.phases.values())
    if unread_ns <= limit_ns:
        return Check(name, True, f"read within {span(unread_ns)}", limit)
    late = all(
        lateness.explains(evidence, observed, observed.unread_ns, limit_ns)
        for _, observed in evidence.intervals
        if observed.unread_ns > limit_ns
    )
    passed, because = lateness.answer(evidence, late)
    return Check(name, passed, f"unreadable for {span(unread_ns)}{because}", limit)


def pool_arithmetic(evidence: Evidence) -> Check:
    """Constructing, idle and active connections are all there are, and the kernel has as many sockets at rest."""
    name, limit = "pool arithmetic", "constructing + idle + active = total ≤ max"
    seen = [(node, state) for _, o in evidence.intervals for node, state in o.states.items() if _counts_pool(state)]
    if not seen:
        return Check(name, None, "the client does not expose its pool", limit, vital=False)
    for node, state in seen:
        if wrong := _miscounted(state):
            return Check(name, False, f"node {node}: {wrong}", limit)
    rest = evidence.closed.states if evidence.closed is not None else {}
    for node, state in rest.items():
        if state.sockets is not None and state.total is not None and state.sockets != state.total:
            words = f"node {node}: {state.total} connections at rest, and {state.sockets} sockets by the kernel"
            return Check(name, False, words, limit)
    by_kernel = ", and the kernel agrees at rest" if any(s.sockets is not None for s in rest.values()) else ""
    return Check(name, True, f"held in {len(seen):,} readings{by_kernel}", limit)


def nothing_left(evidence: Evidence) -> Check:
    """After its close a client has no socket, task or thread left."""
    name, limit, closed = "nothing left", "0 sockets, 0 tasks", evidence.closed
    if closed is None:
        return Check(name, None, "the trial ended before the client was closed", limit)
    sockets = f"sockets to nodes: {closed.leaked_sockets}" if closed.leaked_sockets else ""
    tasks = f"tasks or threads: {closed.leaked_tasks} ({closed.leaked})" if closed.leaked_tasks else ""
    hung = closed.stuck.removesuffix(".") or ("the client did not close in time" if closed.hung else "")
    error = f"its close raised {closed.error}" if closed.error else ""
    if left := [words for words in (hung, error, sockets, tasks) if words]:
        return Check(name, False, ", ".join(left), limit)
    if closed.leaked_sockets is None:
        return Check(name, None, "the kernel does not say which sockets are open", limit, vital=False)
    return Check(name, True, "none", limit)


def _counts_pool(state: NodeState) -> bool:
    return None not in (state.total, state.constructing, state.idle, state.active)


def _miscounted(state: NodeState) -> str:
    """Return why the numbers of a pool do not add up; empty when they do."""
    parts = (state.constructing or 0) + (state.idle or 0) + (state.active or 0)
    if parts != state.total:
        return (
            f"{state.constructing} constructing + {state.idle} idle + {state.active} active is {parts}, "
            f"and the total is {state.total}"
        )
    if state.most is not None and parts > state.most:
        return f"{state.total} connections, and {state.most} at most"
    if state.opened is not None and state.closed is not None:
        live = parts - (state.constructing or 0)
        if state.opened - state.closed != live:
            return f"{state.opened} opened − {state.closed} closed is not {live}, the connections that are there"
    return ""
