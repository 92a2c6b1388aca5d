"""A worker as its crew sees it. Nothing here knows whether a member is a process, a machine or a simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from loadgen.plan import Plan
from loadgen.worker.messages import Hello, Message, Order


class Member(Protocol):
    """A worker: it is told a Hello and then orders, and says a Greeting and then reports (see `worker.messages`)."""

    def tell(self, message: Hello | Order) -> None:
        """Sends a message. A member that has gone is told nothing, and `hear` finds that out."""

    def fileno(self) -> int:
        """The descriptor that is readable when `hear` has something to return or to raise."""

    def hear(self) -> Message:
        """The next message. Raises EOFError when there will be none; its text is how the member ended."""

    def end(self) -> None:
        """Ends the member, and waits until it has ended. A second call does nothing."""


MakeMember = Callable[[Plan, int], Member]
"""Makes the worker of a plan that has this index. Raises WorkerError when it cannot be made."""
