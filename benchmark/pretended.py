"""Agents that send nothing: each is a real agent of loadgen whose workers only report, all of them in one process.

The leader cannot tell them from others, so what leading them costs is what leading machines costs. Run as a program, on
sockets whose descriptors are given, it is that process.
"""

from __future__ import annotations

import contextlib
import heapq
import random
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from loadgen.fleet.agent import BEAT_NS, Agent
from loadgen.fleet.channel import Channel
from loadgen.fleet.frame import Kind, frame
from loadgen.fleet.machine import introduction
from loadgen.fleet.pickled import pickled
from loadgen.phase import COUNTED, Phase
from loadgen.signs import HostSigns, WorkerSigns
from loadgen.snapshot import ConnectionCounts, Histogram, Snapshot, Tally
from loadgen.units import NS_PER_S
from loadgen.worker.messages import (
    ClockReading,
    Connect,
    Connected,
    Drained,
    EndLoad,
    Goodbye,
    Greeting,
    Hello,
    IntervalEnded,
    Message,
    Order,
    PutOn,
    TellTime,
)

REQUESTS = 10_000
"""Requests of each worker in each interval: as many different times as a worker at that rate would report."""


def interval() -> Snapshot:
    """Return what a worker counts in an interval."""
    drawn, response, lag = random.Random(1), Histogram(), Histogram()
    for _ in range(REQUESTS):
        response.record(int(80_000 * drawn.lognormvariate(0, 0.7)))
        lag.record(int(4_000 * drawn.lognormvariate(0, 0.5)))
    return Snapshot(
        tallies={"get": Tally(planned=REQUESTS, ok=REQUESTS, hits=REQUESTS)},
        response={"get": response},
        service={"get": response},
        lag=lag,
        lag_ours=lag,
        answered_in_time=REQUESTS,
        ok_in_time=REQUESTS,
        cpu_ns=REQUESTS * 2_000,
    )


class Reports:
    """What agents say of a load, as the bytes of frames: all say the same, so each is made once."""

    def __init__(self) -> None:
        self._each = interval()
        self._so_far = [Snapshot()]
        self._frames: dict[int, bytes] = {}

    def so_far(self, intervals: int) -> Snapshot:
        """Return the counts of so many intervals."""
        while len(self._so_far) <= intervals:
            self._so_far.append(self._so_far[-1] + self._each)
        return self._so_far[intervals]

    def interval(self, number: int, length_ns: int) -> bytes:
        """Return the report of an interval, by its number from 1."""
        if number not in self._frames:
            told = IntervalEnded(
                phase=Phase.MEASURE, snapshot=self.so_far(number), down=(0,), number=number, length_ns=length_ns
            )
            self._frames[number] = frame(Kind.SAID, pickled(told))
        return self._frames[number]

    def drained(self, intervals: int, end_ns: int) -> bytes:
        """Return the last report, on so many intervals."""
        if -intervals not in self._frames:
            measured = self.so_far(intervals)
            told = Drained(
                phase=Phase.MEASURE,
                snapshot=measured,
                down=(0,),
                finals={**dict.fromkeys(COUNTED, Snapshot()), Phase.MEASURE: measured},
                signs=(WorkerSigns(0, NS_PER_S, NS_PER_S // 5, 0),),
                host=HostSigns(),
                window_end_ns=end_ns,
            )
            self._frames[-intervals] = frame(Kind.SAID, pickled(told))
        return self._frames[-intervals]


class Pretender:
    """One agent, with a worker that only reports."""

    def __init__(
        self, channel: socket.socket, reports: Reports, later: Callable[[int, Callable[[], None]], None]
    ) -> None:
        self.channel = channel
        self._reports, self._later = reports, later
        self._reported = 0
        self._out = bytearray()
        self._workers: list[int] = []
        self._connections = 0
        self.agent = Agent(self, introduction("", ""), "", time.monotonic_ns())

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if data := self.channel.recv(1 << 16):
                self.agent.received(data, time.monotonic_ns())
            else:
                self.agent.leader_gone()

    # ── An agent's hands ────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, data: bytes) -> None:
        self._out += data
        with contextlib.suppress(OSError):
            del self._out[: self.channel.send(self._out)]

    def lock(self, run: str, rank: int) -> str:
        return ""

    def start(self, hello: Hello) -> None:
        [index] = hello.workers
        self._workers.append(index)
        self._connections += sum(hello.plan.workers[index].connections)
        self._later(0, lambda: self._say(Greeting(time.monotonic_ns())))

    def tell(self, order: Order) -> None:
        match order:
            case TellTime():
                self._say(ClockReading(time.monotonic_ns()))
            case Connect():
                up = ConnectionCounts(opened=self._connections, active=self._connections)
                self._say(Connected(phase=Phase.PRECHECK, snapshot=Snapshot(connections=up), down=(0,)))
            case PutOn():
                self._report(order, 1)
            case EndLoad():
                self._drained(self._reported, time.monotonic_ns())
            case Goodbye():
                pass

    def look(self) -> Callable[[], HostSigns]:
        return HostSigns

    def end(self) -> None:
        self._workers.clear()

    def _say(self, message: Message) -> None:
        for index in self._workers:
            self.agent.worker_said(index, message)

    def _report(self, order: PutOn, number: int) -> None:
        """Report each interval at its end, and the load at its own."""
        end_ns = min(order.measure_ns + number * order.load.interval_ns, order.end_ns)

        def ended() -> None:
            if not self._workers:
                return
            if end_ns < order.end_ns:
                self.send(self._reports.interval(number, order.load.interval_ns))
                self._report(order, number + 1)
            else:
                self._drained(number, end_ns)

        self._reported = number - 1
        self._later(end_ns, ended)

    def _drained(self, intervals: int, end_ns: int) -> None:
        self.send(self._reports.drained(intervals, end_ns))


def pretend(channels: Sequence[socket.socket]) -> None:
    """Be so many agents, to the end of all."""
    due: list[tuple[int, int, Callable[[], None]]] = []
    numbers, reports = count(), Reports()

    def later(at_ns: int, what: Callable[[], None]) -> None:
        heapq.heappush(due, (at_ns, next(numbers), what))

    selector = selectors.DefaultSelector()
    pretenders = [Pretender(channel, reports, later) for channel in channels]
    for pretender in pretenders:
        pretender.channel.setblocking(False)
        selector.register(pretender.channel, selectors.EVENT_READ, pretender)
        pretender.agent.begin()
    ticked_ns = 0

    def tick() -> None:
        """Say that all are there. That a leader is silent is not judged: its words wait while others are read."""
        nonlocal ticked_ns
        now_ns = time.monotonic_ns()
        if now_ns - ticked_ns >= BEAT_NS:
            ticked_ns = now_ns
            for pretender in pretenders:
                pretender.send(frame(Kind.BEAT))

    while pretenders:
        next_ns = min(due[0][0] if due else ticked_ns + NS_PER_S, ticked_ns + BEAT_NS)
        for key, _ in selector.select(max(0, next_ns - time.monotonic_ns()) / NS_PER_S):
            key.data.read()
            tick()
        while due and due[0][0] <= time.monotonic_ns():
            heapq.heappop(due)[2]()
        tick()
        for pretender in [one for one in pretenders if one.agent.over]:
            pretenders.remove(pretender)
            selector.unregister(pretender.channel)
            pretender.channel.close()


@dataclass(frozen=True, slots=True)
class Pretended:
    """The launcher of so many."""

    count: int
    words: str = "pretended"

    @contextmanager
    def launch(self, run: str) -> Iterator[Sequence[Channel]]:
        allow_files(6 * self.count + 100)
        pairs = [socket.socketpair() for _ in range(self.count)]
        theirs = [their.fileno() for _, their in pairs]
        process = subprocess.Popen([sys.executable, __file__, *map(str, theirs)], pass_fds=theirs)
        for _, their in pairs:
            their.close()
        try:
            yield [
                Channel(f"pretended-{rank}", ours, lambda: "is gone", lambda: None)
                for rank, (ours, _) in enumerate(pairs)
            ]
        finally:
            for ours, _ in pairs:
                ours.close()
            process.wait(20)


def allow_files(number: int) -> None:
    """Raise this process's soft limit on open files as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    pretend([socket.socket(fileno=int(descriptor)) for descriptor in sys.argv[1:]])
