"""A link in virtual time: chunks arrive at given times, and everything that the link does has its exact time."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from loadgen.faults.proxy.api.routes import toxic_of
from loadgen.faults.proxy.chain.draws import DrawLog, Draws
from loadgen.faults.proxy.chain.link import NEVER, Link
from loadgen.faults.proxy.chain.toxic import Toxic
from loadgen.faults.proxy.chain.toxics import TYPES

MS = 1_000_000
BEGIN_NS = 1_000 * MS
"""The time at which each link is made, so that no test rests on times near 0."""


def toxic(kind: str, toxicity: float = 1.0, name: str = "", **attributes: int) -> Toxic:
    """A toxic with these attributes."""
    made = toxic_of(b'{"type": "%b", "toxicity": %f}' % (kind.encode(), toxicity))
    made.name = name or made.name
    made.behaviour = TYPES[kind](attributes)
    return made


class VirtualLink:
    """A link whose source and destination are lists. Times are ms from its making."""

    def __init__(self, *toxics: Toxic, seed: int = 1, number: int = 1, log: DrawLog | None = None) -> None:
        self.now_ns = BEGIN_NS
        self.log = log or DrawLog()
        self.seed, self.number = seed, number
        self.sent: list[tuple[float, bytes]] = []
        self.ended_ms: float | None = None
        self.blocked = False
        """True while the destination takes nothing."""
        self._arrivals: list[tuple[int, int, bytes | None]] = []
        self._waiting: list[bytes | None] = []
        """What has arrived and was not taken: the kernel's buffer."""
        self.link = Link(toxics, self._draws, self.now_ns)

    def _draws(self, toxic: Toxic) -> Draws:
        return Draws(self.log, self.seed, "proxy", toxic.name, toxic.spell, self.number, toxic.direction)

    def arrive(self, *chunks: tuple[float, bytes]) -> VirtualLink:
        """Have chunks arrive at their times in ms."""
        for at_ms, data in chunks:
            heappush(self._arrivals, (BEGIN_NS + round(at_ms * MS), len(self._arrivals), data))
        return self

    def finish_at(self, at_ms: float) -> VirtualLink:
        """Have the source end."""
        heappush(self._arrivals, (BEGIN_NS + round(at_ms * MS), len(self._arrivals), None))
        return self

    def run_to(self, until_ms: float) -> VirtualLink:
        """Let time pass, from one event to the next."""
        until_ns = BEGIN_NS + round(until_ms * MS)
        while True:
            self._move()
            at_ns = min(self.link.wake_ns, self._arrivals[0][0] if self._arrivals else NEVER)
            if at_ns > until_ns:
                self.now_ns = until_ns
                return self
            assert at_ns > self.now_ns or self._arrivals, "the link asks to be called at once, again and again"
            self.now_ns = max(at_ns, self.now_ns)
            while self._arrivals and self._arrivals[0][0] <= self.now_ns:
                self._waiting.append(heappop(self._arrivals)[2])

    @property
    def now_ms(self) -> float:
        return (self.now_ns - BEGIN_NS) / MS

    @property
    def untaken(self) -> int:
        """The number of chunks that the link has no room for."""
        return len(self._waiting)

    def touched(self) -> VirtualLink:
        """Act on a change of the link's toxics, at this time."""
        self._move()
        return self

    def _move(self) -> None:
        moved = True
        while moved:
            moved = False
            while self._waiting and self.link.has_room():
                data = self._waiting.pop(0)
                if data is None:
                    self.link.finish()
                else:
                    self.link.feed(data, self.now_ns)
                moved = True
            self.link.run(self.now_ns)
            if not self.blocked and (taken := self.link.take()) is not None:
                self.sent.append((self.now_ms, taken))
                moved = True
        if self.link.ended and self.ended_ms is None and not self.blocked:
            self.ended_ms = self.now_ms


def times(sent: Iterable[tuple[float, bytes]]) -> list[float]:
    return [at_ms for at_ms, _ in sent]
