"""A stream: entries in the order of their IDs, and the consumer groups that read it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from loadgen.verify.model.failed import CommandError
from loadgen.verify.reply import Reply

MOST = 2**64 - 1
"""The highest of either part of an ID."""

INVALID_ID = CommandError(b"ERR Invalid stream ID specified as stream command argument")

_ID = re.compile(rb"([0-9]{1,20})(?:-([0-9]{1,20}))?\Z")


class ID(NamedTuple):
    """The ID of an entry: IDs are ordered by time, then by sequence number."""

    ms: int
    sequence: int

    @property
    def written(self) -> bytes:
        return b"%d-%d" % self


ZERO = ID(0, 0)
LAST = ID(MOST, MOST)


@dataclass(slots=True)
class Delivery:
    """A consumer's having an entry."""

    consumer: bytes
    at_ms: int
    """When the consumer was given the entry, in Unix time."""
    count: int = 1


@dataclass(slots=True)
class Group:
    """A consumer group."""

    last_id: ID
    """The last entry that was delivered to any consumer."""
    consumers: set[bytes] = field(default_factory=set)
    pending: dict[ID, Delivery] = field(default_factory=dict)
    """Who has each entry that was delivered and not acknowledged."""


@dataclass(slots=True)
class Stream:
    """The value of a stream's key, which stays when no entry is left."""

    entries: dict[ID, tuple[bytes, ...]] = field(default_factory=dict)
    """Fields and values in turn, by ID, in the order of IDs."""
    last_id: ID = ZERO
    groups: dict[bytes, Group] = field(default_factory=dict)

    def between(self, first: ID, last: ID) -> list[ID]:
        """Return the IDs of a range, both ends included."""
        return [each for each in self.entries if first <= each <= last]

    def after(self, last: ID) -> list[ID]:
        """Return the IDs above one."""
        return [each for each in self.entries if each > last]

    def listed(self, ids: Iterable[ID]) -> tuple[Reply, ...]:
        """Return entries as replies have them: the ID, and an array of fields and values."""
        return tuple((each.written, self.entries[each]) for each in ids)

    def trim(self, threshold: ID | int) -> int:
        """Remove the oldest entries beyond a number of entries, or those below an ID, and return their number."""
        if isinstance(threshold, ID):
            gone = [each for each in self.entries if each < threshold]
        else:
            gone = [*self.entries][: max(0, len(self.entries) - threshold)]
        for each in gone:
            del self.entries[each]
        return len(gone)


def parsed(text: bytes, sequence: int = 0) -> ID:
    """Return the ID that `text` is, whose missing part is `sequence`. Raises INVALID_ID."""
    match = _ID.match(text)
    if match is None:
        raise INVALID_ID
    found = ID(int(match[1]), sequence if match[2] is None else int(match[2]))
    if max(found) > MOST:
        raise INVALID_ID
    return found


def next_of(each: ID) -> ID | None:
    """Return the lowest ID above one; None for the last."""
    if each == LAST:
        return None
    return ID(each.ms, each.sequence + 1) if each.sequence < MOST else ID(each.ms + 1, 0)


def previous_of(each: ID) -> ID | None:
    """Return the highest ID below one; None for the first."""
    if each == ZERO:
        return None
    return ID(each.ms, each.sequence - 1) if each.sequence else ID(each.ms - 1, MOST)
