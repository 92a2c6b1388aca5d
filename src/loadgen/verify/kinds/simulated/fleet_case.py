"""A simulated case of agents: one run, from the introductions to the end of every worker.

The crew, the links and the agents are those that ship. What they promise is in `fleet_laws`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from loadgen.errors import TargetError, WorkerError
from loadgen.events import Event
from loadgen.fleet.fleet import Fleet, Machine
from loadgen.fleet.introduction import Introduction, nonce
from loadgen.fleet.link import INTRODUCED_WITHIN_NS, Link
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.runner.crew import Crew
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.intervals import Interval
from loadgen.runner.load import Counted
from loadgen.runner.stop import Stop
from loadgen.snapshot import Histogram, Tally
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.kinds.simulated.fleet_plan import FOR_EVER_NS, Fault, FleetPlan, PlannedFault
from loadgen.verify.tape import Tape
from loadgen.verify.world._world import World
from loadgen.verify.world.fleet.leader import EndlessError, Exchange, LeaderKernel, LeaderKilled
from loadgen.verify.world.fleet.machine import Host, Ledger, SimulatedAgent
from loadgen.verify.world.fleet.way import Way
from loadgen.verify.world.fleet.worker import folded
from loadgen.worker.messages import Drained, IntervalEnded, Message, Report

VERSION = "1.0"
RUN = "simulated"

WALL_NS = 1_700_000_000 * NS_PER_S

LIMIT_S = 120
"""No leader of such a case has anything to do for longer."""

AFTER_S = 15
"""The time after the leader's end by which every worker has ended."""


Counts = tuple[dict[str, Tally], dict[str, Histogram]]
"""Tallies and response times, by command."""


@dataclass(slots=True)
class Put:
    """One load that was put on, and what the leader knew of its start."""

    number: int
    start_ns: int
    counted: Counted
    expected: Mapping[Phase, Counts]
    """The tallies and response times of each phase that the leader had heard of, each request recorded once more."""


@dataclass(slots=True)
class Ran:
    """What a run came to. Times are the world's."""

    loads: list[Put] = field(default_factory=list)
    intervals: list[tuple[int, Interval, Counts]] = field(default_factory=list)
    """The load of each interval, what its leader was told, and the counts of all workers up to its end."""
    failed: str = ""
    """Why the run could not go on, in the words of its leader; empty when it could."""
    is_over: bool = False
    """False: the leader waited without an end."""
    is_killed: bool = False
    over_ns: int = 0
    began: list[PlannedFault] = field(default_factory=list)
    """The faults that took place while the leader was at work."""


class FleetCase:
    """One case."""

    def __init__(self, world: World, tape: Tape, plan: FleetPlan) -> None:
        self.world = world
        self.plan = plan
        self.ledger = Ledger()
        self.exchange = Exchange(world, plan.turn_ns)
        self.stop = Stop()
        self.crew: Crew | None = None
        self.agents: list[SimulatedAgent] = []
        self.again: list[SimulatedAgent] = []
        """Those that were launched a second time."""
        self.ran = Ran()
        self.marks: dict[Phase, dict[int, int]] = {}
        """By phase and worker, how much of its log the leader has heard of; of a load's phases, in the newest load."""
        self.exchange.heard = self._heard
        for rank, agent in enumerate(plan.agents):
            link = Link(VERSION, RUN, rank, "", world.now_ns)
            host = Host(f"h{rank}", agent.clock)
            made = SimulatedAgent(world, host, rank, self._introduction(host), plan.pace, self.ledger)
            down = Way(world, tape, agent.delay, made.arrived)
            made.up = Way(world, tape, agent.delay, partial(self.exchange.arrived, rank))
            self.agents.append(made)
            self.exchange.add(host.name, link, down)
            world.at(world.now_ns + agent.late_ns, made.begin)
        for fault in plan.faults:
            world.at(fault.at_ns, partial(self._befall, fault))

    def _introduction(self, host: Host) -> Introduction:
        now_ns = host.clock.at(self.world.now_ns)
        return Introduction(
            version=VERSION,
            python="3",
            host=host.name,
            pid=1,
            cpus=4,
            open_files=0,
            clock_ns=now_ns,
            wall_s=(WALL_NS + now_ns) / NS_PER_S,
            nonce=nonce(),
        )

    # ── The run ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Ran:
        """Run the case, up to the end of its workers."""
        self.exchange.begin()
        try:
            self._lead()
            self.ran.is_over = True
        except LeaderKilled:
            self.ran.is_over = self.ran.is_killed = True
        except EndlessError:
            pass
        self.ran.over_ns = self.world.now_ns
        while not self.world.run(self.ran.over_ns + AFTER_S * NS_PER_S):
            pass
        return self.ran

    def _lead(self) -> None:
        lines = self.exchange.lines
        if not self._until(lambda link: link.introduction is not None) or self._lost():
            return
        for line in lines:
            line.link.claim(self.world.now_ns)
        self.exchange.flush()
        if not self._until(lambda link: link.is_accepted) or self._lost():
            return
        machines = [Machine(line.name, line.link.introduction) for line in lines if line.link.introduction is not None]
        fleet = Fleet(self.exchange, tuple(machines))
        kernel = LeaderKernel(self.world, self.exchange, WALL_NS, LIMIT_S * NS_PER_S)
        crew = self.crew = Crew(self.plan.plan(), _quiet, members=fleet, stop=self.stop, kernel=kernel)
        try:
            with crew.at_work():
                self._loads(crew)
        except (WorkerError, TargetError) as error:
            self.ran.failed = str(error)

    def _loads(self, crew: Crew) -> None:
        try:
            crew.connect()
            if self.plan.prefill:
                crew.prefill()
        except EndedEarly:
            crew.drain()
            self._note_failure(crew)
            return
        for number in range(1, self.plan.loads + 1):
            for phase in OF_A_LOAD:
                self.marks.pop(phase, None)
            counted = crew.put_on(self.plan.load, interval_ended=partial(self._interval, number))
            assert crew.load is not None
            self.ran.loads.append(Put(number, crew.load.order.start_ns, counted, self._expected(number)))
            self._note_failure(crew)
            if counted.ended_early:
                return
            if number < self.plan.loads:
                try:
                    crew.connections.open(fresh=True)
                except EndedEarly:
                    self._note_failure(crew)
                    return

    def _note_failure(self, crew: Crew) -> None:
        self.ran.failed = next((reason.words for reason in crew.failure.reasons), "")

    def _until(self, done: Callable[[Link], bool]) -> bool:
        """Wait until each link is done or over."""
        until_ns = self.world.now_ns + 2 * INTRODUCED_WITHIN_NS
        while not all(done(line.link) or line.link.over for line in self.exchange.lines):
            if self.world.now_ns > until_ns:
                self.ran.failed = "an agent did not come"
                return False
            self.exchange.wait((), self.world.now_ns + 10 * NS_PER_MS)
        return True

    def _lost(self) -> bool:
        lost = [(line.name, line.link.over) for line in self.exchange.lines if line.link.over]
        if lost:
            self.ran.failed = f"Agent {lost[0][0]} {lost[0][1]}"
        return bool(lost)

    def _heard(self, rank: int, message: Message) -> None:
        """Note which of its workers' entries a report of an agent stands for."""
        agent = self.agents[rank]
        newest = agent.said.popleft()
        if not isinstance(message, Report):
            return
        for index in newest:
            worker = agent.workers[index]
            if isinstance(message, IntervalEnded):
                length = worker.told.get((message.phase, message.number), newest[index].get(message.phase, 0))
                self.marks.setdefault(message.phase, {})[index] = length
            else:
                for phase in message.finals if isinstance(message, Drained) else (message.phase,):
                    self.marks.setdefault(phase, {})[index] = newest[index].get(phase, 0)

    def _interval(self, load: int, interval: Interval) -> None:
        """Note an interval, with the counts of all workers at its end, or at their own."""
        phase = interval.phase
        entries = chain.from_iterable(
            worker.log[: worker.told.get((phase, interval.number), worker.last.get(phase, 0))]
            for agent in self.agents
            for worker in agent.workers.values()
        )
        self.ran.intervals.append((load, interval, folded(entries, phase, load)))

    def _expected(self, load: int) -> dict[Phase, Counts]:
        """Return the tallies and response times of each phase that the leader has heard of."""
        logs = {index: worker.log for agent in self.agents for index, worker in agent.workers.items()}
        return {
            phase: folded(chain.from_iterable(logs[index][:length] for index, length in marks.items()), phase, load)
            for phase, marks in self.marks.items()
        }

    # ── Faults ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _befall(self, fault: PlannedFault) -> None:
        agent, line, world = self.agents[fault.rank], self.exchange.lines[fault.rank], self.world
        assert agent.up is not None
        self.ran.began.append(fault)
        until_ns = world.now_ns + fault.length_ns if fault.length_ns < FOR_EVER_NS else None
        match fault.kind:
            case Fault.AGENT_KILLED:
                agent.kill()
            case Fault.POWER_LOST:
                agent.lose_power()
                line.down.vanish()
            case Fault.AGENT_STOPPED:
                agent.stop()
                self._at(until_ns, agent.go_on)
            case Fault.CUT_OFF:
                for way in (agent.up, line.down):
                    way.cut()
                    self._at(until_ns, way.heal)
            case Fault.WORKER_KILLED | Fault.WORKER_STOPPED:
                worker = min(agent.workers.values(), key=lambda each: each.index, default=None)
                if worker is not None and fault.kind is Fault.WORKER_KILLED:
                    worker.die("was killed by SIGKILL")
                elif worker is not None:
                    worker.stop()
            case Fault.LEADER_STOPPED:
                self.exchange.stop()
                self._at(until_ns, self.exchange.go_on)
            case Fault.LEADER_KILLED:
                self.exchange.kill()
            case Fault.LAUNCHED_TWICE:
                self._launch_again(fault.rank, agent.host)
            case Fault.LAUNCHED_ELSEWHERE:
                self._launch_again(fault.rank, Host(f"other-{fault.rank}", self.plan.agents[fault.rank].clock))
            case Fault.INTERRUPTED:
                self.stop.set()
                if self.crew is not None and self.crew.alarm is not None:
                    self.exchange.ring(self.crew.alarm.fileno())

    def _at(self, at_ns: int | None, call: Callable[[], None]) -> None:
        if at_ns is not None:
            self.world.at(at_ns, call)

    def _launch_again(self, rank: int, host: Host) -> None:
        """Start another agent for a rank, as a scheduler of tasks does, which is given all that the first one is."""
        down = self.exchange.lines[rank].down
        again = SimulatedAgent(self.world, host, rank, self._introduction(host), self.plan.pace, self.ledger)
        self.again.append(again)
        again.begin()
        again.arrived(bytes(down.sent))
        down.copied = again.arrived


def _quiet(event: Event) -> None:
    pass
