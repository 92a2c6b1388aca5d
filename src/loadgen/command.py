"""The commands that a run can send, as the rows of a table. Values; no I/O.

Compiled code sizes its counts by such a table and knows a command by the number of its row: `_request.Commands`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a command does: which replies it has, and what a hit and a miss are. `_request.KIND_NAMES`."""

    READ = "read"
    """A hit is a value, a miss is none."""
    WRITE = "write"
    """Carries a value. A hit is that it was stored."""
    REMOVE = "remove"
    """A hit is that there was a value to remove."""
    ASK = "ask"
    """The question that any server answers: PING, memcache's `version`."""
    GREET = "greet"
    LOG_IN = "log in"


class Command(NamedTuple):
    """A row."""

    name: str
    kind: Kind
    in_total: bool = True
    """Whether it counts in the totals of its phase. What another request caused, a backfill, is counted apart."""


COMMANDS = (
    Command("get", Kind.READ),
    Command("set", Kind.WRITE),
    Command("delete", Kind.REMOVE),
    Command("ping", Kind.ASK),
    Command("backfill", Kind.WRITE, in_total=False),
    Command("hello", Kind.GREET),
    Command("auth", Kind.LOG_IN),
)
"""Every command of cache servers that loadgen sends, in the order of the table and in which they are shown."""

APART = frozenset(command.name for command in COMMANDS if not command.in_total)
"""The names of those that no total counts."""
