"""A toxic's place in one link: the chunks that wait there, and the state of the toxic for this connection.

A stub is told the time. It hands chunks to the next stub, or to the link's outlet, while that has room: a stub that
cannot hand on holds up the stubs before it, and in the end the sender.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from loadgen.faults.proxy.chain.chunk import NEVER, Chunk

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.draws import Draws
    from loadgen.faults.proxy.chain.toxic import Toxic
    from loadgen.faults.proxy.chain.toxics.behaviour import Behaviour


class Receiver(Protocol):
    """What takes the chunks of a stub."""

    def has_room(self) -> bool: ...

    def put(self, chunk: Chunk) -> None:
        """Take a chunk; also without room, when what is held must go on at once."""

    def end(self) -> None:
        """Take note that no chunk follows."""


class Outlet:
    """The end of a link: chunks that are ready to be sent."""

    __slots__ = ("ended", "queue")

    def __init__(self) -> None:
        self.queue: deque[Chunk] = deque()
        self.ended = False

    def has_room(self) -> bool:
        return not self.queue

    def put(self, chunk: Chunk) -> None:
        self.queue.append(chunk)

    def end(self) -> None:
        self.ended = True


class Stub:
    """One toxic in one link."""

    __slots__ = (
        "acts",
        "after",
        "behaviour",
        "closed",
        "draws",
        "input_ended",
        "passed",
        "pieces",
        "queue",
        "quota",
        "sleep_ns",
        "started_ns",
        "toxic",
        "until_ns",
        "wake_ns",
    )

    def __init__(self, toxic: Toxic, after: Receiver, draws: Draws) -> None:
        self.toxic = toxic
        self.after = after
        self.draws = draws
        self.queue: deque[Chunk] = deque()
        """The first chunk is the one that the toxic works on."""
        self.input_ended = False
        """True when no chunk follows those in the queue."""
        self.closed = False
        """True when the stub has ended its output: it takes no chunk any more."""
        self.wake_ns = NEVER
        """The time at which `step` has something to do, if nothing else happens before."""
        self.behaviour: Behaviour = toxic.behaviour
        self.acts = False
        """True when the draw of toxicity has put the toxic on this connection."""
        # The state of the toxic in this run: see the toxic.
        self.until_ns = NEVER
        self.started_ns = NEVER
        self.sleep_ns = 0
        self.pieces: deque[Chunk] = deque()
        # The state of the toxic on this connection, which survives a restart.
        self.passed = 0
        self.quota = -1

    def has_room(self) -> bool:
        return not self.closed and len(self.queue) < self.toxic.capacity

    def put(self, chunk: Chunk) -> None:
        self.queue.append(chunk)

    def end(self) -> None:
        self.input_ended = True

    def begin(self, now_ns: int) -> None:
        """Begin to run: the draw of toxicity decides if the toxic acts on this connection until it is restarted."""
        self.wake_ns = self.until_ns = self.started_ns = NEVER
        self.sleep_ns = 0
        self.acts = self.toxic.is_drawn(self.draws)
        self.behaviour = self.toxic.behaviour if self.acts else self.toxic.idle
        if self.acts:
            self.toxic.effects.connections += 1
        self.behaviour.begin(self, now_ns)

    def step(self, now_ns: int) -> bool:
        """Do all that is due; return True when anything went on."""
        if self.closed:
            return False
        self.wake_ns = NEVER
        return self.behaviour.step(self, now_ns)

    def interrupt(self) -> bool:
        """Hand on at once what the toxic holds. Return False when the stub has ended, or is bound to."""
        return not self.closed and self.behaviour.interrupt(self)

    def close(self) -> None:
        """End the output."""
        if not self.closed:
            self.closed = True
            self.wake_ns = NEVER
            self.queue.clear()
            self.pieces.clear()
            self.after.end()

    def hand_on(self) -> None:
        """Hand the first chunk of the queue on."""
        self.after.put(self.queue.popleft())

    def flush(self) -> None:
        """Hand on all that waits, whether or not there is room."""
        while self.queue:
            self.hand_on()

    def take_effect(self, count: int = 1) -> None:
        self.toxic.effects.count += count
