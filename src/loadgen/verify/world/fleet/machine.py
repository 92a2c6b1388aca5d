"""A simulated machine with the agent that ships on it: its hands, its workers, and what befalls it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from loadgen.fleet.agent import Agent
from loadgen.fleet.frame import KIND_AT, Kind
from loadgen.fleet.introduction import Introduction
from loadgen.fleet.seed_messages import Order as SeedOrder
from loadgen.phase import Phase
from loadgen.signs import HostSigns
from loadgen.verify.world._world import World
from loadgen.verify.world.fleet.local_clock import LocalClock
from loadgen.verify.world.fleet.way import Way
from loadgen.verify.world.fleet.worker import Pace, SimulatedWorker, Started
from loadgen.worker.messages import Hello, Message, Order

ENDED_LATE_NS = 1_000_000
"""How long a worker lives when its agent is gone: until it sees that its channel has ended."""


@dataclass(slots=True)
class Host:
    """What all agents of a machine share."""

    name: str
    clock: LocalClock
    locks: set[tuple[str, int]] = field(default_factory=set)
    """The files that stay: the ranks of runs that were taken there."""


@dataclass(slots=True)
class Ledger:
    """What all workers have done."""

    started: list[Started] = field(default_factory=list)
    processes: int = 0
    """The agent processes so far."""


class SimulatedAgent:
    """An agent process. It is an agent's hands, and runs while it is neither stopped nor dead."""

    def __init__(
        self, world: World, host: Host, rank: int, introduction: Introduction, pace: Pace, ledger: Ledger
    ) -> None:
        self.host = host
        self.rank = rank
        self.workers: dict[int, SimulatedWorker] = {}
        self.alive = True
        """False once the process has ended, by itself or not."""
        self._world = world
        self._pace = pace
        self._ledger = ledger
        ledger.processes += 1
        self._number = ledger.processes
        self._stops = 0
        """The reasons why the process is stopped now."""
        self._inbox: list[bytes] = []
        """What has come while it was stopped; an empty piece is the end."""
        self._orders: deque[tuple[SimulatedWorker, Order]] = deque()
        self._said: deque[tuple[int, Message | str, dict[Phase, int]]] = deque()
        """What workers have said, and how they have ended, and the agent has not read, with what had been reported."""
        self._read: dict[int, dict[Phase, int]] = {}
        """By worker, how much of its log had been reported in what the agent has read."""
        self._is_turning = False
        self.said: deque[dict[int, dict[Phase, int]]] = deque()
        """For each message to the leader that it has not heard, how much of each worker's log had been reported."""
        self._tick_ns = 0
        self.up: Way | None = None
        """To the leader; None: all that is said is lost."""
        self.agent = Agent(self, introduction, "", host.clock.at(world.now_ns))

    def begin(self) -> None:
        self.agent.begin()
        self._tick()

    # ── What befalls it ─────────────────────────────────────────────────────────────────────────────────────────────

    def kill(self) -> None:
        """End the process as SIGKILL does: the kernel ends the channel, and the workers see it."""
        self._end("lost its agent")

    def lose_power(self) -> None:
        """End all that runs on the machine; nobody is told."""
        if self.up is not None:
            self.up.vanish()
        self.alive = False
        for worker in self.workers.values():
            worker.die("lost its power")

    def stop(self) -> None:
        """Stop the process, and not its workers."""
        self._stops += 1

    def go_on(self) -> None:
        self._stops -= 1
        if self._runs:
            inbox, self._inbox = self._inbox, []
            for data in inbox:
                self.arrived(data)
            self._turn()
            self._tick()

    @property
    def _runs(self) -> bool:
        return self.alive and not self._stops

    # ── The channel and the clock ───────────────────────────────────────────────────────────────────────────────────

    def arrived(self, data: bytes) -> None:
        """Read bytes of the leader's; an empty piece is the end."""
        if self._stops:
            self._inbox.append(data)
        elif self.alive:
            if data:
                self.agent.received(data, self._now_ns)
            else:
                self.agent.leader_gone()
            self._turn()

    @property
    def _now_ns(self) -> int:
        return self.host.clock.at(self._world.now_ns)

    def _tick(self) -> None:
        if not self._runs or self._world.now_ns < self._tick_ns:
            return
        due_ns = self.agent.tick(self._now_ns)
        self._turn()
        self._tick_ns = self.host.clock.world(due_ns)
        self._world.at(self._tick_ns, self._tick)

    def _turn(self) -> None:
        """Pass on what the agent has to its workers, and what these have said to it, until nothing is left."""
        if self._is_turning:
            return
        self._is_turning = True
        while self._orders or (self._said and self._runs):
            if self._orders:
                worker, order = self._orders.popleft()
                worker.take(order)
                continue
            index, message, self._read[index] = self._said.popleft()
            if isinstance(message, str):
                self.agent.worker_ended(index, message)
            else:
                self.agent.worker_said(index, message)
        self._is_turning = False

    def _hear(self, index: int, message: Message | str) -> None:
        """Have the agent read what a worker has said, some workers' words later than others'."""
        worker = self.workers.get(index)
        said = (index, message, dict(worker.last) if worker is not None else {})
        self._world.at(self._world.now_ns + index % 3 * self._pace.late_ns, partial(self._heard, said))

    def _heard(self, said: tuple[int, Message | str, dict[Phase, int]]) -> None:
        self._said.append(said)
        self._turn()

    # ── An agent's hands ────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> None:
        if data[KIND_AT] == Kind.SAID:
            self.said.append(dict(self._read))
        if self.up is not None:
            self.up.send(data)

    def lock(self, run: str, rank: int) -> str:
        if (run, rank) in self.host.locks:
            return "has had this rank of the run before, and no load is fired twice"
        self.host.locks.add((run, rank))
        return ""

    def start(self, hello: Hello) -> None:
        [index] = hello.workers
        self.workers[index] = SimulatedWorker(
            self._world,
            self.host.clock,
            hello,
            self._pace,
            partial(self._hear, index),
            partial(self._hear, index),
            self._started,
        )

    def tell(self, order: Order) -> None:
        self._orders.extend((worker, order) for worker in self.workers.values())

    def seeds(self, order: SeedOrder) -> None:
        raise NotImplementedError("these agents have loads, and no campaigns")

    def look(self) -> Callable[[], HostSigns]:
        return HostSigns

    def end(self) -> None:
        while self._orders:  # They are on their way: the channel of a worker ends behind them.
            worker, order = self._orders.popleft()
            worker.take(order)
        self._end("lost its agent")

    def _end(self, how: str) -> None:
        if not self.alive:
            return
        self.alive = False
        if self.up is not None:
            self.up.close()
        for worker in self.workers.values():
            self._world.at(self._world.now_ns + ENDED_LATE_NS, partial(worker.die, how))

    def _started(self, worker: int, load: int, ordered_ns: int, began_ns: int) -> None:
        self._ledger.started.append(Started(self.rank, worker, load, self._number, ordered_ns, began_ns))
