"""The interface of what carries faults out on nodes."""

from __future__ import annotations

from typing import Protocol

from loadgen.errors import LoadgenError
from loadgen.faults.fault import Fault


class FaultError(LoadgenError):
    """A fault could not be begun or ended, in one sentence."""


class EffectsUnknownError(FaultError):
    """The effects of a fault cannot be counted where it is carried out, in one sentence."""


class Interpreter(Protocol):
    """What carries out the faults of one layer on the nodes of a bench.

    Called by one thread, which is not that of the load: a call may take as long as a server needs to start. The
    implementation keeps a counter for each fault and node, which goes on after `end`.
    """

    def begin(self, fault: Fault, node: int) -> None:
        """Begin the fault on a node (from 1), and return when it has begun. Raises FaultError."""

    def end(self, fault: Fault, node: int) -> None:
        """End the fault on a node, and return when it has ended: a killed server answers again. Raises FaultError."""

    def effects(self, fault: Fault, node: int) -> int:
        """Return how often the fault has taken effect on a node until now.

        Raises EffectsUnknownError when that cannot be counted, and FaultError.
        """

    def seen(self, fault: Fault, node: int) -> int | None:
        """Return the packets on a node that the fault was about until now, taken or not.

        None for a fault that is not about packets. Raises FaultError.
        """
