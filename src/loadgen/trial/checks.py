"""The checks of a trial: what a client must have done under a fault, whatever client it is. Pure functions.

Each check is applied to the evidence, and passes, fails or cannot tell. A check of what a client does not expose is not
vital: its None makes no trial untold. Limits on the client's own time are held against service times: the wait before,
until a caller was free, is in the response times that users are shown. Where waits of the callers for a CPU explain all
of what is beyond a limit on time (`lateness`), the check cannot tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from loadgen.engine._histogram import Histogram
from loadgen.faults.kinds import KINDS
from loadgen.faults.report import FaultReport
from loadgen.trial import lateness
from loadgen.trial.account import P99, counts_of
from loadgen.trial.check import Check
from loadgen.trial.ended import NodeFigures
from loadgen.trial.evidence import NOWHERE, Evidence, in_words, real_node
from loadgen.trial.observed import NEVER_NS, Counts, NodeState, Observed
from loadgen.trial.plan import TOLERANCE_NS
from loadgen.units import NS_PER_MS, NS_PER_S, percent, span

REFUSALS = frozenset({"breaker_open", "refused"})
"""The classes of errors for which no reply is waited for."""

OF_TIME = frozenset({"timeout", "pool_exhausted", "breaker_open"})
"""The classes of errors that a client without CPU time may have."""

PROBES = 3
"""Operations that a half-open breaker may let through at once: gobreaker's MaxRequests of upstream's settings."""

OPEN_NS = 5 * NS_PER_S
"""The time after which an open breaker lets probes through: gobreaker's Timeout of upstream's settings."""

P99_FLOOR_NS = 10 * NS_PER_MS
"""A p99 of a healthy node up to this length is never a failure: caller, proxy and server share CPUs, and each may wait
for the turns of the others, which are milliseconds long."""

LEGAL = {("closed", "open"), ("open", "half-open"), ("half-open", "open"), ("half-open", "closed")}
"""The changes of state that a breaker may make."""

AFTER = ("fault", "recovery")


def judged(evidence: Evidence) -> tuple[Check, ...]:
    """Return every check of CHECKS that applies, in their order."""
    return tuple(check for judge in CHECKS.values() if (check := judge(evidence)) is not None)


def fault_fired(evidence: Evidence) -> Check | None:
    """Every fault took effect, by a counter of its own. A fault without effect shows nothing of a client."""
    if not evidence.plan.faults:
        return None
    name, limit = "fault fired", "every fault"
    failures = [
        f"{in_words(report.fault, evidence.plan)}: {report.failure}" for report in evidence.faults if report.failure
    ]
    idle = [
        f"{in_words(report.fault, evidence.plan)} had no effect{_where(report, evidence)}: "
        f"{KINDS[report.fault.kind].counts} {report.effects}, and at least {KINDS[report.fault.kind].least} had to be"
        for report in evidence.faults
        if not report.failure and not report.fired
    ]
    missing = len(evidence.plan.faults) - len(evidence.faults)
    if failures or idle or missing:
        unbegun = [f"{missing} of {len(evidence.plan.faults)} faults did not begin"] * bool(missing)
        return Check(name, None, "; ".join([*failures, *idle, *unbegun]), limit)
    did = (
        f"{in_words(report.fault, evidence.plan)}: {KINDS[report.fault.kind].counts} {report.counted}"
        for report in evidence.faults
    )
    return Check(name, True, "; ".join(did), limit)


def errors_expected(evidence: Evidence) -> Check:
    """Errors are of the classes that the scenario names, and only from the beginning of the fault on."""
    name, expects = "errors expected", evidence.plan.expects
    limit = ", ".join(expects) or "none"
    before, during = _errors_before(evidence), sum((_errors(evidence, phase) for phase in AFTER), Counter[str]())
    during += _errors(evidence, "baseline") - before
    strange = {error: count for error, count in during.items() if error not in expects}
    if not before and not strange:
        return Check(name, True, _listed(during) or "no errors", limit)
    found = "; ".join(
        [*[f"{_listed(before)} before the fault"] * bool(before), *[f"unexpected: {_listed(strange)}"] * bool(strange)]
    )
    examples = {error: words for o in evidence.phases.values() for error, words in o.examples.items()}
    first = next((examples[error] for error in [*strange, *before] if error in examples), "")
    only_late = not {*strange, *before} - OF_TIME and all(
        _stalled(evidence, observed, errors) for observed, errors in _unexpected(evidence)
    )
    passed, because = _unless_late(evidence, only_late)
    return Check(name, passed, f"{found}{f' ({first})' * bool(first)}{because}", limit)


def answers_right(evidence: Evidence) -> Check:
    """No reply was another key's, older than an acknowledged one, damaged, or written by nobody."""
    wrong = sum(observed.of().wrong for observed in evidence.phases.values())
    if not sum(observed.of().ok for observed in evidence.phases.values()) and not wrong:
        return Check("answers right", None, "no operation ended well", "0 wrong")
    if not wrong:
        return Check("answers right", True, "0 wrong", "0 wrong")
    named = [each for observed in evidence.phases.values() for each in observed.wrong]
    first = min(named, key=lambda each: each.at_ns, default=None)
    words = f"; the first: {first.kind}, asked for {first.key}, got {first.found}" if first is not None else ""
    return Check("answers right", False, f"{wrong:,} wrong{words}", "0 wrong")


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
    found += [f"{_node(figures)} is not back within {span(_waited_ns(evidence, figures))}" for figures in never]
    # A node that was watched for less than the limit may still come back.
    untold = not late and all(_waited_ns(evidence, figures) < limit_ns for figures in never)
    explained = all(
        lateness.mostly_late(evidence, _ended_ns(evidence, each), _ended_ns(evidence, each) + ns if ns else NEVER_NS)
        for each, ns in [*late, *((each, None) for each in never)]
    )
    passed, because = _unless_late(evidence, explained)
    return Check(name, None if untold else passed, "; ".join(found) + because, limit)


def refusals_fast(evidence: Evidence) -> Check | None:
    """While a node is down, operations on it are refused at once, and an open breaker lets none wait.

    A node that refuses connections (`Kind.refuses`) lets any client fail at once: every operation that fails counts,
    but for those that may have been under way when the node went down. A node that hangs has to be found out by
    waiting, and without a breaker each operation finds it out anew: only those count that did not wait.
    """
    if not evidence.plan.faults:
        return None
    limit_ns = evidence.plan.limits.refusal_ns
    name, limit = "refusals fast", f"p99 ≤ {span(limit_ns)}"
    waits = [f"timeouts while the breaker of node {node} was open: {count}" for node, count in _waited_open(evidence)]
    refusing = [*_refusing(evidence)]
    refused = sum((counts for _, counts in refusing), Counts())
    times = refused.failed_service
    if not times.count and not waits:
        return Check(name, None, "no operation was refused", limit, vital=False)
    p99_ns = _p99_ns(times)
    found = [f"p99 {span(p99_ns)} of {times.count:,}"] * bool(times.count)
    if p99_ns <= limit_ns and not waits:
        return Check(name, True, found[0], limit)
    if refused.errors.get("timeout"):
        found.append(f"timeouts on a node that refused connections: {refused.errors['timeout']:,}")
    others = [c for o, c in refusing if not lateness.explains(evidence, o, _p99_ns(c.failed_service), limit_ns)]
    explained = _p99_ns(sum(others, Counts()).failed_service) <= limit_ns
    passed, because = _unless_late(evidence, explained and not waits)
    return Check(name, passed, "; ".join([*found, *waits]) + because, limit)


def deadlines_kept(evidence: Evidence) -> Check:
    """No operation ended, or was still under way, more than a tolerance after its deadline."""
    overdue = sum(observed.of().overdue for observed in evidence.phases.values())
    unfinished = evidence.closed.unfinished if evidence.closed is not None else 0
    slowest_ns = max((observed.slowest_ns for observed in evidence.phases.values()), default=0)
    limit = f"≤ {span(evidence.plan.timeout_ns)} + {span(TOLERANCE_NS)}"
    if not overdue and not unfinished:
        return Check("deadlines kept", True, f"the slowest took {span(slowest_ns)}", limit)
    found = [f"{overdue:,} operations ended after their deadline, the slowest after {span(slowest_ns)}"] * bool(overdue)
    found += [f"{unfinished:,} had not ended when the trial was over"] * bool(unfinished)
    limit_ns = evidence.plan.timeout_ns + TOLERANCE_NS
    late = all(
        lateness.explains(evidence, observed, observed.slowest_ns, limit_ns)
        for _, observed in evidence.intervals
        if observed.of().overdue
    )
    passed, because = _unless_late(evidence, late and not unfinished)
    return Check("deadlines kept", passed, "; ".join(found) + because, limit)


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
            _stalled(evidence, observed, {"pool_exhausted"})
            for observed in evidence.within(*AFTER)
            if any(observed.of(node).errors.get("pool_exhausted") for node in healthy)
        )
        passed, because = _unless_late(evidence, late)
        return Check(name, passed, f"the pool was exhausted {found}{because}", limit)
    if not exposed and not any("pool_exhausted" in _errors(evidence, phase) for phase in AFTER):
        return Check(name, None, "the client does not expose its pool", limit, vital=False)
    return Check(name, True, "none", limit)


def healthy_nodes(evidence: Evidence) -> Check | None:
    """Nodes without a fault keep their rate of good operations and their p99 while others are down."""
    if not evidence.plan.faults:
        return None
    share = evidence.plan.limits.healthy
    name = "healthy nodes"
    limit = f"≥ {percent(share)} of the baseline; p99 ≤ its worst ÷ {percent(share)}, or {span(P99_FLOOR_NS)}"
    healthy = _healthy(evidence)
    if not healthy:
        return Check(name, None, "every node has a fault, or the client does not tell nodes", limit, vital=False)
    found, lost = [], []
    explained = True
    for node in healthy:
        kept, p99_ns, most_ns = _kept(evidence, node)
        if kept is None:
            return Check(name, None, f"no operation on node {node} ended well before the fault", limit)
        words = f"node {node} {percent(kept)}, p99 {span(p99_ns)}"
        found.append(words)
        if kept < share or p99_ns > most_ns:
            lost.append(f"{words} (at most {span(most_ns)})" if p99_ns > most_ns else words)
            explained = explained and _slowed(evidence, node, most_ns) and _idled(evidence, share - kept)
    if not lost:
        return Check(name, True, "; ".join(found), limit)
    passed, because = _unless_late(evidence, explained)
    return Check(name, passed, "; ".join(lost) + because, limit)


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
    passed, because = _unless_late(evidence, late)
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
        watched_ns = min((_waited_ns(evidence, each) for each in evidence.figures if each.faulted), default=0)
        told = watched_ns >= evidence.plan.limits.recovery_ns
        return Check(name, False if told else None, f"at the end {', '.join(unclosed)}", limit, vital=told)
    opened = sum(change.after == "open" for change in changes)
    return Check(name, True, f"transitions: {len(changes)}, to open: {opened}" if changes else "never opened", limit)


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


def callers_on_time(evidence: Evidence) -> Check:
    """The callers themselves had the CPU when they were due, so that times are the client's."""
    late = lateness.in_words(evidence)
    return Check("callers on time", None if late else True, late or "yes", vital=False)


CHECKS: Mapping[str, Callable[[Evidence], Check | None]] = {
    "fault fired": fault_fired,
    "errors expected": errors_expected,
    "answers right": answers_right,
    "recovered": recovered,
    "refusals fast": refusals_fast,
    "deadlines kept": deadlines_kept,
    "pools free": pools_free,
    "healthy nodes": healthy_nodes,
    "statistics": statistics_readable,
    "pool arithmetic": pool_arithmetic,
    "breaker": breaker_legal,
    "nothing left": nothing_left,
    "callers on time": callers_on_time,
}
"""Every check by its name, in the order of outputs."""


# ── Parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _unless_late(evidence: Evidence, late: bool) -> tuple[bool | None, str]:
    """Return the answer of a limit that is not kept, and why it is no answer where waits for a CPU explain that."""
    return (None, f"; {lateness.in_words(evidence) or 'the callers waited for a CPU'}") if late else (False, "")


def _stalled(evidence: Evidence, observed: Observed, errors: Iterable[str]) -> bool:
    """Return True when waits explain errors of time in an interval: they took half of an operation's deadline.

    The nodes have had no CPU in the rest of it. A breaker that is open has seen such errors, at most OPEN_NS before.
    """
    since_ns = observed.from_ns - evidence.plan.timeout_ns - OPEN_NS * ("breaker_open" in errors)
    return 2 * lateness.waited_ns(evidence, since_ns, observed.to_ns) >= evidence.plan.timeout_ns


def _slowed(evidence: Evidence, node: int, most_ns: int) -> bool:
    """Return True when a healthy node's p99 is kept in those intervals whose own waits do not explain theirs."""
    others = []
    for observed in evidence.within("fault"):
        counts = observed.of(node)
        p99_ns = _p99_ns(counts.service)
        if p99_ns <= most_ns or not lateness.explains(evidence, observed, p99_ns, most_ns):
            others.append(counts)
    return _p99_ns(sum(others, Counts()).service) <= most_ns


def _idled(evidence: Evidence, missing: float) -> bool:
    """Return True when waits were as large a share of the fault phase as what a node is missing of its limit."""
    during = evidence.phases["fault"]
    return lateness.waited_ns(evidence, during.from_ns, during.to_ns) >= missing * (during.to_ns - during.from_ns)


def _p99_ns(times: Histogram) -> int:
    return times.quantile(P99) if times.count else 0


def _unexpected(evidence: Evidence) -> Iterator[tuple[Observed, set[str]]]:
    """Yield the intervals with errors that the scenario does not expect then, with their classes."""
    first_ns = _first_ns(evidence)
    for phase, observed in evidence.intervals:
        if phase == "settle":
            continue
        errors = set(observed.of().errors)
        early = phase == "baseline" and (first_ns is None or observed.to_ns <= first_ns)
        if strange := errors if early else errors - {*evidence.plan.expects}:
            yield observed, strange


def _where(report: FaultReport, evidence: Evidence) -> str:
    """Return in which spells a fault had no effect, of a fault that had some: " in 4 of 5 spells, first on node 1"."""
    if not report.effects or not report.idle:
        return ""
    node = real_node(report.idle[0].node, evidence.plan)
    return f" in {len(report.idle)} of {len(report.spells)} spells, first on node {node}"


def _first_ns(evidence: Evidence) -> int | None:
    """Return the time at which the first fault began; None without one."""
    begins = (began for node in range(1, evidence.plan.nodes + 1) for began, _ in evidence.spells(node))
    return min(begins, default=None)


def _errors(evidence: Evidence, phase: str) -> Counter[str]:
    return Counter(evidence.phases[phase].of().errors) if phase in evidence.phases else Counter()


def _errors_before(evidence: Evidence) -> Counter[str]:
    """Return the errors of the baseline's intervals that ended before the first fault began."""
    first_ns = _first_ns(evidence)
    whole = (o for o in evidence.within("baseline") if first_ns is None or o.to_ns <= first_ns)
    return sum((Counter(observed.of().errors) for observed in whole), Counter[str]())


def _listed(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{error} {count:,}" for error, count in sorted(errors.items(), key=lambda each: -each[1]))


def _node(figures: NodeFigures) -> str:
    return "the client" if figures.node == NOWHERE else f"node {figures.node}"


def _soon(ns: int) -> str:
    return f"{span(ns)} after its fault" if ns else "at once"


def _waited_ns(evidence: Evidence, figures: NodeFigures) -> int:
    """Return how long a node was watched after its last fault."""
    ended_ns = _ended_ns(evidence, figures)
    last_ns = max((observed.to_ns for _, observed in evidence.intervals), default=0)
    return max(0, last_ns - ended_ns) if ended_ns else 0


def _ended_ns(evidence: Evidence, figures: NodeFigures) -> int:
    """Return the time at which the last fault on a node ended; 0 where none did."""
    nodes = range(1, evidence.plan.nodes + 1) if figures.node == NOWHERE else (figures.node,)
    return max((ended for node in nodes for _, ended in evidence.spells(node) if ended is not None), default=0)


def _healthy(evidence: Evidence) -> list[int]:
    """Return the nodes without a fault on which operations were seen."""
    seen = {node for observed in evidence.phases.values() for node in observed.nodes}
    return sorted(seen - evidence.faulted - {NOWHERE})


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
    worst_ns = max((_p99_ns(observed.of(node).service) for observed in evidence.within("baseline")), default=0)
    return (
        during / before,
        _p99_ns(_of(evidence, node, "fault").service),
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


def _refusing(evidence: Evidence) -> Iterator[tuple[Observed, Counts]]:
    """Yield the intervals, with the counts of one node, in which operations on the node had to be refused, or were.

    They had to be while the node refused connections, from a deadline after its fault began; they were where every
    error was a refusal, while the node had any fault.
    """
    for node in sorted(evidence.faulted):
        spells = evidence.spells(node)
        for observed in evidence.within("fault"):
            if not any(began <= observed.from_ns and (end is None or observed.to_ns <= end) for began, end in spells):
                continue
            counts = observed.of(node)
            had_to = any(
                began + evidence.plan.timeout_ns <= observed.from_ns and (end is None or observed.to_ns <= end)
                for began, end in evidence.refusing(node)
            )
            if counts.errors and (had_to or set(counts.errors) <= REFUSALS):
                yield observed, counts


def _waited_open(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """Yield the nodes whose breaker was open while more operations timed out than probes may, with the count."""
    for node in sorted({change.node for change in evidence.transitions}):
        timeouts = open_ns = 0
        before: Observed | None = None
        since_ns = 0
        for _, observed in evidence.intervals:
            state = observed.states.get(node)
            is_open = state is not None and state.breaker == "open"
            if not is_open:
                before, since_ns = None, 0
                continue
            since_ns = since_ns or observed.to_ns
            # What was under way when the breaker opened may still time out.
            if before is not None and observed.from_ns >= since_ns + evidence.plan.timeout_ns:
                timeouts += observed.of(node).errors.get("timeout", 0)
                open_ns += observed.to_ns - observed.from_ns
            before = observed
        allowed = PROBES * evidence.writers * (1 + open_ns // OPEN_NS)
        if timeouts > allowed:
            yield node, timeouts


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


def _unfounded(evidence: Evidence, exposed: set[int]) -> str:
    """Return what the callers' own counts say against the breakers that the client exposes; empty for nothing.

    Failures of operations on several nodes may be those of any node.
    """
    opened = {change.node for change in evidence.transitions if change.after == "open"}
    failures: Counter[int] = Counter()
    for node in sorted({NOWHERE, *exposed, *opened}):
        errors = sum((Counter(o.of(node).errors) for _, o in evidence.intervals), Counter[str]())
        refused = errors.pop("breaker_open", 0)
        failures[node] = errors.total()
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
