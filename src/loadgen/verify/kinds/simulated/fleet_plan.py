"""The plan of a simulated case of agents, drawn from its tape: machines with their links, loads and faults."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loadgen.plan import Endpoint, Keyspace, Load, Plan, Segment, Target, Weights, Wire, Workload, worker_plans
from loadgen.units import NS_PER_MS, NS_PER_S, NS_PER_US
from loadgen.verify.tape import FAULT, OPERATION, Tape
from loadgen.verify.world.fleet.local_clock import LocalClock
from loadgen.verify.world.fleet.way import Delay
from loadgen.verify.world.fleet.worker import Pace

SERVERS = 4

HOUR_NS = 3600 * NS_PER_S
OFFSETS_NS = (0, -40 * 24 * HOUR_NS, 3 * NS_PER_MS, 400 * 24 * HOUR_NS, -200 * NS_PER_US, 7 * HOUR_NS)
"""Of a machine's clock: from the time of its start, which may be that of the leader's machine, or nearly."""
GAINS_PPB = (0, 20_000, -20_000, 100_000, -100_000)

SHORT_NS = (300 * NS_PER_MS, NS_PER_S)
"""The lengths of stops and cuts that a run outlives."""
LONG_NS = (4 * NS_PER_S, 9 * NS_PER_S)
"""Those that it does not."""
FOR_EVER_NS = 1 << 60


class Fault(StrEnum):
    """What befalls an agent, or its leader."""

    AGENT_KILLED = "agent is killed"
    AGENT_STOPPED = "agent is stopped"
    CUT_OFF = "agent is cut off"
    POWER_LOST = "machine loses its power"
    WORKER_KILLED = "worker is killed"
    WORKER_STOPPED = "worker is stopped"
    LEADER_STOPPED = "leader is stopped"
    LEADER_KILLED = "leader is killed"
    LAUNCHED_TWICE = "agent is launched again"
    LAUNCHED_ELSEWHERE = "agent is launched again on another machine"
    INTERRUPTED = "load is interrupted by its user"


LASTING = (Fault.AGENT_STOPPED, Fault.CUT_OFF, Fault.LEADER_STOPPED)
"""Those that have an end."""

OF_THE_LEADER = (Fault.LEADER_STOPPED, Fault.LEADER_KILLED, Fault.INTERRUPTED)

_WEIGHTS = {Fault.LAUNCHED_ELSEWHERE: 4, Fault.INTERRUPTED: 1}
"""Of those that are not drawn as often as others: an agent that is launched again must be so under load."""

HARMLESS = (Fault.LAUNCHED_TWICE, Fault.LAUNCHED_ELSEWHERE, Fault.INTERRUPTED)
"""Those after which no agent is lost."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault at a time of the world."""

    kind: Fault
    at_ns: int
    rank: int
    length_ns: int

    @property
    def is_loss(self) -> bool:
        """True when no run that is under way outlives it."""
        return self.kind not in HARMLESS and (self.kind not in LASTING or self.length_ns not in SHORT_NS)

    def __str__(self) -> str:
        whose = "" if self.kind in OF_THE_LEADER else f", of {self.rank}"
        length = f", for {self.length_ns / NS_PER_S:g} s" if 0 < self.length_ns < FOR_EVER_NS else ""
        return f"{self.at_ns / NS_PER_S:.3f} s: {self.kind}{whose}{length}"


@dataclass(frozen=True, slots=True)
class PlannedAgent:
    """A machine and its link."""

    clock: LocalClock
    delay: Delay
    late_ns: int
    """From the launch to its introduction."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the cases of a kind may draw."""

    name: str
    agents: int
    """The most."""
    mean_agents: float | None = 3.0
    """None: as many as there may be."""
    delays: tuple[Delay, ...] = (
        Delay(50 * NS_PER_US, 20 * NS_PER_US),
        Delay(500 * NS_PER_US),
        Delay(15 * NS_PER_MS, 10 * NS_PER_MS),
        Delay(80 * NS_PER_MS, 80 * NS_PER_MS, 0.05),
    )
    workers: tuple[int, ...] = (1, 2, 3)
    """Of each agent."""
    loads: tuple[int, ...] = (1, 2)
    measure_ns: tuple[int, ...] = (6 * NS_PER_S, 2 * NS_PER_S)
    turns_ns: tuple[int, ...] = (0, NS_PER_MS)
    """From a message to the turn of the leader in which it is read."""
    prefill: float = 0.2
    mean_faults: float = 1.5
    most_faults: int = 4
    faults: tuple[Fault, ...] = tuple(Fault)
    tick_ns: int = NS_PER_MS
    """Faults begin at multiples of it."""


PROFILE = Profile("fleet_agents", 12)

THOUSAND = Profile(
    "fleet_thousand",
    1_000,
    None,
    (Delay(15 * NS_PER_MS, 10 * NS_PER_MS),),
    workers=(1,),
    loads=(1,),
    measure_ns=(2 * NS_PER_S,),
    turns_ns=(NS_PER_MS,),
    prefill=0.0,
    mean_faults=0.0,
    most_faults=0,
)
"""A thousand agents on links of 20 ms, give or take 5."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """A case."""

    agents: tuple[PlannedAgent, ...]
    workers: int
    """Of each."""
    loads: int
    load: Load
    prefill: bool
    turn_ns: int
    pace: Pace
    faults: tuple[PlannedFault, ...]

    @classmethod
    def drawn(cls, tape: Tape, profile: Profile) -> FleetPlan:
        agents = [_agent(tape, profile)]
        for _ in tape.several(OPERATION, profile.agents - 1, profile.mean_agents):
            agents.append(_agent(tape, profile))
        workers = tape.choice(profile.workers, "workers of an agent")
        loads = tape.choice(profile.loads, "loads")
        measure_ns = tape.choice(profile.measure_ns, "measure window")
        load = Load(
            warmup_ns=tape.choice((NS_PER_S, 0, 700 * NS_PER_MS), "warm-up"),
            duration_ns=measure_ns,
            interval_ns=tape.choice((NS_PER_S, 300 * NS_PER_MS), "interval"),
            profile=(Segment(measure_ns, 1_000.0, 1_000.0),),
        )
        prefill = tape.chance(profile.prefill, "prefill")
        drain_ns = tape.choice((3 * NS_PER_MS, 400 * NS_PER_MS), "drain")
        late_ns = tape.choice((0, 5 * NS_PER_MS, 200 * NS_PER_MS), "lateness of workers' reports")
        turn_ns = tape.choice(profile.turns_ns, "turn of the leader")
        whole_ns = 2 * NS_PER_S + loads * (load.warmup_ns + measure_ns + NS_PER_S)
        faults = tuple(
            _fault(tape, profile, len(agents), whole_ns)
            for _ in tape.several(FAULT, profile.most_faults, profile.mean_faults)
        )
        return cls(
            tuple(agents), workers, loads, load, prefill, turn_ns, Pace(drain_ns=drain_ns, late_ns=late_ns), faults
        )

    @property
    def most_delay_ns(self) -> int:
        """The longest way of a piece while nothing is cut."""
        return max(agent.delay.most_ns for agent in self.agents)

    def plan(self) -> Plan:
        """Return the plan that the crew is given."""
        count = len(self.agents) * self.workers
        connections, keys = count * SERVERS, 100 * count
        return Plan(
            target=Target("resp", tuple(Endpoint("s", 6379 + n, f"10.0.0.{n + 1}") for n in range(SERVERS))),
            wire=Wire(connections, 1, 1, 5 * NS_PER_S, 2 * NS_PER_S, "roundrobin"),
            workload=Workload(Keyspace(keys, 16, "uniform", 1.0), Weights(get=3, set=1), 32, prefill=self.prefill),
            load=self.load,
            seed=1,
            workers=worker_plans(
                count, seed=1, cpus=[None], connections=connections, idle=0, servers=SERVERS, keys=keys
            ),
        )

    def __str__(self) -> str:
        load = self.load
        return (
            f"{len(self.agents)} agents of {self.workers} workers, delays up to {self.most_delay_ns / NS_PER_MS:g} ms, "
            f"{self.loads} loads of {load.warmup_ns / NS_PER_S:g} + {load.duration_ns / NS_PER_S:g} s, intervals of "
            f"{load.interval_ns / NS_PER_S:g} s{', prefill' * self.prefill}"
        )


def _agent(tape: Tape, profile: Profile) -> PlannedAgent:
    return PlannedAgent(
        LocalClock(tape.choice(OFFSETS_NS, "lead of a clock"), tape.choice(GAINS_PPB, "gain of a clock")),
        tape.choice(profile.delays, "delay of a link"),
        tape.choice((0, 400 * NS_PER_MS), "time of an agent's start"),
    )


def _fault(tape: Tape, profile: Profile, agents: int, whole_ns: int) -> PlannedFault:
    kind = tape.weighted([(_WEIGHTS.get(kind, 2), kind) for kind in profile.faults], "fault")
    at_ns = NS_PER_S + tape.below(whole_ns // profile.tick_ns, "time of a fault") * profile.tick_ns
    rank = tape.below(agents, "agent of a fault")
    length_ns = tape.choice((*LONG_NS, *SHORT_NS, FOR_EVER_NS), "length of a fault") if kind in LASTING else 0
    if kind is Fault.LEADER_STOPPED:
        length_ns = min(length_ns, LONG_NS[-1])  # It would never see anything again.
    return PlannedFault(kind, at_ns, rank, length_ns)
