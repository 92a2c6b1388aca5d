"""One direction of an agent's channel: bytes that arrive in order, late, in other pieces, or not while it is cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from loadgen.units import NS_PER_US
from loadgen.verify.tape import Tape
from loadgen.verify.world._world import World


@dataclass(frozen=True, slots=True)
class Delay:
    """How long a piece is on its way: a time that each piece takes, and a drawn one."""

    least_ns: int
    jitter_ns: int = 0
    split: float = 0.0
    """The probability that what is sent at once arrives in two pieces."""

    @property
    def most_ns(self) -> int:
        return self.least_ns + self.jitter_ns


class Way:
    """A direction. `arrived` receives the pieces; an empty one is the end, after which nothing comes."""

    def __init__(self, world: World, tape: Tape, delay: Delay, arrived: Callable[[bytes], None]) -> None:
        self._world = world
        self._tape = tape
        self._delay = delay
        self._arrived = arrived
        self._free_ns = 0
        """The time before which no further piece arrives."""
        self._held: deque[bytes] = deque()
        """What was sent and has not arrived."""
        self._due = 0
        """The pieces of those whose time has come while the way was cut."""
        self._is_cut = False
        self._is_closed = False
        self.sent = bytearray()
        """All that was ever sent."""
        self.copied: Callable[[bytes], None] | None = None
        """Receives what arrives, too."""

    def send(self, data: bytes) -> None:
        """Send bytes; none after `close`."""
        if self._is_closed or not data:
            return
        self.sent += data
        if self._delay.split and len(data) > 1 and self._tape.chance(self._delay.split, "a piece is split"):
            at = 1 + self._tape.below(len(data) - 1, "place of the split")
            self._put(data[:at])
            data = data[at:]
        self._put(data)

    def close(self) -> None:
        """Send the end."""
        if not self._is_closed:
            self._is_closed = True
            self._put(b"")

    def vanish(self) -> None:
        """Let nothing more arrive, and no end either."""
        self._is_closed = self._is_cut = True
        self._held.clear()

    def cut(self) -> None:
        """Let nothing arrive until `heal`."""
        self._is_cut = True

    def heal(self) -> None:
        self._is_cut = False
        due, self._due = self._due, 0
        for _ in range(due):
            self._arrive()

    def _put(self, data: bytes) -> None:
        jitter_us = self._delay.jitter_ns // NS_PER_US
        late_ns = self._tape.below(jitter_us + 1, "delay of a piece") * NS_PER_US if jitter_us else 0
        self._free_ns = max(self._free_ns + 1, self._world.now_ns + self._delay.least_ns + late_ns)
        self._held.append(data)
        self._world.at(self._free_ns, self._arrive)

    def _arrive(self) -> None:
        if self._is_cut:
            self._due += 1
        elif self._held:
            data = self._held.popleft()
            self._arrived(data)
            if self.copied is not None:
                self.copied(data)
