"""Comparison of two replies to one command: what must be equal, and what servers may answer in their own way. No I/O.

- An error is its first word.
- The order of a set's members and of a hash's fields is the server's own.
- A random choice is as long as the other, and of the same type.
- A time to live differs by as much as the servers were asked at different times.
- A number that was computed in floating point may be written differently.
- A unique number of memcache is the server's own.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence

from loadgen.protocol import Wire
from loadgen.verify.reply import OK, QUEUED, Error, Map, Null, Reply, Set, Status, shown, type_name
from loadgen.verify.step import Command, Step

TOLERANCE_MS = 1000
"""The difference of two times to live that is allowed beside the duration of the case: TTL has whole seconds."""
_NS_PER_MS = 1_000_000

_WORD = re.compile(rb"[A-Z_]{1,20}")
"""The text of a status; another text is a value in the place of one."""

Rule = Callable[[Reply, Reply], bool]
"""True when two replies agree. Errors, and replies of different types, never reach a rule."""


class Comparison:
    """Compares the replies of one case, in order: the reply to EXEC has those of the commands since MULTI."""

    def __init__(self, wire: Wire, *, one_null: bool = False) -> None:
        """With `one_null`, a null array agrees with a null."""
        self._wire = wire
        self._one_null = one_null
        self._rules: dict[bytes, Rule] = {}
        self.asked(0)
        self._queued: dict[int, list[Command]] = {}

    def asked(self, took_ns: int) -> None:
        """Say how long both servers were asked, from the first command of the case until now."""
        tolerance_ms = TOLERANCE_MS + -(-took_ns // _NS_PER_MS)
        self._rules = _redis_rules(tolerance_ms) if self._wire is Wire.RESP else _memcache_rules()

    def agree(self, step: Step, expected: Reply, actual: Reply) -> bool:
        """True when `actual` is as right as `expected`, of which both are replies to a step."""
        command, queued = step.command, self._queued.setdefault(step.connection, [])
        name = command[0].upper()
        if expected == QUEUED:
            queued.append(command)
        if name in (b"MULTI", b"DISCARD") and expected == OK:
            queued.clear()
        if name == b"EXEC":
            commands, queued[:] = [*queued], []
            if isinstance(expected, tuple) and isinstance(actual, tuple):
                return len(expected) == len(actual) and all(
                    self._agree(asked, one, other) for asked, one, other in zip(commands, expected, actual, strict=True)
                )
        return self._agree(command, expected, actual)

    def _agree(self, command: Command, expected: Reply, actual: Reply) -> bool:
        expected, actual = _plain(expected), _plain(actual)
        if isinstance(expected, Error) and isinstance(actual, Error):
            return expected.code == actual.code
        if expected == actual and type(expected) is type(actual):
            return True
        if self._one_null and isinstance(expected, Null) and isinstance(actual, Null):
            return True
        if type(expected) is not type(actual) or isinstance(expected, Error | Null | Status):
            return False
        rule = self._rules.get(command[0].upper())
        return rule is not None and rule(expected, actual)


def _plain(reply: Reply) -> Reply:
    """Return a map or a set of RESP3 as the array that RESP2 has in its place."""
    if isinstance(reply, Map):
        return tuple(word for pair in reply.pairs for word in pair)
    return reply.members if isinstance(reply, Set) else reply


def difference(expected: Reply, actual: Reply) -> str:
    """Return two replies that do not agree, as words: types first, where these differ."""
    one, other = type_name(expected), type_name(actual)
    if one != other:
        return f"{other} {shown(actual)}, not {one} {shown(expected)}"
    return f"{shown(actual)}, not {shown(expected)}"


def shape(command: Command, expected: Reply, actual: Reply) -> str:
    """Return a difference without its values: the command, and types, codes of errors and which array is longer."""
    name = command[0].upper().decode(errors="replace")
    return f"{name}: {_shape(actual)} for {_shape(expected)}{_why(expected, actual)}"


def _shape(reply: Reply) -> str:
    if isinstance(reply, Error):
        return f"error {reply.code.decode(errors='replace')}"
    if isinstance(reply, Status) and _WORD.fullmatch(reply.text):
        return f"status {reply.text.decode()}"
    return type_name(reply)


def _why(expected: Reply, actual: Reply) -> str:
    if not isinstance(expected, tuple) or not isinstance(actual, tuple):
        return ""
    if len(expected) != len(actual):
        return " (longer)" if len(actual) > len(expected) else " (shorter)"
    return " (another order)" if _same_members(expected, actual) else ""


# ── The rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _same_members(expected: Reply, actual: Reply) -> bool:
    return (
        isinstance(expected, tuple)
        and isinstance(actual, tuple)
        and sorted(map(repr, expected)) == sorted(map(repr, actual))
    )


def _same_pairs(expected: Reply, actual: Reply) -> bool:
    return (
        isinstance(expected, tuple)
        and isinstance(actual, tuple)
        and len(expected) == len(actual)
        and _same_members(_pairs(expected), _pairs(actual))
    )


def _pairs(words: Sequence[Reply]) -> tuple[Reply, ...]:
    return tuple(zip(words[::2], words[1::2], strict=False))


def _same_length(expected: Reply, actual: Reply) -> bool:
    return not isinstance(expected, tuple) or (isinstance(actual, tuple) and len(expected) == len(actual))


def _within(most: int) -> Rule:
    def near(expected: Reply, actual: Reply) -> bool:
        """−1 and −2 are no times, and equal only themselves."""
        return (
            isinstance(expected, int)
            and isinstance(actual, int)
            and min(expected, actual) >= 0
            and abs(expected - actual) <= most
        )

    return near


def _same_number(expected: Reply, actual: Reply) -> bool:
    with contextlib.suppress(ValueError):
        if isinstance(expected, bytes) and isinstance(actual, bytes):
            one, other = float(expected), float(actual)
            return one == other or abs(one - other) <= 1e-15 * max(abs(one), abs(other))
    return False


def _redis_rules(tolerance_ms: int) -> dict[bytes, Rule]:
    seconds, milliseconds = _within(-(-tolerance_ms // 1000)), _within(tolerance_ms)
    return {
        **dict.fromkeys((b"TTL", b"EXPIRETIME"), seconds),
        **dict.fromkeys((b"PTTL", b"PEXPIRETIME"), milliseconds),
        **dict.fromkeys((b"KEYS", b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"HKEYS", b"HVALS"), _same_members),
        b"HGETALL": _same_pairs,
        # A count that takes all of a set leaves no choice but the order.
        b"SPOP": _same_members,
        b"SRANDMEMBER": _same_length,
        **dict.fromkeys((b"INCRBYFLOAT", b"HINCRBYFLOAT", b"ZINCRBY", b"ZSCORE"), _same_number),
    }


def _same_items(expected: Reply, actual: Reply) -> bool:
    """Items by key, flags and value. A number that was decremented may have spaces behind it, or not."""
    return (
        isinstance(expected, tuple) and isinstance(actual, tuple) and [*map(_item, expected)] == [*map(_item, actual)]
    )


def _item(item: Reply) -> Reply:
    if not isinstance(item, tuple):
        return item
    key, flags, value, *_ = item
    trimmed = value.rstrip(b" ") if isinstance(value, bytes) else b""
    return key, flags, trimmed if trimmed.isdigit() else value


def _memcache_rules() -> dict[bytes, Rule]:
    return dict.fromkeys((b"GET", b"GETS", b"GAT", b"GATS"), _same_items)
