"""Dumps: a server writes its whole data set to a file anew, as an RDB file or as a shorter append-only file. Values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Dump(Enum):
    """How a server is told to make a dump, in redis' words."""

    SAVE = "SAVE"
    """An RDB file; the server answers nothing else meanwhile."""
    BGSAVE = "BGSAVE"
    """An RDB file, by a child process."""
    REWRITE = "BGREWRITEAOF"
    """The append-only file, by a child process."""
    GROWN = "automatic BGREWRITEAOF"
    """The same, begun by the server itself, as the file has grown."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A server is told to make a dump."""

    dump: Dump
    delay_us: int = 0
    """The time by which the server's child process is slower for each key, so that a fault can meet it."""


@dataclass(slots=True)
class Dumped:
    """A dump that was asked for."""

    demand: Demand
    sent_ns: int
    """The time before it was asked for, by the monotonic clock: all that was acknowledged before is in it."""
    done: bool = False
    """True: the dump is in its place."""
    refusal: str = ""
    """The error that was answered, or the failure that the server told of later; empty without one."""

    def __str__(self) -> str:
        return f"{self.demand.dump.value} → {'OK' if self.done else f'-{self.refusal}' if self.refusal else 'begun'}"
