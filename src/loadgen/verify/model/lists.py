"""Commands of lists that do not block."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.model.failed import NO_SUCH_KEY, OUT_OF_RANGE, SYNTAX, CommandError
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import integer
from loadgen.verify.model.ranges import bounds
from loadgen.verify.model.table import Table
from loadgen.verify.reply import OK, Null, Reply

LISTS = Table()

_POSITIVE = CommandError(b"ERR value is out of range, must be positive")
_RANK = CommandError(b"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... ")
_COUNT = CommandError(b"ERR COUNT can't be negative")
_MAXLEN = CommandError(b"ERR MAXLEN can't be negative")


class List(list[bytes]):
    """The value of a list's key."""


@LISTS.command("LPUSH", -3)
def lpush(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _push(db, args, left=True)


@LISTS.command("RPUSH", -3)
def rpush(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _push(db, args, left=False)


@LISTS.command("LPUSHX", -3)
def lpushx(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return 0 if db.get(args[0], List) is None else _push(db, args, left=True)


@LISTS.command("RPUSHX", -3)
def rpushx(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return 0 if db.get(args[0], List) is None else _push(db, args, left=False)


def _push(db: Keyspace, args: Sequence[bytes], *, left: bool) -> int:
    items = db.get_or_make(args[0], List)
    for value in args[1:]:
        items.insert(0 if left else len(items), value)
    db.changed(args[0])
    return len(items)


@LISTS.command("LPOP", -2)
def lpop(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _pop(db, args, b"lpop", left=True)


@LISTS.command("RPOP", -2)
def rpop(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _pop(db, args, b"rpop", left=False)


def _pop(db: Keyspace, args: Sequence[bytes], name: bytes, *, left: bool) -> Reply:
    if len(args) > 2:
        raise CommandError(b"ERR wrong number of arguments for '%b' command" % name)
    count = None
    if len(args) == 2:
        count = integer(args[1], _POSITIVE)
        if count < 0:
            raise _POSITIVE
    items = db.get(args[0], List)
    if items is None:
        return Null.BULK if count is None else Null.ARRAY
    if count == 0:
        return ()
    popped = [items.pop(0 if left else -1) for _ in range(min(len(items), 1 if count is None else count))]
    db.changed(args[0])
    return popped[0] if count is None else tuple(popped)


@LISTS.command("LLEN", 2)
def llen(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return len(db.get(args[0], List) or ())


@LISTS.command("LRANGE", 4)
def lrange(db: Keyspace, args: Sequence[bytes]) -> Reply:
    start, end = integer(args[1]), integer(args[2])
    items = db.get(args[0], List) or List()
    first, behind = bounds(start, end, len(items))
    return tuple(items[first:behind])


@LISTS.command("LINDEX", 3)
def lindex(db: Keyspace, args: Sequence[bytes]) -> Reply:
    items = db.get(args[0], List)
    if items is None:
        return Null.BULK
    index = integer(args[1])
    return items[index] if -len(items) <= index < len(items) else Null.BULK


@LISTS.command("LSET", 4)
def lset(db: Keyspace, args: Sequence[bytes]) -> Reply:
    items = db.get(args[0], List)
    if items is None:
        raise NO_SUCH_KEY
    index = integer(args[1])
    if not -len(items) <= index < len(items):
        raise OUT_OF_RANGE
    items[index] = args[2]
    db.changed(args[0])
    return OK


@LISTS.command("LINSERT", 5)
def linsert(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, where, pivot, value = args
    if where.upper() not in (b"BEFORE", b"AFTER"):
        raise SYNTAX
    items = db.get(key, List)
    if items is None:
        return 0
    if pivot not in items:
        return -1
    items.insert(items.index(pivot) + (where.upper() == b"AFTER"), value)
    db.changed(key)
    return len(items)


@LISTS.command("LREM", 4)
def lrem(db: Keyspace, args: Sequence[bytes]) -> Reply:
    count = integer(args[1])
    items = db.get(args[0], List)
    if items is None:
        return 0
    found = [at for at, item in enumerate(items) if item == args[2]]
    removed = found[count:] if count < 0 else found[:count] if count else found
    for at in reversed(removed):
        del items[at]
    if removed:
        db.changed(args[0])
    return len(removed)


@LISTS.command("LTRIM", 4)
def ltrim(db: Keyspace, args: Sequence[bytes]) -> Reply:
    start, end = integer(args[1]), integer(args[2])
    items = db.get(args[0], List)
    if items is not None:
        first, behind = bounds(start, end, len(items))
        items[:] = items[first:behind]
        db.changed(args[0])
    return OK


@LISTS.command("LPOS", -3)
def lpos(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, wanted, *words = args
    rank, count, longest = 1, None, 0
    while words:
        if len(words) == 1:
            raise SYNTAX
        match words[0].upper():
            case b"RANK":
                rank = integer(words[1])
                if rank == 0:
                    raise _RANK
            case b"COUNT":
                count = integer(words[1], _COUNT)
                if count < 0:
                    raise _COUNT
            case b"MAXLEN":
                longest = integer(words[1], _MAXLEN)
                if longest < 0:
                    raise _MAXLEN
            case _:
                raise SYNTAX
        del words[:2]
    items = db.get(key, List)
    if items is None:
        return Null.BULK if count is None else ()
    order = [*range(len(items))] if rank > 0 else [*reversed(range(len(items)))]
    found = [at for at in order[: longest or None] if items[at] == wanted][abs(rank) - 1 :]
    if count is None:
        return found[0] if found else Null.BULK
    return tuple(found[: count or None])


@LISTS.command("LMOVE", 5)
def lmove(db: Keyspace, args: Sequence[bytes]) -> Reply:
    source, target, here, there = args
    if here.upper() not in (b"LEFT", b"RIGHT") or there.upper() not in (b"LEFT", b"RIGHT"):
        raise SYNTAX
    return _move(db, source, target, from_left=here.upper() == b"LEFT", to_left=there.upper() == b"LEFT")


@LISTS.command("RPOPLPUSH", 3)
def rpoplpush(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _move(db, args[0], args[1], from_left=False, to_left=True)


def _move(db: Keyspace, source: bytes, target: bytes, *, from_left: bool, to_left: bool) -> Reply:
    items = db.get(source, List)
    if items is None:
        return Null.BULK
    db.get(target, List)
    value = items.pop(0 if from_left else -1)
    # A list that is moved within itself is never empty in between: its time to live stays.
    others = db.get_or_make(target, List)
    others.insert(0 if to_left else len(others), value)
    db.changed(target)
    if source != target:
        db.changed(source)
    return value
