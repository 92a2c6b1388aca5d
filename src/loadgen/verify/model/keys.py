"""Commands of keys, whatever their values are."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

from loadgen.verify.model.failed import NO_SUCH_KEY, SYNTAX, CommandError
from loadgen.verify.model.hashes import Hash
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.lists import List
from loadgen.verify.model.numbers import integer
from loadgen.verify.model.sets import Members
from loadgen.verify.model.sorted_set import SortedSet
from loadgen.verify.model.stream import Stream
from loadgen.verify.model.table import Table
from loadgen.verify.reply import OK, Reply, Status

KEYS = Table()

TYPES: dict[type, bytes] = {
    bytes: b"string",
    List: b"list",
    Hash: b"hash",
    Members: b"set",
    SortedSet: b"zset",
    Stream: b"stream",
}
"""The word of TYPE for each kind of value."""

_SAME = CommandError(b"ERR source and destination objects are the same")


@KEYS.command("DEL", -2)
@KEYS.command("UNLINK", -2)
def delete(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return sum(db.entry(key) is not None and db.remove(key) for key in args)


@KEYS.command("EXISTS", -2)
@KEYS.command("TOUCH", -2)
def exists(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return sum(db.entry(key) is not None for key in args)


@KEYS.command("TYPE", 2)
def type_(db: Keyspace, args: Sequence[bytes]) -> Reply:
    entry = db.entry(args[0])
    return Status(b"none" if entry is None else TYPES[type(entry.value)])


@KEYS.command("KEYS", 2)
def keys(db: Keyspace, args: Sequence[bytes]) -> Reply:
    matches = re.compile(_expression(args[0]), re.DOTALL).fullmatch
    return tuple(key for key in db.listed() if matches(key))


@KEYS.command("SCAN", -2)
def scan(db: Keyspace, args: Sequence[bytes]) -> Reply:
    """Return all keys at once, as a server may: the cursor after them is 0."""
    integer(args[0], CommandError(b"ERR invalid cursor"))
    pattern, words = b"*", args[1:]
    for option, value in zip(words[::2], words[1::2], strict=False):
        match option.upper():
            case b"MATCH":
                pattern = value
            case b"COUNT":
                integer(value)
            case _:
                raise SYNTAX
    if len(words) % 2:
        raise SYNTAX
    return b"0", keys(db, [pattern])


@KEYS.command("RENAME", 3)
def rename(db: Keyspace, args: Sequence[bytes]) -> Reply:
    _rename(db, *args)
    return OK


@KEYS.command("RENAMENX", 3)
def renamenx(db: Keyspace, args: Sequence[bytes]) -> Reply:
    if db.entry(args[0]) is not None and db.entry(args[1]) is not None:
        return 0
    _rename(db, *args)
    return 1


def _rename(db: Keyspace, source: bytes, target: bytes) -> None:
    entry = db.entry(source)
    if entry is None:
        raise NO_SUCH_KEY
    if source != target:
        db.put(target, entry.value, entry.expires_ms)
        db.remove(source)


@KEYS.command("COPY", -3)
def copy_(db: Keyspace, args: Sequence[bytes]) -> Reply:
    source, target, *words = args
    for word in words:
        if word.upper() != b"REPLACE":
            raise SYNTAX
    if source == target:
        raise _SAME
    entry = db.entry(source)
    if entry is None or (db.entry(target) is not None and not words):
        return 0
    db.put(target, copy.deepcopy(entry.value), entry.expires_ms)
    return 1


def _expression(pattern: bytes) -> bytes:
    """Return the regular expression of a glob: `*`, `?`, `[a-c]`, `[^a]`, and a backslash before a literal."""
    made, at = b"", 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        match char:
            case b"*":
                made += b".*"
            case b"?":
                made += b"."
            case b"\\" if at < len(pattern):
                made += re.escape(pattern[at : at + 1])
                at += 1
            case b"[" if (end := pattern.find(b"]", at)) > at:
                made += b"[%b]" % re.sub(rb"([\\\[&~|])", rb"\\\1", pattern[at:end])
                at = end + 1
            case _:
                made += re.escape(char)
    return made
