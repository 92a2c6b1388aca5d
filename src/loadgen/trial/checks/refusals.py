"""The check of refusals: nobody waits for a node that is known to be down."""

from __future__ import annotations

from collections.abc import Iterator

from loadgen.judge.named import Check
from loadgen.trial.checks import lateness
from loadgen.trial.checks.breaker import OPEN_NS, PROBES
from loadgen.trial.evidence import Evidence
from loadgen.trial.observed import Counts, Observed, p99_ns
from loadgen.units import span

REFUSALS = frozenset({"breaker_open", "refused"})
"""The classes of errors for which no reply is waited for."""


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
    took_ns = p99_ns(times)
    found = [f"p99 {span(took_ns)} of {times.count:,}"] * bool(times.count)
    if took_ns <= limit_ns and not waits:
        return Check(name, True, found[0], limit)
    if refused.errors.get("timeout"):
        found.append(f"timeouts on a node that refused connections: {refused.errors['timeout']:,}")
    others = [c for o, c in refusing if not lateness.explains(evidence, o, p99_ns(c.failed_service), limit_ns)]
    explained = p99_ns(sum(others, Counts()).failed_service) <= limit_ns
    passed, because = lateness.answer(evidence, explained and not waits)
    return Check(name, passed, "; ".join([*found, *waits]) + because, limit)


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
