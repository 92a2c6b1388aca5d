"""A crew's members. This file does not know if a member is a process, a machine or a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from loadgen.plan import Plan
from loadgen.worker.messages import Hello, Message, Order


class Member(Protocol):
    """One or more workers: receives a Hello and then orders, sends a Greeting and then reports.

    See `worker.messages`. What a member of several workers reports is the sum of what its workers report.
    """

    def tell(self, message: Hello | Order) -> None:
        """Send a message. A message to a member that has ended is dropped; `hear` then raises EOFError."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when `hear` has something to return or to raise."""

    def hear(self) -> Message:
        """Return the next message. Raises EOFError when there will be none; its text says how the member ended."""

    def end(self) -> None:
        """End the member, and wait until it has ended. A second call does nothing."""


@dataclass(frozen=True, slots=True)
class Share:
    """One member's part of a plan."""

    workers: tuple[int, ...]
    """The indexes of its workers in the plan."""
    name: str
    """The member's name, which begins a sentence: `Worker 0`, `Agent db1`."""
    host: str = ""
    """The machine's name; empty for this one."""
    may_have_our_clock: bool = True
    """False: the machine is surely another one, or was started anew since."""


class Members(Protocol):
    """Whoever makes the members of a crew."""

    lease_ns: int
    """The time after which a worker that has heard nothing from its leader ends by itself; 0: never."""

    def shares(self, plan: Plan) -> Sequence[Share]:
        """Return each member's part of a plan. Every worker of the plan is in one of them."""

    def make(self, plan: Plan, share: Share) -> Member:
        """Make a member. Raises WorkerError when it cannot be made."""
