"""Laws over the replies of a server: statements that need no model. Pure.

A law sees the steps of a case and the reply to each, and returns how they break it, or an empty text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from loadgen.verify.model.numbers import double
from loadgen.verify.reply import OK, Reply, Status, shown
from loadgen.verify.step import Step

_INCREMENTS = (b"INCR", b"INCRBY")


def reads_what_was_written(steps: Sequence[Step], replies: Sequence[Reply]) -> str:
    """A GET that follows a plain SET of its key, with no command on that key in between, returns the value."""
    written: dict[bytes, bytes] = {}
    for step, reply in zip(steps, replies, strict=True):
        name, *args = step.command
        if name == b"GET" and args[0] in written and reply != written[args[0]]:
            return f"GET answered {shown(reply)} after SET of {shown(written[args[0]])}"
        if name != b"GET":
            for word in args:
                written.pop(word, None)
        if name == b"SET" and len(args) == 2 and reply == OK:
            written[args[0]] = args[1]
    return ""


def increments_grow(steps: Sequence[Step], replies: Sequence[Reply]) -> str:
    """Each increment of a counter answers more than the one before, as long as nothing else writes the counter."""
    seen: dict[bytes, int] = {}
    for step, reply in zip(steps, replies, strict=True):
        name, key, *_ = step.command
        if name in _INCREMENTS and isinstance(reply, int):
            if key in seen and reply <= seen[key]:
                return f"{step} answered {reply} after {seen[key]}"
            seen[key] = reply
        elif name not in (*_INCREMENTS, b"GET"):
            seen.pop(key, None)
    return ""


def no_field_twice(steps: Sequence[Step], replies: Sequence[Reply]) -> str:
    """No reply has a field of a hash twice."""
    for step, reply in zip(steps, replies, strict=True):
        if step.command[0] in (b"HKEYS", b"HGETALL") and isinstance(reply, tuple):
            fields = reply[:: 1 if step.command[0] == b"HKEYS" else 2]
            if len({*fields}) < len(fields):
                return f"{step} answered a field twice: {shown(reply)}"
    return ""


def scores_ascend(steps: Sequence[Step], replies: Sequence[Reply]) -> str:
    """Members that come with their scores are in the order of these, and of their bytes where scores are equal."""
    for step, reply in zip(steps, replies, strict=True):
        if step.command[0] == b"ZRANGE" and step.command[-1] == b"WITHSCORES" and isinstance(reply, tuple):
            words = [word for word in reply if isinstance(word, bytes)]
            pairs = [(double(score), member) for member, score in zip(words[::2], words[1::2], strict=True)]
            if pairs != sorted(pairs):
                return f"{step} answered members that are not in order: {shown(reply)}"
    return ""


def time_left_falls(steps: Sequence[Step], replies: Sequence[Reply]) -> str:
    """The time to live of a key never grows, as long as nothing sets it."""
    seen: dict[bytes, int] = {}
    for step, reply in zip(steps, replies, strict=True):
        name, *args = step.command
        if name == b"PTTL" and isinstance(reply, int) and reply >= 0:
            if args[0] in seen and reply > seen[args[0]]:
                return f"{step} answered {reply} after {seen[args[0]]}"
            seen[args[0]] = reply
        elif name not in (b"PTTL", b"TTL", b"GET"):
            for word in args:
                seen.pop(word, None)
    return ""


def ids_ascend(steps: Sequence[Step], replies: Sequence[Reply]) -> str:
    """The entries of a range of a stream are in the order of their IDs, and no ID comes twice."""
    for step, reply in zip(steps, replies, strict=True):
        if step.command[0] == b"XRANGE" and isinstance(reply, tuple):
            ids = [_id(entry) for entry in reply]
            if any(one >= other for one, other in pairwise(ids)):
                return f"{step} answered entries that are not in order: {shown(reply)}"
    return ""


def _id(entry: Reply) -> tuple[int, int]:
    written = entry[0] if isinstance(entry, tuple) and entry else b""
    ms, _, sequence = written.partition(b"-") if isinstance(written, bytes) else (b"", b"", b"")
    return (int(ms), int(sequence)) if ms.isdigit() and sequence.isdigit() else (-1, -1)


def one_cas_of_each(steps: Sequence[Step], replies: Sequence[Reply]) -> str:
    """Of several `cas` with the same unique number of a key, at most one is stored."""
    last: dict[tuple[int, bytes], int] = {}
    stored: dict[bytes, int] = {}
    for step, reply in zip(steps, replies, strict=True):
        name, key, *_ = step.command
        if name in (b"gets", b"gats") and isinstance(reply, tuple):
            for item in reply:
                if isinstance(item, tuple) and isinstance(item[0], bytes) and isinstance(item[3], int):
                    last[step.connection, item[0]] = item[3]
        if name == b"cas" and step.command[-1] == b"last" and reply == Status(b"STORED"):
            unique = last.get((step.connection, key), 0)
            if stored.get(key) == unique:
                return f"{step} was stored, as another with the unique number {unique} was before"
            stored[key] = unique
    return ""
