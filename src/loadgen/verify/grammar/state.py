"""The questions that read the whole state of a case's keys at its end. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from loadgen.verify.reply import Reply, Status
from loadgen.verify.step import Step

_READERS: dict[bytes, tuple[bytes, ...]] = {
    b"string": (b"GET",),
    b"list": (b"LRANGE", b"0", b"-1"),
    b"hash": (b"HGETALL",),
    b"set": (b"SMEMBERS",),
    b"zset": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
    b"stream": (b"XRANGE", b"-", b"+"),
}

COMMANDS = (b"TYPE", b"PTTL", b"EXISTS", *(reader[0] for reader in _READERS.values()))
"""Every command that the questions have."""


def first_questions(keys: Sequence[bytes], missing: Collection[bytes]) -> list[Step]:
    """Return the questions that any key can be asked: is it there, of which type, and for how long."""
    asked = (b"EXISTS", b"TYPE", b"PTTL")
    return [Step((name, key)) for key in keys for name in asked if name not in missing]


def value_questions(questions: Sequence[Step], replies: Sequence[Reply], missing: Collection[bytes]) -> list[Step]:
    """Return the question that reads each key's whole value, from the answers to `first_questions`.

    Where there is no TYPE, a key can hold strings only.
    """
    found: list[Step] = []
    for step, reply in zip(questions, replies, strict=True):
        name, key = step.command
        if name == b"TYPE" and isinstance(reply, Status):
            reader = _READERS.get(reply.text, ())
        else:
            reader = (b"GET",) if name == b"EXISTS" and reply == 1 and b"TYPE" in missing else ()
        if reader and reader[0] not in missing:
            found.append(Step((reader[0], key, *reader[1:])))
    return found
