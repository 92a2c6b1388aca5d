"""An operation of any kind, in Jepsen's words: what a process invoked, and how that ended. A value; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Ended(StrEnum):
    """The end of an operation."""

    OK = "ok"
    FAIL = "fail"
    """It did not take effect, for sure."""
    INFO = "info"
    """It is not known whether it took effect, or will: it timed out, or the history ended before it did."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    process: int | str
    f: str
    """The function: read, write, cas, add, delete, enqueue, dequeue, drain, txn."""
    key: Any
    """None where the history has one object."""
    value: Any
    """What was asked: the value to write, the amount to add, the steps of a transaction."""
    result: Any
    """What came back, where it ended ok."""
    call_ns: int
    return_ns: int | None
    """None where it is not known that it ended."""
    ended: Ended
    index: int = 0
    """Of its invocation, in the order of the history."""
