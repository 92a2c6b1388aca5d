"""The account of a trial under way: observations are folded into phases, and figures of each node follow from them.

The account is told what was observed, and when faults began and ended. It reads no clock and knows no process, so that
a trial can be told to it in virtual time.

When a node is back is the rule of `stats.recovery`, as for a load under faults (`judge.outages`). A load has an outage
for each time that faults were on a node, from its first failure to its last; a trial has one set of figures for each
node, over all faults on the node, in intervals as long as the callers' reports.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.faults.report import FaultReport
from loadgen.stats.recovery import Baseline, Level, back_at, baseline
from loadgen.trial.ended import NodeFigures
from loadgen.trial.evidence import NOWHERE, Closed, Evidence, faulted_nodes, spells_of, then
from loadgen.trial.observed import Counts, Observed, p99_ns
from loadgen.trial.plan import P99_FLOOR_NS, TrialPlan


class Account:
    """What has been observed in one trial until now."""

    def __init__(self, plan: TrialPlan, writers: int = 1) -> None:
        self.plan = plan
        self._writers = writers
        self._phases: dict[str, Observed] = {}
        self._intervals: list[tuple[str, Observed]] = []

    def take(self, phase: str, observed: Observed) -> None:
        """Take the next interval of a phase, all callers together."""
        self._phases[phase] = then(self._phases[phase], observed) if phase in self._phases else observed
        self._intervals.append((phase, observed))

    def evidence(self, faults: tuple[FaultReport, ...], closed: Closed | None = None) -> Evidence:
        """Return everything that the checks need."""
        return Evidence(
            plan=self.plan,
            phases=dict(self._phases),
            intervals=tuple(self._intervals),
            faults=faults,
            figures=self.figures(faults),
            closed=closed,
            writers=self._writers,
        )

    def figures(self, faults: tuple[FaultReport, ...]) -> tuple[NodeFigures, ...]:
        """Return the figures of each node; of all nodes together as node 0, where the client does not tell nodes."""
        faulted = faulted_nodes(self.plan)
        if self._untold:
            spells = [spell for node in range(1, self.plan.nodes + 1) for spell in spells_of(faults, self.plan, node)]
            return (self._figures(NOWHERE, bool(faulted), sorted(spells, key=lambda spell: spell[0])),)
        return tuple(
            self._figures(node, node in faulted, spells_of(faults, self.plan, node))
            for node in range(1, self.plan.nodes + 1)
        )

    @property
    def _untold(self) -> bool:
        """True when the client says of no operation which node it was on."""
        seen = {node for _, observed in self._intervals for node in observed.seen}
        return bool(seen) and seen == {NOWHERE}

    def _figures(self, node: int, faulted: bool, spells: Sequence[tuple[int, int | None]]) -> NodeFigures:
        if not spells:
            return NodeFigures(node, faulted)
        began_ns = spells[0][0]
        ends = [ended for _, ended in spells if ended is not None]
        ended_ns = max(ends) if len(ends) == len(spells) else None
        failing = [o for _, o in self._intervals if o.to_ns > began_ns and counts_of(o, node).failed]
        first_ns = max(began_ns, failing[0].from_ns) if failing else None
        return NodeFigures(
            node,
            faulted,
            detected_ns=self._detected(node, began_ns, failing[0].to_ns if failing else None),
            outage_ns=failing[-1].to_ns - first_ns if first_ns is not None else None,
            recovered_ns=self._recovered(node, ended_ns),
        )

    def _detected(self, node: int, began_ns: int, failed_ns: int | None) -> int | None:
        """Return the time from the fault to the breaker's opening, or else to the first error's interval's end."""
        opened = [
            change.at_ns
            for _, observed in self._intervals
            for change in observed.transitions
            if change.after == "open" and change.at_ns >= began_ns and node in (change.node, NOWHERE)
        ]
        at_ns = min(opened, default=failed_ns)
        return None if at_ns is None else at_ns - began_ns

    def _recovered(self, node: int, ended_ns: int | None) -> int | None:
        inside = self._baseline(node)
        if inside is None or ended_ns is None:
            return None
        back_ns = back_at([level_of(o, node) for phase, o in self._intervals if phase != "settle"], inside, ended_ns)
        return None if back_ns is None else back_ns - ended_ns

    def _baseline(self, node: int) -> Baseline | None:
        levels = (level_of(o, node) for phase, o in self._intervals if phase == "baseline")
        return baseline(levels, P99_FLOOR_NS)


def counts_of(observed: Observed, node: int) -> Counts:
    """Return the counts of a node; of everything for NOWHERE."""
    return observed.of(None if node == NOWHERE else node)


def level_of(observed: Observed, node: int) -> Level:
    """Return the rate of good operations, the p99 of their response times and the failures of an interval on a node."""
    counts = counts_of(observed, node)
    to_ns = max(observed.to_ns, observed.from_ns + 1)
    p99 = p99_ns(counts.latency) if counts.latency.count else None
    return Level(observed.from_ns, to_ns, counts.ok, p99, counts.failed)
