"""A crew's view of the machine that it leads from: clocks, and the wait for the first member with a message.

A simulated machine has its own clock and its own wait, and members of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from multiprocessing.connection import wait
from typing import Protocol

from loadgen.units import NS_PER_S


class Kernel(Protocol):
    """Two clocks and a wait."""

    def now(self) -> int:
        """Return the time of the monotonic clock, in ns."""

    def wall_s(self) -> float:
        """Return the time of the wall clock, in seconds since 1970."""

    def wait(self, filenos: Iterable[int], timeout_ns: int) -> list[int]:
        """Return the descriptors that are readable, as soon as there are some; none after the timeout."""


class ThisMachine:
    """The machine that this process runs on."""

    def now(self) -> int:
        return time.monotonic_ns()

    def wall_s(self) -> float:
        return time.time()

    def wait(self, filenos: Iterable[int], timeout_ns: int) -> list[int]:
        return [ready for ready in wait(list(filenos), max(0, timeout_ns) / NS_PER_S) if isinstance(ready, int)]


THIS_MACHINE = ThisMachine()
