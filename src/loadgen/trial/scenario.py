"""A scenario as a frozen value: what happens to which nodes under which load, and by which limits a client is judged.

A scenario and a client make a `TrialPlan`. The value knows no file and no clock. Times are int nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS, Need, needs_of
from loadgen.judge.check import Check
from loadgen.monitors.plan import MonitorPlan
from loadgen.trial.plan import ClientPlan, Limits, Phases, Traffic, TrialPlan
from loadgen.units import NS_PER_S

QUICK = Phases(settle_ns=NS_PER_S, baseline_ns=5 * NS_PER_S, fault_ns=0, recovery_ns=10 * NS_PER_S)
"""The phases of `--quick`, in which the fault phase is a quarter of the scenario's own."""

QUICK_RECOVERY_NS = 8 * NS_PER_S
"""The longest recovery that passes in `--quick`. The recovery phase is longer, so that a node that does not come back
is watched for more than the limit; a breaker's open time of 5 s and its probes are shorter."""

QUICK_DIVISOR = 4
QUICK_LEAST_NS = 2 * NS_PER_S
"""The shortest fault phase of `--quick`: shorter ones end before a breaker opens."""

SHORT_SPELL_NS = NS_PER_S
"""A spell up to this length keeps it in `--quick`, as a shorter one would be another fault."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done to a client, and how the client is judged."""

    name: str
    title: str
    """What happens, in a sentence without a full stop."""
    protocol: str = "any"
    """`memcache`, `resp`, or `any` for both."""
    nodes: int = 3
    workload: str = "mixed"
    """The name of a workload."""
    rate_per_s: float = 0.0
    """Operations that fall due per second, over all callers; 0: the workload's own."""
    concurrency: int = 100
    timeout_ns: int = NS_PER_S
    phases: Phases = field(default_factory=lambda: Phases(5 * NS_PER_S, 30 * NS_PER_S, 30 * NS_PER_S, 60 * NS_PER_S))
    faults: tuple[Fault, ...] = ()
    """The nodes of group 2 follow those of group 1: with 3 nodes, node 2 as group 2 sees it is number 5."""
    draws: tuple[str, ...] = ()
    """Kinds of faults of which a schedule is drawn by the seed of the trial, besides `faults`."""
    groups: int = 1
    """Groups of callers, each of which reaches the nodes by a way of its own."""
    expects: tuple[str, ...] = ()
    """The classes of errors that the fault may cause."""
    clients: tuple[str, ...] = ()
    """The clients on trial, unless the command names others; empty: the default one of the protocol."""
    client: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Settings of the built-in client."""
    limits: Limits = field(default_factory=Limits)
    checks: tuple[Check, ...] = ()
    """The checks of `[[check]]`, besides those that every trial has."""
    monitors: tuple[MonitorPlan, ...] = ()
    """What is read beside the callers."""
    namespaces: tuple[str, ...] = ()
    """The network namespaces of this machine in which caller processes are, by turns; empty: here."""
    upstream: str = ""
    """The name of the like scenario of pior/memcache; empty where there is none."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the faults and of those to be drawn, each once, in the order of `Layer`."""
        found = {fault.layer for fault in self.faults} | {KINDS[kind].layer for kind in self.draws}
        return tuple(layer for layer in Layer if layer in found)

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the machine must offer for the faults."""
        return needs_of([*(fault.kind for fault in self.faults), *self.draws])

    def quick(self) -> Scenario:
        """Return the scenario with short phases, and a limit on recovery that ends before them.

        The spells of its faults are shortened by the factor of the fault phase.
        """
        fault_ns = max(QUICK_LEAST_NS, self.phases.fault_ns // QUICK_DIVISOR)
        factor = min(1.0, fault_ns / self.phases.fault_ns)
        faults = tuple(_shortened(fault, factor) for fault in self.faults)
        limits = replace(self.limits, recovery_ns=min(self.limits.recovery_ns, QUICK_RECOVERY_NS))
        return replace(self, phases=replace(QUICK, fault_ns=fault_ns), faults=faults, limits=limits)

    def lasting(self, fault_ns: int) -> Scenario:
        """Return the scenario with a fault phase of this length.

        Its faults keep their own times, unless one would come to a node after the phase: then all are shortened by its
        factor.
        """
        faults = self.faults
        if any(fault.at_ns + (len(fault.on) - 1) * fault.stagger_ns >= fault_ns for fault in faults):
            factor = fault_ns / self.phases.fault_ns
            faults = tuple(_shortened(fault, factor) for fault in faults)
        return replace(self, phases=replace(self.phases, fault_ns=fault_ns), faults=faults)

    def plan(self, client: ClientPlan, protocol: str, traffic: Traffic, seed: int) -> TrialPlan:
        """Return the trial of a client."""
        return TrialPlan(
            scenario=self.name,
            title=self.title,
            client=client,
            protocol=protocol,
            nodes=self.nodes,
            traffic=replace(traffic, rate_per_s=self.rate_per_s) if self.rate_per_s else traffic,
            phases=self.phases,
            concurrency=self.concurrency,
            timeout_ns=self.timeout_ns,
            seed=seed,
            faults=tuple(
                fault if fault.seed else replace(fault, seed=seed + number)
                for number, fault in enumerate(self.faults, 1)
            ),
            groups=self.groups,
            expects=self.expects,
            limits=self.limits,
            checks=self.checks,
            monitors=self.monitors,
            namespaces=self.namespaces,
        )


def _shortened(fault: Fault, factor: float) -> Fault:
    """Return a fault whose times are shorter, but for spells that are short already."""
    for_ns = max(min(fault.for_ns, SHORT_SPELL_NS), round(fault.for_ns * factor))
    # Between two spells there is as much time as a spell takes.
    every_ns = max(round(fault.every_ns * factor), min(fault.every_ns, 2 * for_ns))
    return replace(
        fault,
        at_ns=round(fault.at_ns * factor),
        for_ns=for_ns,
        every_ns=every_ns,
        stagger_ns=round(fault.stagger_ns * factor),
    )
