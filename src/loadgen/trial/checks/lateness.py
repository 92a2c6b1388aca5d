"""The callers' own lateness: what their waits for a CPU explain of a limit on time that was not kept. Pure functions.

A caller that has no CPU is late itself, and times that it takes say less of its client. A wait explains PARTIES times
as much as it lasted: an operation that took 300 ms too long is explained by waits of 100 ms in the time that it took,
and not by a wait of 50 ms, nor by one at another time.
"""

from __future__ import annotations

from collections.abc import Iterable

from loadgen.judge.named import Check
from loadgen.trial.checks.breaker import OPEN_NS
from loadgen.trial.evidence import Evidence
from loadgen.trial.observed import Observed
from loadgen.units import NS_PER_MS, span

LATE_NS = 50 * NS_PER_MS
"""The wait for a CPU, within one interval, from which on the callers were late in the interval."""

PARTIES = 3
"""The processes that an operation waits for: the caller, a proxy and a server. They share the CPUs, only the caller is
watched, and the others are taken to wait as long."""

LATE_SHARE = 0.5
"""The share of late intervals by which it is explained that a node is not back inside the baseline's interval."""


def waited_ns(evidence: Evidence, from_ns: int, to_ns: int) -> int:
    """Return how long the callers waited for a CPU in the intervals that overlap this time."""
    return sum(o.waited_ns for _, o in evidence.intervals if o.to_ns > from_ns and o.from_ns < to_ns)


def explains(evidence: Evidence, observed: Observed, took_ns: int, limit_ns: int) -> bool:
    """Return True when waits explain that something which ended in an interval took longer than its limit.

    The waits are those in the time that it took.
    """
    return PARTIES * waited_ns(evidence, observed.to_ns - took_ns, observed.to_ns) >= took_ns - limit_ns


def mostly_late(evidence: Evidence, from_ns: int, to_ns: int) -> bool:
    """Return True when the callers were late in most of the intervals of a time."""
    found = [o.waited_ns > LATE_NS for _, o in evidence.intervals if o.to_ns > from_ns and o.from_ns < to_ns]
    return sum(found) > LATE_SHARE * len(found)


def in_words(evidence: Evidence) -> str:
    """Return how late the callers were, in a clause; empty when they were on time."""
    waits = [observed.waited_ns for phase, observed in evidence.intervals if phase != "settle"]
    late = [wait_ns for wait_ns in waits if wait_ns > LATE_NS]
    if not late:
        return ""
    intervals = "1 interval" if len(waits) == 1 else f"{len(waits):,} intervals"
    return f"the callers waited for a CPU in {len(late):,} of {intervals}, {span(max(late))} at most"


def callers_on_time(evidence: Evidence) -> Check:
    """The callers themselves had the CPU when they were due, so that times are the client's."""
    late = in_words(evidence)
    return Check("callers on time", None if late else True, late or "yes", vital=False)


def answer(evidence: Evidence, explained: bool) -> tuple[bool | None, str]:
    """Return the answer of a limit that is not kept, and why it is no answer where waits for a CPU explain that."""
    return (None, f"; {in_words(evidence) or 'the callers waited for a CPU'}") if explained else (False, "")


def stalled(evidence: Evidence, observed: Observed, errors: Iterable[str]) -> bool:
    """Return True when waits explain errors of time in an interval: they took half of an operation's deadline.

    The nodes have had no CPU in the rest of it. A breaker that is open has seen such errors, at most OPEN_NS before.
    """
    since_ns = observed.from_ns - evidence.plan.timeout_ns - OPEN_NS * ("breaker_open" in errors)
    return 2 * waited_ns(evidence, since_ns, observed.to_ns) >= evidence.plan.timeout_ns
