"""Packets between the kernel's question and the verdict: which pass, which wait and until when. No I/O; told the time.

The kernel knows a packet by a number. Packets that are due at one time are released in the order in which they came.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from loadgen.faults.fault import Value
from loadgen.faults.packets.decisions import PASS, Decision, decisions


class Verdict(IntEnum):
    """The kernel's numbers of verdicts (include/uapi/linux/netfilter.h)."""

    DROP = 0
    ACCEPT = 1


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be told to the kernel about a packet."""

    packet: int
    verdict: Verdict
    twice: bool = False
    """True: the packet is also sent once more."""


class Holding:
    """The queue of one fault. Each hook of the kernel, which is a direction, has decisions of its own."""

    def __init__(self, kind: str, parameters: Mapping[str, Value], seed: int) -> None:
        self._kind, self._parameters, self._seed = kind, parameters, seed
        self._decisions: dict[int, Iterator[Decision]] = {}
        self._held: list[tuple[int, int, int]] = []
        """A heap of the time at which a packet is due, the number of its arrival, and the packet."""
        self._ending = False
        self.seen = 0
        self.effects = 0
        """The packets that did not simply pass."""

    def on_packet(self, packet: int, hook: int, now_ns: int) -> Action | None:
        """Return the action for a packet that has come; None when the packet is held back."""
        self.seen += 1
        decision = PASS if self._ending else next(self._of(hook))
        self.effects += decision.harms
        if decision.hold_ns:
            heapq.heappush(self._held, (now_ns + decision.hold_ns, self.seen, packet))
            return None
        return Action(packet, Verdict.DROP if decision.drop else Verdict.ACCEPT, decision.twice)

    def on_time(self, now_ns: int) -> Iterator[Action]:
        """Yield the actions for the packets that are due."""
        while self._held and self._held[0][0] <= now_ns:
            yield Action(heapq.heappop(self._held)[2], Verdict.ACCEPT)

    def next_ns(self) -> int | None:
        """Return the time at which the next packet is due; None when none is held."""
        return self._held[0][0] if self._held else None

    def on_end(self) -> Iterator[Action]:
        """Yield the actions for all packets that are held, in the order in which they are due; later ones pass."""
        self._ending = True
        while self._held:
            yield Action(heapq.heappop(self._held)[2], Verdict.ACCEPT)

    def _of(self, hook: int) -> Iterator[Decision]:
        if hook not in self._decisions:
            # Each direction draws for itself, so that a seed decides the same however the directions interleave.
            self._decisions[hook] = decisions(self._kind, self._parameters, self._seed * 8 + hook)
        return self._decisions[hook]
