"""The leader's machine: its clock, the wait of a crew, and the conversations with agents.

`Exchange` is to links what the switchboard's thread is, and `LeaderKernel` to a crew what this machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from loadgen.fleet.link import Link
from loadgen.fleet.switchboard import TURN_NS
from loadgen.units import NS_PER_S
from loadgen.verify.world._world import World
from loadgen.verify.world.fleet.way import Way
from loadgen.worker.messages import Message

FIRST_FILENO = 1 << 20
"""Of the lines: no descriptor of this process has such a number."""


class EndlessError(Exception):
    """The leader still waits at a time by which all is over."""


class LeaderKilled(Exception):
    """The leader's process is no more."""


class Line:
    """The conversation with one agent."""

    def __init__(self, name: str, link: Link, down: Way) -> None:
        self.name = name
        self.link = link
        self.down = down
        self.is_open = True
        self.ready_ns = 0
        """The time since which there is something to hear; 0: nothing."""
        self.gone_ns = 0
        """The time at which the crew was told that the agent is gone; 0 before."""


class Exchange:
    """All conversations, with the leader's process, which may be stopped or killed."""

    def __init__(self, world: World, turn_ns: int) -> None:
        """`turn_ns` is the time from the first message until the crew reads: what comes by then is read together."""
        self._world = world
        self._turn_ns = turn_ns
        self.lines: list[Line] = []
        self.heard: Callable[[int, Message], None] = lambda rank, message: None
        """Is told what the crew hears."""
        self._stops = 0
        self.is_dead = False
        self._inbox: list[tuple[int, bytes]] = []
        self.ready: dict[int, None] = {}
        """The descriptors of the lines with something to hear, in the order in which they had."""
        self._is_waited_for = False
        self._wakes_ns = 0
        """The time of the next end of a wait; 0: none is planned."""

    def add(self, name: str, link: Link, down: Way) -> None:
        """Add the next rank's agent."""
        self.lines.append(Line(name, link, down))

    def begin(self) -> None:
        self._world.at(self._world.now_ns + TURN_NS, self._tick)

    # ── What befalls the leader ─────────────────────────────────────────────────────────────────────────────────────

    def stop(self) -> None:
        self._stops += 1

    def go_on(self) -> None:
        self._stops -= 1
        if self.runs:
            # What has come is read before the time is told.
            inbox, self._inbox = self._inbox, []
            for rank, data in inbox:
                self.arrived(rank, data)
            self._tell_time()
            self._wake()

    def kill(self) -> None:
        """End the process; the kernel ends its channels."""
        self.is_dead = True
        for line in self.lines:
            line.down.close()
        self._world.stop()

    @property
    def runs(self) -> bool:
        return not self._stops and not self.is_dead

    # ── The thread of the switchboard ───────────────────────────────────────────────────────────────────────────────

    def arrived(self, rank: int, data: bytes) -> None:
        """Read bytes of an agent's; an empty piece is the end."""
        if self.is_dead:
            return
        if self._stops:
            self._inbox.append((rank, data))
            return
        line = self.lines[rank]
        if not line.is_open:
            return
        if data:
            line.link.received(data, self._world.now_ns)
        else:
            line.is_open = False
            line.link.gone("closed its channel")
        self._after(rank, line)

    def _tick(self) -> None:
        if self.runs:
            self._tell_time()
        if not self.is_dead:
            self._world.at(self._world.now_ns + TURN_NS, self._tick)

    def _tell_time(self) -> None:
        for rank, line in enumerate(self.lines):
            if line.is_open:
                line.link.tick(self._world.now_ns)
                self._after(rank, line)

    def _after(self, rank: int, line: Line) -> None:
        self._flush(line)
        if line.link.over:
            line.is_open = False
        if line.link.over or line.link.messages:
            fileno = FIRST_FILENO + rank
            if fileno not in self.ready:
                self.ready[fileno] = None
                self._wake()

    def flush(self) -> None:
        """Send what the links have to send."""
        for line in self.lines:
            self._flush(line)

    @staticmethod
    def _flush(line: Line) -> None:
        if line.link.out:
            line.down.send(bytes(line.link.out))
            line.link.out.clear()

    def _wake(self) -> None:
        """End the crew's wait in a turn."""
        if self._is_waited_for and not self._wakes_ns:
            self._wakes_ns = self._world.now_ns + self._turn_ns
            self._world.at(self._wakes_ns, partial(self._woken, self._wakes_ns))

    def _woken(self, planned_ns: int) -> None:
        if planned_ns == self._wakes_ns:
            self._wakes_ns = 0
            if self._is_waited_for and self.runs:
                self._world.stop()

    def ring(self, fileno: int) -> None:
        """Have another descriptor that the crew waits for be readable once."""
        self.ready[fileno] = None
        self._wake()

    # ── The crew ────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, rank: int, message: object) -> None:
        line = self.lines[rank]
        if not self.is_dead:
            line.link.tell(message)
            self._flush(line)

    def fileno(self, rank: int) -> int:
        return FIRST_FILENO + rank

    def hear(self, rank: int) -> Message:
        line = self.lines[rank]
        if not line.link.messages:
            line.gone_ns = line.gone_ns or self._world.now_ns
            raise EOFError(line.link.over or "is gone")
        message = line.link.messages.popleft()
        if not line.link.messages and not line.link.over:
            del self.ready[FIRST_FILENO + rank]
        self.heard(rank, message)
        return message

    def end(self, rank: int) -> None:
        if not self.is_dead:
            self.lines[rank].down.close()

    def wait(self, wanted: Iterable[int], until_ns: int) -> list[int]:
        """Let the world go on until one of some lines has something to hear, or until a time. Raises LeaderKilled."""
        filenos = set(wanted)
        while not (found := [fileno for fileno in self.ready if fileno in filenos] if self.runs else []):
            if self.is_dead:
                raise LeaderKilled
            if self._world.now_ns >= until_ns and self.runs:
                break
            self._is_waited_for = True
            # A leader that is stopped goes on when it is told to, whatever it has waited for.
            self._world.run(until_ns if self.runs else self._world.now_ns + NS_PER_S)
            self._is_waited_for = False
            self._wakes_ns = 0
        for fileno in found:
            if fileno < FIRST_FILENO:
                del self.ready[fileno]
        return found


class LeaderKernel:
    """The crew's clocks, which are the world's, and its wait."""

    def __init__(self, world: World, exchange: Exchange, wall_ns: int, limit_ns: int) -> None:
        """`wall_ns` is the lead of the wall clock; the leader must have ended by `limit_ns`."""
        self._world = world
        self._exchange = exchange
        self._wall_ns = wall_ns
        self._limit_ns = limit_ns

    def now(self) -> int:
        return self._world.now_ns

    def wall_s(self) -> float:
        return (self._world.now_ns + self._wall_ns) / NS_PER_S

    def wait(self, filenos: Iterable[int], timeout_ns: int) -> list[int]:
        """Raises EndlessError when the leader waits for longer than anything may take."""
        if self._world.now_ns > self._limit_ns:
            raise EndlessError
        return self._exchange.wait(filenos, self._world.now_ns + max(0, timeout_ns))
