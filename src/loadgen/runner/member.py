"""A worker's interface to its crew. This file does not know if a member is a process, a machine or a simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from loadgen.plan import Plan
from loadgen.worker.messages import Hello, Message, Order


class Member(Protocol):
    """A worker: receives a Hello and then orders, sends a Greeting and then reports (see `worker.messages`)."""

    def tell(self, message: Hello | Order) -> None:
        """Send a message. A message to a member that has ended is dropped; `hear` then raises EOFError."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when `hear` has something to return or to raise."""

    def hear(self) -> Message:
        """Return the next message. Raises EOFError when there will be none; its text says how the member ended."""

    def end(self) -> None:
        """End the member, and wait until it has ended. A second call does nothing."""


MakeMember = Callable[[Plan, int], Member]
"""A function that makes the worker with this index of a plan. Raises WorkerError when the worker cannot be made."""
