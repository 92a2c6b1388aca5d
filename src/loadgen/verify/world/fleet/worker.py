"""A simulated worker: takes a worker's orders, and reports counts that are known beforehand. It sends nothing.

Every count is in `log`, an entry for each batch of requests alike; a report has the entries up to a place in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from heapq import heappop, heappush
from typing import Any, NamedTuple

from loadgen.phase import COUNTED, OF_A_LOAD, Phase
from loadgen.plan import Load
from loadgen.signs import WorkerSigns
from loadgen.snapshot import Histogram, Snapshot, Tally
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.world._world import World
from loadgen.verify.world.fleet.local_clock import LocalClock
from loadgen.worker.messages import (
    ClockReading,
    Connect,
    Connected,
    Drained,
    EndDrain,
    EndLoad,
    Goodbye,
    Greeting,
    Hello,
    IntervalEnded,
    Message,
    Order,
    Progressed,
    PutOn,
    Report,
    TellTime,
    WriteKeys,
    Written,
)

PREFILL_INTERVAL_NS = 250 * NS_PER_MS

OPEN = 2
"""The requests of an interval that are still open when it is over, and end in the next."""


class Entry(NamedTuple):
    """A batch of requests of one command, planned or ended."""

    load: int
    """The number of the load; 0 before the first."""
    phase: Phase
    command: str
    place: str
    """The field of a Tally: `planned`, `ok`, `errors`, `timeouts`."""
    requests: int
    response_ns: int
    """Of `ok`."""


class Started(NamedTuple):
    """A worker has begun to send a load. Times are the world's."""

    rank: int
    worker: int
    load: int
    process: int
    """The agent process that the worker belongs to: no two have the same number."""
    ordered_ns: int
    """The time at which its clock showed what it was told."""
    began_ns: int


class Pace(NamedTuple):
    """How much a worker does."""

    per_interval: int = 12
    connect_ns: int = 2 * NS_PER_MS
    drain_ns: int = 3 * NS_PER_MS
    prefill_ns: int = 600 * NS_PER_MS
    late_ns: int = 0
    """The time by which an agent reads what some of its workers say later than what others do."""


def folded(entries: Iterable[Entry], phase: Phase, load: int) -> tuple[dict[str, Tally], dict[str, Histogram]]:
    """Return the tallies and response times of a phase, of a load where the phase is one of a load's.

    Each response time is recorded anew: no histogram is added to another.
    """
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    times: dict[str, Counter[int]] = defaultdict(Counter)
    for of_load, of_phase, command, place, requests, response_ns in entries:
        if of_phase == phase and (of_load == load or phase not in OF_A_LOAD):
            tallies[command][place] += requests
            if place == "ok":
                times[command][response_ns] += requests
    response: dict[str, Histogram] = {}
    for command, counts in times.items():
        histogram = response[command] = Histogram()
        for response_ns in sorted(counts):
            histogram.record_many(response_ns, counts[response_ns])
    return {command: Tally(**counts) for command, counts in tallies.items()}, response


class SimulatedWorker:
    """A process of its own: it lives until `die`, whoever has started it."""

    def __init__(
        self,
        world: World,
        clock: LocalClock,
        hello: Hello,
        pace: Pace,
        say: Callable[[Message], None],
        ended: Callable[[str], None],
        started: Callable[[int, int, int, int], None],
    ) -> None:
        """`say` gets its messages, `ended` how it ended in words after its name, and `started` is told of each load:
        the worker, the load, and the times of the world of the order and of the first request."""
        self._world = world
        self._clock = clock
        self._pace = pace
        self._say = say
        self._ended = ended
        self._started = started
        self._plan = hello.plan
        [self.index] = hello.workers
        self._lease_ns = hello.lease_ns
        self._until_ns = 0
        """The time of the world at which the lease is over."""
        self.alive = True
        self.began_ns = world.now_ns
        self.stopped = False
        self.load = 0
        """The number of the newest load."""
        self.phase = Phase.PRECHECK
        self.log: list[Entry] = []
        self._of_phase: dict[Phase, list[Entry]] = {}
        """The entries that snapshots have."""
        self.told: dict[tuple[Phase, int], int] = {}
        """By phase and number of an interval of the newest load, the length of the log when it was reported."""
        self.last: dict[Phase, int] = {}
        """By phase, the length of the log at its newest report; of phases of a load, those of the newest load."""
        self.sent: list[list[int]] = []
        """The times of the world from the first request of each load to its end, which is 0 while the load lasts."""
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        """What is to be done, by the time of its own clock, and in the order in which it was decided on."""
        self._decided = 0
        self._is_drained = False
        """It drains the newest load, or has, and was told nothing since."""
        self._open: dict[str, int] = {}
        """The requests of the phase that are open, by command."""
        self._renew()
        if self._lease_ns:
            self._world.at(self._until_ns, self._lease_over)
        self._tell(Greeting(self.now_ns))

    @property
    def now_ns(self) -> int:
        return self._clock.at(self._world.now_ns)

    @property
    def is_sending(self) -> bool:
        return bool(self.sent) and not self.sent[-1][1]

    # ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def die(self, how: str) -> None:
        """End the process; nothing of what it had not reported is known."""
        if self.alive:
            self.alive = False
            self._over()
            self._ended(how)

    def stop(self) -> None:
        """Stop the process for good, as SIGSTOP does: it sends nothing, and takes no signal."""
        self.stopped = True
        self._over()

    def _renew(self) -> None:
        self._until_ns = self._clock.world(self.now_ns + self._lease_ns)

    def _lease_over(self) -> None:
        if self._world.now_ns < self._until_ns:
            self._world.at(self._until_ns, self._lease_over)
        elif not self.stopped:
            self.die("was killed by SIGALRM")

    def _over(self) -> None:
        self._agenda.clear()
        if self.is_sending:
            self.sent[-1][1] = self._world.now_ns

    # ── Orders ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take(self, order: Order) -> None:
        """Carry out an order; a process that is gone or stopped does not."""
        if not self.alive or self.stopped:
            return
        if self._lease_ns:
            self._renew()
        match order:
            case TellTime():
                self._tell(ClockReading(self.now_ns))
            case Connect():
                self._later(self._pace.connect_ns, self._connected)
                self._is_drained = False
            case WriteKeys():
                self.phase = Phase.PREFILL
                self._is_drained = False
                self._later(PREFILL_INTERVAL_NS, self._progressed)
                self._later(self._pace.prefill_ns, self._written)
            case PutOn():
                self._put_on(order)
            case EndLoad() | EndDrain():
                self._end_load()
            case Goodbye():
                self.die("ended with exit status 0")

    def _later(self, after_ns: int, call: Callable[[], None]) -> None:
        self._at(self.now_ns + after_ns, call)

    def _at(self, local_ns: int, call: Callable[[], None]) -> None:
        self._decided += 1
        heappush(self._agenda, (local_ns, self._decided, call))
        if self._agenda[0][1] == self._decided:
            self._world.at(self._clock.world(local_ns), self._due)

    def _due(self) -> None:
        """Do what is due by now, in the order of its times; there may be nothing any more."""
        while self._agenda and self._agenda[0][0] <= self.now_ns:
            heappop(self._agenda)[2]()
        if self._agenda:
            self._world.at(self._clock.world(self._agenda[0][0]), self._due)

    # ── Reports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, message: Message) -> None:
        self._say(message)

    def snapshot(self, phase: Phase) -> Snapshot:
        tallies, response = folded(self._of_phase.get(phase, ()), phase, self.load)
        return Snapshot(at_ns=self.now_ns, tallies=tallies, response=response)

    def _report(self, kind: Callable[..., Report], phase: Phase, **more: Any) -> None:
        self.last[phase] = len(self.log)
        down = (0,) * len(self._plan.target.endpoints)
        self._tell(kind(phase=phase, snapshot=self.snapshot(phase), down=down, **more))

    def _entry(self, phase: Phase, command: str, place: str, count: int, response_ns: int = 0) -> None:
        if count:
            self.log.append(Entry(self.load, phase, command, place, count, response_ns))
            self._of_phase.setdefault(phase, []).append(self.log[-1])

    def _connected(self) -> None:
        connections = sum(self._plan.workers[self.index].connections)
        self._entry(Phase.PRECHECK, "ping", "planned", connections)
        self._entry(Phase.PRECHECK, "ping", "ok", connections, 1000 + 7 * self.index)
        self._report(Connected, Phase.PRECHECK)

    def _progressed(self) -> None:
        self._ends(Phase.PREFILL, "set", 1, 40_000 + self.index)
        self._report(Progressed, Phase.PREFILL)
        self._later(PREFILL_INTERVAL_NS, self._progressed)

    def _written(self) -> None:
        self._agenda.clear()
        self._ends(Phase.PREFILL, "set", self._plan.workers[self.index].prefill_count, 41_000 + self.index)
        self._report(Written, Phase.PREFILL)

    def _ends(self, phase: Phase, command: str, count: int, response_ns: int) -> None:
        self._entry(phase, command, "planned", count)
        self._entry(phase, command, "ok", count, response_ns)

    # ── A load ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _put_on(self, order: PutOn) -> None:
        self._agenda.clear()
        self.load += 1
        self.told.clear()
        for phase in OF_A_LOAD:
            self.last.pop(phase, None)
            self._of_phase.pop(phase, None)
        self._is_drained = False
        ordered_ns = self._clock.world(order.start_ns)
        began_ns = max(ordered_ns, self._world.now_ns)
        self.sent.append([began_ns, 0])
        self._started(self.index, self.load, ordered_ns, began_ns)
        load = order.load
        self.phase = Phase.WARMUP
        self._report_intervals(load, Phase.WARMUP, order.start_ns, load.warmup_ns)
        self._at(order.measure_ns, self._measure)
        self._report_intervals(load, Phase.MEASURE, order.measure_ns, load.window_ns)
        self._at(order.end_ns, self._window_over)

    def _measure(self) -> None:
        self._end_open(2 * NS_PER_MS)
        self.phase = Phase.MEASURE

    def _end_open(self, response_ns: int) -> None:
        """What is open in the phase ends."""
        for command, count in self._open.items():
            self._entry(self.phase, command, "ok", count, response_ns + self.index)
        self._open.clear()

    def _report_intervals(self, load: Load, phase: Phase, start_ns: int, length_ns: int) -> None:
        for number, until_ns in enumerate(self._ends_of(load, length_ns), 1):
            own_ns = until_ns - (number - 1) * load.interval_ns
            self._at(start_ns + until_ns, partial(self._interval, phase, number, own_ns))

    @staticmethod
    def _ends_of(load: Load, length_ns: int) -> Iterator[int]:
        step_ns = load.interval_ns
        yield from (min(at, length_ns) for at in range(step_ns, length_ns + step_ns, step_ns))

    def _interval(self, phase: Phase, number: int, length_ns: int) -> None:
        self._count(phase, number)
        self.told[phase, number] = len(self.log)
        self._report(IntervalEnded, phase, number=number, length_ns=length_ns)

    def _count(self, phase: Phase, number: int) -> None:
        """Have a batch of requests planned, those that were open end, and of the new ones all but a few."""
        drawn = (self.index * 2_654_435_761 + self.load * 40_503 + number * 977) % 1009
        for command, share in (("get", 3), ("set", 1)):
            planned = share * (self._pace.per_interval + drawn % 5)
            response_ns = (1 + drawn) * 997 * (1 + number % 2) * (NS_PER_MS if drawn % 50 == 0 else 1)
            failed = int(drawn % 7 == 0)
            self._entry(phase, command, "planned", planned)
            self._entry(phase, command, "ok", planned - OPEN - failed + self._open.get(command, 0), response_ns)
            self._entry(phase, command, "timeouts", failed)
            self._open[command] = OPEN

    def _window_over(self) -> None:
        """The window's end: what is open ends within the drain."""
        self._over()
        self._is_drained = True
        self._later(min(self._pace.drain_ns, self._plan.wire.request_timeout_ns), self._drained)

    def _end_load(self) -> None:
        if not self._is_drained:
            self._window_over()

    def _drained(self) -> None:
        self._end_open(5 * NS_PER_MS)
        finals = {phase: self.snapshot(phase) for phase in COUNTED}
        self.last.update(dict.fromkeys(COUNTED, len(self.log)))
        signs = (WorkerSigns(index=self.index, wall_ns=NS_PER_S, cpu_ns=NS_PER_MS, queued_ns=0),)
        self._report(Drained, self.phase, finals=finals, signs=signs, window_end_ns=self.now_ns)
