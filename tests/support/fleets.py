"""Agents for tests: in surroundings of their own, over channels that delay what passes or are cut."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from runs import described, judging

from loadgen import config
from loadgen.events import Result
from loadgen.fleet.channel import Channel
from loadgen.fleet.fleet import Fleet, launched
from loadgen.fleet.launchers.local import children
from loadgen.phase import Phase
from loadgen.runner.run import Run
from loadgen.runner.timeline import At


class Relay:
    """Carries bytes both ways between two sockets, each piece after a delay of its own, and in order."""

    def __init__(self, inner: socket.socket, delay_s: float, jitter_s: float, seed: int) -> None:
        self.outer, ours = socket.socketpair()
        self._ends = (inner, ours)
        self._delay_s, self._jitter_s = delay_s, jitter_s
        self._random = random.Random(seed)
        self.is_cut = False
        """Nothing passes any more, in either direction, and nobody is told."""
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        # The launcher closes its end when the run is over.
        with contextlib.suppress(ValueError, OSError):
            self._carry()
        self._ends[1].close()

    def _carry(self) -> None:
        turns, due = itertools.count(), list[tuple[float, int, socket.socket, bytes]]()
        latest = dict.fromkeys(self._ends, 0.0)
        reading = list(self._ends)
        while reading or due:
            wait_s = max(0.0, due[0][0] - time.monotonic()) if due else None
            for end in select.select(reading, [], [], wait_s)[0]:
                other = self._ends[1 - self._ends.index(end)]
                try:
                    data = end.recv(1 << 16)
                except OSError:
                    data = b""
                if not data:
                    reading.remove(end)
                delay_s = self._delay_s + self._random.uniform(-self._jitter_s, self._jitter_s)
                latest[other] = max(latest[other], time.monotonic() + delay_s)
                heapq.heappush(due, (latest[other], next(turns), other, data))
            while due and due[0][0] <= time.monotonic():
                _, _, other, data = heapq.heappop(due)
                with contextlib.suppress(OSError):
                    if self.is_cut:
                        continue
                    if data:
                        other.sendall(data)
                    else:
                        other.shutdown(socket.SHUT_WR)


@dataclass
class Agents:
    """A launcher of agents behind the commands that enter their surroundings."""

    inside: Sequence[tuple[str, Sequence[str]]]
    """A name for each agent, and the command."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    seed: int = 0
    relays: list[Relay] = field(default_factory=list)
    channels: Sequence[Channel] = ()
    words: str = "agents of a test"

    @contextmanager
    def launch(self, run: str) -> Iterator[Sequence[Channel]]:
        with children(self.inside) as channels:
            self.channels = channels
            for rank, channel in enumerate(channels):
                self.relays.append(Relay(channel.socket, self.delay_s, self.jitter_s, self.seed + rank))
            yield [replace(channel, socket=relay.outer) for channel, relay in zip(channels, self.relays, strict=True)]


def local(count: int) -> Agents:
    return Agents([(f"local-{rank}", ()) for rank in range(count)])


def run_on(
    agents: Agents,
    port: int,
    *settings: str,
    during: Callable[[Fleet], None] = lambda fleet: None,
    after_s: float = 0.5,
) -> Result:
    """Run a load on agents; `during` is called at a time of the measure window."""
    plan = config.resolve(described(port, *settings).config)
    with launched(agents) as fleet:
        plan = plan.spread(len(fleet.machines))
        action = At(Phase.MEASURE, int(after_s * 1e9), lambda: during(fleet))
        return Run(plan, lambda event: None, judging=judging(), members=fleet, timeline=[action]).result()


def pid_of(fleet: Fleet, rank: int) -> int:
    return fleet.machines[rank].said.pid
