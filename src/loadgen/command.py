"""The commands that a run can send, as the rows of a table. Values; no I/O.

Compiled code sizes its counters by such a table and identifies a command by its row number: `_request.Commands`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The kind of a command, as in `_request.KIND_NAMES`: which replies are possible, and what a hit and a miss are."""

    READ = "read"
    """A value is a hit, no value is a miss."""
    WRITE = "write"
    """The request carries a value. A hit is that the value was stored."""
    REMOVE = "remove"
    """A hit is that there was a value to remove."""
    INCREMENT = "increment"
    """Adds 1 to a counter, which has a key of its own. A miss is that the counter was not there, and is not now."""
    READ_MANY = "read many"
    """The values of several keys. A hit is that every key had one; keys are counted apart."""
    WRITE_MANY = "write many"
    """Stores a value under each of several keys."""
    ADD = "add"
    """Creates a counter at 0. A miss is that it was there."""
    ASK = "ask"
    """A request that any server answers: PING, memcache's `version`."""
    GREET = "greet"
    LOG_IN = "log in"
    SELECT = "select"
    """Chooses the database of a connection."""
    BARRIER = "barrier"
    """A request behind others that are answered only if there is something to say: its reply ends their silence."""
    SET_UP = "set up"
    """Prepares a connection. Any status says that it did."""


class Command(NamedTuple):
    """A row of the table."""

    name: str
    kind: Kind
    in_total: bool = True
    """True when the command counts in the totals of its phase. A backfill and a barrier, which other requests cause, do
    not."""


COMMANDS = (
    Command("get", Kind.READ),
    Command("set", Kind.WRITE),
    Command("delete", Kind.REMOVE),
    Command("mget", Kind.READ_MANY),
    Command("mset", Kind.WRITE_MANY),
    Command("incr", Kind.INCREMENT),
    Command("ping", Kind.ASK),
    Command("backfill", Kind.WRITE, in_total=False),
    Command("add", Kind.ADD, in_total=False),
    Command("hello", Kind.GREET),
    Command("auth", Kind.LOG_IN),
    Command("select", Kind.SELECT),
    Command("noop", Kind.BARRIER, in_total=False),
    Command("tracking", Kind.SET_UP),
    Command("reset", Kind.SET_UP),
    Command("readonly", Kind.SET_UP),
)
"""Every command that loadgen sends to cache servers, in the order of the table and of outputs."""

_OF_SEVERAL_KEYS = (Kind.READ_MANY, Kind.WRITE_MANY)
_WITH_KEYS = (Kind.READ, Kind.WRITE, Kind.REMOVE, Kind.INCREMENT, *_OF_SEVERAL_KEYS)

MIXED = tuple(command.name for command in COMMANDS if command.in_total and command.kind in _WITH_KEYS)
"""The names of the commands that a workload mixes by weights, in the same order."""

OF_SEVERAL_KEYS = tuple(command.name for command in COMMANDS if command.kind in _OF_SEVERAL_KEYS)
"""The names of the commands whose requests have several keys each."""

COUNTING = tuple(command.name for command in COMMANDS if command.kind is Kind.INCREMENT)
"""The names of the commands whose keys are counters."""

ALWAYS_STORED = ("get", "set", "delete")
"""The commands whose weights are in every stored mix, 0 too, as readers of the first records expect."""

READING = tuple(command.name for command in COMMANDS if command.kind in (Kind.READ, Kind.READ_MANY))
"""The names of the commands that look keys up: the hit rate is of these keys."""

APART = frozenset(command.name for command in COMMANDS if not command.in_total)
"""The names of the commands that count in no total."""
