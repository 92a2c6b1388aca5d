"""The evidence of a trial, as a frozen value: all that its checks are applied to. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS
from loadgen.faults.report import FaultReport
from loadgen.monitors.reading import Reading
from loadgen.monitors.report import MonitorReport
from loadgen.trial.ended import NodeFigures
from loadgen.trial.observed import NodeState, Observed, Transition
from loadgen.trial.plan import TrialPlan

NOWHERE = 0
"""The number of the node in `Observed.nodes` where a client does not say which node an operation was on."""

AFTER = ("fault", "recovery")
"""The phases from the beginning of the fault on."""


@dataclass(frozen=True, slots=True)
class Closed:
    """How the client ended in every caller process together, after the last operation."""

    states: Mapping[int, NodeState] = field(default_factory=dict)
    """By node, what the client said of itself after the last operation and before its close."""
    unfinished: int = 0
    """Operations that had not ended when the callers no longer waited for them."""
    hung: int = 0
    """Caller processes whose client did not close in time."""
    error: str = ""
    """The first exception that a close raised."""
    stuck: str = ""
    """A sentence for each caller process that had to be ended, as the client kept it from all else."""
    leaked_sockets: int | None = 0
    """Sockets to the nodes that were open after the close; None where the kernel does not say."""
    leaked_tasks: int = 0
    """Tasks and threads that ran after the close."""
    leaked: str = ""
    """The name of the first of them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was observed in a trial, and what followed from it."""

    plan: TrialPlan
    phases: Mapping[str, Observed] = field(default_factory=dict)
    intervals: tuple[tuple[str, Observed], ...] = ()
    """Every interval with the name of its phase, in the order of time, all callers together."""
    faults: tuple[FaultReport, ...] = ()
    figures: tuple[NodeFigures, ...] = ()
    closed: Closed | None = None
    """None where the trial ended before the client was closed."""
    writers: int = 1
    """The number of caller processes."""
    monitors: tuple[MonitorReport, ...] = ()
    """What each monitor read in the baseline, the fault and the recovery."""
    readings: tuple[Reading, ...] = ()
    """All readings of that time, in its order."""

    def within(self, *phases: str) -> Iterator[Observed]:
        """Yield the intervals of these phases."""
        return (observed for phase, observed in self.intervals if phase in phases)

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """The changes of every breaker, in the order of time."""
        found = (change for _, observed in self.intervals for change in observed.transitions)
        return tuple(sorted(found, key=lambda change: change.at_ns))

    @property
    def faulted(self) -> frozenset[int]:
        """The nodes that a fault was to be on."""
        return faulted_nodes(self.plan)

    @property
    def used(self) -> frozenset[int]:
        """The nodes on which operations were seen; empty where the client does not tell nodes."""
        return frozenset(node for observed in self.phases.values() for node in observed.seen) - {NOWHERE}

    @property
    def unused(self) -> frozenset[int]:
        """The nodes that have none of the workload's keys; empty where the client does not tell nodes."""
        return frozenset(range(1, self.plan.nodes + 1)) - self.used if self.used else frozenset()

    @property
    def first_fault_ns(self) -> int | None:
        """The time at which the first fault began; None without one."""
        begins = (began for node in range(1, self.plan.nodes + 1) for began, _ in self.spells(node))
        return min(begins, default=None)

    def ended_ns(self, node: int) -> int:
        """Return the time at which the last fault on a node ended, of all nodes for NOWHERE; 0 where none did."""
        nodes = range(1, self.plan.nodes + 1) if node == NOWHERE else (node,)
        return max((ended for each in nodes for _, ended in self.spells(each) if ended is not None), default=0)

    def watched_ns(self, node: int) -> int:
        """Return how long a node was watched after its last fault."""
        last_ns = max((observed.to_ns for _, observed in self.intervals), default=0)
        ended_ns = self.ended_ns(node)
        return max(0, last_ns - ended_ns) if ended_ns else 0

    def refusing(self, node: int) -> tuple[tuple[int, int | None], ...]:
        """Return when faults that let a node refuse connections were on it, as `spells` does."""
        reports = (report for report in self.faults if KINDS[report.fault.kind].refuses)
        return spells_of(tuple(reports), self.plan, node)

    def spells(self, node: int) -> tuple[tuple[int, int | None], ...]:
        """Return when each fault on a node began and ended, in the order of time; None for an end that is not known."""
        return spells_of(self.faults, self.plan, node)


def real_node(number: int, plan: TrialPlan) -> int:
    """Return the node that a fault's number means: those of the second group of callers follow the first's."""
    return (number - 1) % plan.nodes + 1


def in_words(fault: Fault, plan: TrialPlan) -> str:
    """Return a fault in words, with the numbers of nodes as users know them: "down (proxy) on node 2 of group 2"."""
    if plan.groups == 1 or fault.layer is not Layer.PROXY or not fault.on:
        return str(fault)
    places = (f"node {real_node(node, plan)} of group {(node - 1) // plan.nodes + 1}" for node in fault.on)
    return f"{fault.kind} ({fault.layer}) on {', '.join(places)}"


def faulted_nodes(plan: TrialPlan) -> frozenset[int]:
    """Return the nodes that a fault of the plan is to be on."""
    return frozenset(real_node(node, plan) for fault in plan.faults for node in fault.nodes(plan.nodes))


def spells_of(faults: tuple[FaultReport, ...], plan: TrialPlan, node: int) -> tuple[tuple[int, int | None], ...]:
    """Return when each fault on a node began and ended, in the order of time."""
    return tuple(
        sorted(
            (
                (spell.began_ns, spell.ended_ns)
                for report in faults
                for spell in report.spells
                if real_node(spell.node, plan) == node
            ),
            key=lambda spell: spell[0],
        )
    )


def then(earlier: Observed, later: Observed) -> Observed:
    """Return two stretches of time as one: counts add, and the later state holds.

    The sum of two Observed is that of two callers at one time, whose states add.
    """
    both = earlier + later
    states = {**earlier.states, **later.states}
    return replace(both, states=states, under_way=later.under_way, tasks=later.tasks)
