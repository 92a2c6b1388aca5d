"""A sorted set: members in the order of their scores, and of their bytes where scores are equal. Ranges of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.verify.model.failed import CommandError
from loadgen.verify.model.numbers import double

_NOT_A_RANGE = CommandError(b"ERR min or max is not a float")
_NOT_A_LEX_RANGE = CommandError(b"ERR min or max not valid string range item")


class SortedSet(dict[bytes, float]):
    """The value of a sorted set's key: a score for each member."""

    def ordered(self) -> list[bytes]:
        """Return the members, the one with the lowest score first."""
        return sorted(self, key=lambda member: (self[member], member))


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range by score or by bytes."""

    at: float | bytes
    """A score; for a range by bytes the bytes, or −inf and +inf for `-` and `+`."""
    open: bool = False
    """True when the end itself is not in the range."""


@dataclass(frozen=True, slots=True)
class Range:
    """A range by score or by bytes, from the lower end to the higher one."""

    low: Bound
    high: Bound
    by_bytes: bool = False

    def has(self, member: bytes, score: float) -> bool:
        """True when a member is in the range."""
        at: float | bytes = member if self.by_bytes else score
        above = _before(self.low.at, at) or (self.low.at == at and not self.low.open)
        return above and (_before(at, self.high.at) or (self.high.at == at and not self.high.open))


def _before(a: float | bytes, b: float | bytes) -> bool:
    """True when a is before b; infinities are before and after all bytes."""
    if isinstance(a, bytes):
        return a < b if isinstance(b, bytes) else b > 0
    return a < 0 if isinstance(b, bytes) else a < b


def score_range(low: bytes, high: bytes) -> Range:
    """Return the range by score that `low` and `high` write, such as `(1.5` and `+inf`. Raises CommandError."""
    return Range(_score_bound(low), _score_bound(high))


def _score_bound(end: bytes) -> Bound:
    # An end of no characters is 0, as strtod has it.
    return Bound(double(end.removeprefix(b"(") or b"0", _NOT_A_RANGE), end.startswith(b"("))


def lex_range(low: bytes, high: bytes) -> Range:
    """Return the range by bytes that `low` and `high` write, such as `[a` and `+`. Raises CommandError."""
    return Range(_lex_bound(low), _lex_bound(high), by_bytes=True)


def _lex_bound(end: bytes) -> Bound:
    if end in (b"-", b"+"):
        return Bound(-math.inf if end == b"-" else math.inf)
    if end[:1] not in (b"(", b"["):
        raise _NOT_A_LEX_RANGE
    return Bound(end[1:], end.startswith(b"("))


def members_in(members: SortedSet, within: Range) -> list[bytes]:
    """Return the members of a range, in order."""
    return [member for member in members.ordered() if within.has(member, members[member])]


def limited(members: Sequence[bytes], offset: int, count: int) -> Sequence[bytes]:
    """Return the part of a range that LIMIT names: none for a negative offset, all the rest for a negative count."""
    if offset < 0:
        return ()
    return members[offset:] if count < 0 else members[offset : offset + count]
