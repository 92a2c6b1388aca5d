"""Clients on trial in words, the same in every format for people. Pure functions to plain text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.escape import printable
from loadgen.events import FaultBegan, FaultEnded
from loadgen.faults.kinds import KINDS
from loadgen.output.words import figures, named, places
from loadgen.severity import Severity
from loadgen.trial.ended import PHASES, VERDICTS, NodeFigures, TrialEnded, TrialSample
from loadgen.trial.evidence import in_words
from loadgen.trial.observed import Counts, Observed
from loadgen.trial.plan import TrialPlan
from loadgen.units import NS_PER_S, span

ALL_NODES = "all"

MOST_WRONG = 5


def _spelt(verdict: str) -> str:
    return verdict.replace("-", " ").upper()


ANSWERS = tuple(dict.fromkeys(map(_spelt, VERDICTS.values())))
"""The answers of trials."""


def verdict(ended: TrialEnded) -> str:
    """Return PASS, FAIL, CANNOT TELL, COULD NOT RUN, or INTERRUPTED (by the user)."""
    return _spelt(ended.verdict)


def style(ended: TrialEnded) -> str:
    """Return the style of the verdict."""
    styles = {Severity.GOOD: "bold green", Severity.BREACHED: "bold red", Severity.COULD_NOT_RUN: "bold red"}
    return styles.get(ended.severity, "bold yellow")


def name(plan: TrialPlan) -> str:
    """Return the scenario and the client: "kill-1-of-3 with builtin"."""
    return f"{printable(plan.scenario) or 'workload without faults'} with {printable(plan.client.name, 60)}"


def title(plan: TrialPlan) -> str:
    """Return the scenario with what happens in it: "kill-1-of-3: node 1 of 3 is killed …"."""
    if not plan.scenario:
        return f"{plan.traffic.name}, without faults"
    return f"{printable(plan.scenario)}: {printable(plan.title, named.LONGEST)}"


def setting(plan: TrialPlan) -> str:
    """Return under what a client is put: "memcache, 3 nodes, 100 callers, mixed at 600/s, deadline 1 s, seed 7"."""
    rate = f" at {figures.rate(plan.traffic.rate_per_s)}/s" if plan.traffic.rate_per_s else ", a closed loop"
    return ", ".join(
        [
            printable(plan.protocol),
            figures.plural(plan.nodes, "node"),
            figures.plural(plan.concurrency, "caller", figures.grouped),
            f"{printable(plan.traffic.name)}{rate}",
            f"deadline {span(plan.timeout_ns)}",
            f"seed {plan.seed}",
            *places.placed(plan.namespaces),
        ]
    )


def client(ended: TrialEnded) -> str:
    """Return the client with its library's version: "pymemcache (pymemcache 4.0.0)"."""
    version = printable(ended.client_version)
    return printable(ended.plan.client.name, 60) + (f" ({version})" if version else "")


def reasons(ended: TrialEnded) -> list[str]:
    """Return why the trial did not pass: what kept it from its end, and the checks that failed or cannot tell."""
    said = [printable(reason.words, named.LONGEST) for reason in ended.reasons]
    graver = [check for check in ended.checks if check.severity is not Severity.GOOD]
    limits = (f" (limit {printable(check.limit)})" if check.limit else "" for check in graver)
    return [*said, *(f"{c.name}: {named.found(c)}{limit}" for c, limit in zip(graver, limits, strict=True))]


def notes(ended: TrialEnded) -> list[str]:
    return [printable(note.words, named.LONGEST) for note in ended.notes]


# ── Figures ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one phase, on one node or all."""

    phase: str
    node: str
    counts: Counts
    length_ns: int

    @property
    def ok_per_s(self) -> str:
        return figures.rate(self.counts.ok * NS_PER_S / self.length_ns) if self.length_ns else figures.NOTHING

    @property
    def ok_share(self) -> str:
        """The success rate in percent; a dash where nothing ended."""
        return figures.share(self.counts.ok / self.counts.ended if self.counts.ended else None, 2)

    @property
    def failed_share(self) -> str:
        ended = self.counts.ended
        return figures.share((self.counts.failed + self.counts.wrong) / ended if ended else None, 2)

    @property
    def latencies(self) -> list[str]:
        """p50, p95, p99 and the maximum of operations that ended well."""
        latency = self.counts.latency
        if not latency.count:
            return [figures.NOTHING] * 4
        return [figures.latency(latency.quantile(q)) for q in (0.5, 0.95, 0.99)] + [figures.latency(latency.max)]

    @property
    def service_p99(self) -> str:
        """The p99 of operations that ended well, from the call of the client."""
        service = self.counts.service
        return figures.latency(service.quantile(0.99)) if service.count else figures.NOTHING


def rows(ended: TrialEnded) -> list[Row]:
    """Return a row for each phase and node; of a client that tells no nodes, and of one node, for all together."""
    found = []
    for phase in PHASES:
        observed = ended.phases.get(phase)
        if observed is None or phase == "settle":
            continue
        length_ns = max(0, observed.to_ns - observed.from_ns)
        found.append(Row(phase, ALL_NODES, observed.of(), length_ns))
        nodes = sorted(node for node in observed.seen if node)
        found += [Row(phase, str(node), observed.of(node), length_ns) for node in nodes if len(nodes) > 1]
    return found


def errors(ended: TrialEnded) -> list[str]:
    """Return the errors by class for each phase and node that has some: "fault, node 1: refused 150"."""
    return [
        f"{row.phase}, {'all nodes' if row.node == ALL_NODES else f'node {row.node}'}: {listed(row.counts.errors)}"
        for row in rows(ended)
        if row.counts.errors
    ]


def listed(errors: Mapping[str, int]) -> str:
    """Return errors by class, the most frequent first: "refused 150, timeout 3"."""
    ordered = sorted(errors.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{printable(error)} {count:,}" for error, count in ordered)


def node_figures(ended: TrialEnded) -> list[str]:
    """Return what became of each node that had a fault: "node 1: detected after 0.3 s, failing for 2.0 s, …"."""
    begun = sum((observed.of() for observed in ended.phases.values()), Counts()).begun
    unused = {
        each.node
        for each in ended.figures
        if begun and each.node and not any(observed.of(each.node).begun for observed in ended.phases.values())
    }
    return [_of_node(each, is_used=each.node not in unused) for each in ended.figures if each.faulted]


def _of_node(of: NodeFigures, *, is_used: bool) -> str:
    where = f"node {of.node}" if of.node else "all nodes"
    if not is_used:
        return f"{where}: no operation was on it"
    parts = [
        f"detected after {seconds(of.detected_ns)}" if of.detected_ns is not None else "no error",
        *([f"errors for {seconds(of.outage_ns)}"] if of.outage_ns is not None else []),
        f"back {seconds(of.recovered_ns)} after its fault" if of.recovered_ns is not None else "not back",
    ]
    return f"{where}: {', '.join(parts)}"


def seconds(ns: int | None) -> str:
    """Return a time in seconds to a hundredth, in which reports can tell times: "2.04 s"; a dash for None."""
    return figures.NOTHING if ns is None else f"{ns / NS_PER_S:.2f} s"


def transitions(ended: TrialEnded) -> list[str]:
    """Return the breakers' changes, with times from the start of the baseline: "+5.30 s node 1 closed → open"."""
    return [
        f"+{seconds(change.at_ns - ended.began_ns)} node {change.node} {printable(change.before)} → "
        f"{printable(change.after)}"
        for change in ended.transitions
    ]


def pools(ended: TrialEnded) -> list[str]:
    """Return the least and the most of each pool's series by phase: "fault, node 1: total 0–10, active 0–9, …"."""
    found = []
    for phase in PHASES[1:]:
        for node in sorted({point.node for point in ended.pools}):
            points = [point for point in ended.pools if point.phase == phase and point.node == node]
            series = {
                "total": [point.total for point in points],
                "active": [point.active for point in points],
                "idle": [point.idle for point in points],
                "waits": [point.waiting for point in points],
            }
            ranges = [f"{label} {_range(values)}" for label, values in series.items() if _known(values)]
            if ranges:
                found.append(f"{phase}, node {node}: {', '.join(ranges)}")
    return found


def _known(values: list[int | None]) -> list[int]:
    return [value for value in values if value is not None]


def _range(values: list[int | None]) -> str:
    known = _known(values)
    return str(known[0]) if len({*known}) == 1 else f"{min(known)}–{max(known)}"


def loads(ended: TrialEnded) -> list[str]:
    """Return the loads of the backend by phase, and its own count of them all; nothing without a backend."""
    if ended.backend_served is None:
        return []
    found = []
    for phase in PHASES:
        if (observed := ended.phases.get(phase)) is not None and observed.expiries:
            each = f"{observed.backend_loads / observed.expiries:.1f} per expiry"
            times = figures.plural(observed.expiries, "expiry", many="expiries")
            found.append(f"{phase}: {each} ({figures.plural(observed.backend_loads, 'load')}, {times})")
    asked = sum(observed.backend_loads for observed in ended.phases.values())
    return [*found, f"all phases: {figures.plural(asked, 'load')}, by the backend's own count {ended.backend_served:,}"]


def late_replies(ended: TrialEnded) -> list[str]:
    """Return how many connections were given up while a reply was outstanding: "node 1: 33"; nothing where none was.

    The client closes such a connection, so that the reply, should it come, is late and is not read.
    """
    last = next((ended.phases[phase] for phase in reversed(PHASES) if phase in ended.phases), None)
    states = sorted(last.states.items()) if last is not None else []
    return [f"node {node}: {state.abandoned:,}" for node, state in states if state.abandoned]


def effects(ended: TrialEnded) -> list[str]:
    """Return what each fault did: "kill (process) on node 1: processes killed 1"."""
    return [
        f"{in_words(report.fault, ended.plan)}: {printable(report.failure, named.LONGEST)}"
        if report.failure
        else f"{in_words(report.fault, ended.plan)}: {KINDS[report.fault.kind].counts} {report.counted}"
        for report in ended.faults
    ]


def wrong(ended: TrialEnded) -> list[str]:
    """Return the first wrong answers, MOST_WRONG at most."""
    more = len(ended.wrong) - MOST_WRONG
    return [
        f"+{seconds(each.at_ns - ended.began_ns)} node {each.node} {each.kind}: asked for {printable(each.key, 80)}, "
        f"got {printable(each.found, named.LONGEST)}"
        for each in ended.wrong[:MOST_WRONG]
    ] + [f"and {more} more, which --format json has"] * (more > 0)


# ── While a trial runs ────────────────────────────────────────────────────────────────────────────────────────────────


def sample(event: TrialSample) -> str:
    """Return an interval in one line: "580 ops/s, 0.00 % failed, p50 512 µs, p99 1.2 ms; node 1 open"."""
    observed = event.observed
    row = Row(event.phase, ALL_NODES, observed.of(), max(0, observed.to_ns - observed.from_ns))
    p50, _, p99, _ = row.latencies
    states = breakers(observed)
    said = [f"{row.ok_per_s} ops/s", f"{row.failed_share} % failed", f"p50 {p50}", f"p99 {p99}"]
    return ", ".join(said) + (f"; {states}" if states else "")


def breakers(observed: Observed) -> str:
    """Return the breakers that are not closed: "node 1 open"."""
    states = ((node, state.breaker) for node, state in sorted(observed.states.items()))
    return ", ".join(f"node {node} {printable(state)}" for node, state in states if state not in (None, "closed"))


def fault_began(event: FaultBegan) -> str:
    return f"{event.fault.kind} ({event.fault.layer}) began on {event.fault.place(event.node)}"


def fault_ended(event: FaultEnded) -> str:
    why = f": {printable(event.failure, named.LONGEST)}" if event.failure else f", effects {event.effects:,}"
    return f"{event.fault.kind} ({event.fault.layer}) ended on {event.fault.place(event.node)}{why}"


# ── Several trials ────────────────────────────────────────────────────────────────────────────────────────────────────


def summary(ended: TrialEnded) -> dict[str, str]:
    """Return the cells of a trial in the table of all: detection, recovery, wrong answers, errors, leaks."""
    touched = [each for each in ended.figures if each.faulted]
    detected = [each.detected_ns for each in touched if each.detected_ns is not None]
    back = [each.recovered_ns for each in touched]
    phases = {row.phase: row for row in rows(ended) if row.node == ALL_NODES}
    counts = sum((row.counts for row in phases.values()), Counts())
    return {
        "scenario": printable(ended.plan.scenario) or "none",
        "client": printable(ended.plan.client.name, 40),
        "answer": verdict(ended),
        "detected": seconds(max(detected, default=None)),
        "recovered": seconds(max(known))
        if (known := [ns for ns in back if ns is not None]) == back and back
        else figures.NOTHING,
        "wrong": figures.grouped(counts.wrong),
        "leaked": figures.NOTHING if ended.leaked_sockets is None else str(ended.leaked_sockets),
        "errors": listed(counts.errors) or "none",
        **{f"p50/p95/p99 {phase}": " / ".join(row.latencies[:3]) for phase, row in phases.items()},
    }
