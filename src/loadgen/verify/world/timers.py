"""The timers of the tasks of one host: a heap, of which the world knows the first."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import Any

from loadgen.verify.world._resident import Resident
from loadgen.verify.world._world import World

_FEWEST_STALE = 64
"""Cancelled timers that are kept before the heap is looked through for them."""


class Timers:
    """The handles of a host's timers, each of which is put into `soon` when its time has come."""

    def __init__(self, world: World, resident: Resident, soon: deque[Any]) -> None:
        self._world = world
        self._resident = resident
        self._soon = soon
        self._heap: list[tuple[int, int, Any]] = []
        self._added = 0
        self._stale = 0
        self._armed_ns = -1

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, at_ns: int, handle: Any) -> None:
        """Add the handle of a timer. Timers of one time come in the order in which they were added."""
        self._added += 1
        heappush(self._heap, (at_ns, self._added, handle))
        handle._scheduled = True
        self._arm()

    def on_cancelled(self) -> None:
        """Forget cancelled timers when most are."""
        self._stale += 1
        if self._stale > _FEWEST_STALE and 2 * self._stale > len(self._heap):
            self._heap = [each for each in self._heap if not each[2].cancelled()]
            heapify(self._heap)
            self._stale = 0

    def clear(self) -> None:
        self._heap.clear()

    def _arm(self) -> None:
        """Have the world ring at the time of the first timer."""
        while self._heap and self._heap[0][2].cancelled():
            heappop(self._heap)
            self._stale -= 1
        if self._heap and not 0 <= self._armed_ns <= self._heap[0][0]:
            self._armed_ns = self._heap[0][0]
            self._resident.ring(self._armed_ns, self._ring)

    def _ring(self) -> None:
        now_ns = self._world.now_ns
        if now_ns >= self._armed_ns:
            self._armed_ns = -1
        while self._heap and self._heap[0][0] <= now_ns:
            handle = heappop(self._heap)[2]
            handle._scheduled = False
            if handle.cancelled():
                self._stale -= 1
            else:
                self._soon.append(handle)
        self._arm()
