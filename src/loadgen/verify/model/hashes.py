"""Commands of hashes. The order of fields is the server's own, so replies with several fields are unordered."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from loadgen.verify.model.failed import NOT_A_FLOAT, CommandError, wrong_arity
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import (
    MAX_INTEGER,
    MIN_INTEGER,
    integer,
    long_double,
    sum_of_long_doubles,
    written_long_double,
)
from loadgen.verify.model.table import Table
from loadgen.verify.reply import OK, Null, Reply

HASHES = Table()

_NOT_AN_INTEGER = CommandError(b"ERR hash value is not an integer")
_NOT_A_FLOAT = CommandError(b"ERR hash value is not a float")
_OVERFLOW = CommandError(b"ERR increment or decrement would overflow")


class Hash(dict[bytes, bytes]):
    """The value of a hash's key."""


@HASHES.command("HSET", -4)
def hset(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _set(db, args, b"hset")


@HASHES.command("HMSET", -4)
def hmset(db: Keyspace, args: Sequence[bytes]) -> Reply:
    _set(db, args, b"hmset")
    return OK


def _set(db: Keyspace, args: Sequence[bytes], name: bytes) -> int:
    key, *words = args
    if len(words) % 2:
        raise wrong_arity(name)
    fields = db.get_or_make(key, Hash)
    before = len(fields)
    fields.update(zip(words[::2], words[1::2], strict=True))
    db.changed(key)
    return len(fields) - before


@HASHES.command("HSETNX", 4)
def hsetnx(db: Keyspace, args: Sequence[bytes]) -> Reply:
    fields = db.get_or_make(args[0], Hash)
    if args[1] in fields:
        return 0
    fields[args[1]] = args[2]
    db.changed(args[0])
    return 1


@HASHES.command("HGET", 3)
def hget(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _fields(db, args[0]).get(args[1], Null.BULK)


@HASHES.command("HMGET", -3)
def hmget(db: Keyspace, args: Sequence[bytes]) -> Reply:
    fields = _fields(db, args[0])
    return tuple(fields.get(field, Null.BULK) for field in args[1:])


@HASHES.command("HGETALL", 2)
def hgetall(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return tuple(word for pair in _fields(db, args[0]).items() for word in pair)


@HASHES.command("HKEYS", 2)
def hkeys(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return tuple(_fields(db, args[0]))


@HASHES.command("HVALS", 2)
def hvals(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return tuple(_fields(db, args[0]).values())


@HASHES.command("HLEN", 2)
def hlen(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return len(_fields(db, args[0]))


@HASHES.command("HEXISTS", 3)
def hexists(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return int(args[1] in _fields(db, args[0]))


@HASHES.command("HSTRLEN", 3)
def hstrlen(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return len(_fields(db, args[0]).get(args[1], b""))


@HASHES.command("HDEL", -3)
def hdel(db: Keyspace, args: Sequence[bytes]) -> Reply:
    fields = db.get(args[0], Hash)
    if fields is None:
        return 0
    removed = sum(fields.pop(field, None) is not None for field in args[1:])
    if removed:
        db.changed(args[0])
    return removed


@HASHES.command("HINCRBY", 4)
def hincrby(db: Keyspace, args: Sequence[bytes]) -> Reply:
    amount = integer(args[2])
    found = _fields(db, args[0]).get(args[1])
    value = (0 if found is None else integer(found, _NOT_AN_INTEGER)) + amount
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise _OVERFLOW
    _set(db, (args[0], args[1], b"%d" % value), b"hset")
    return value


@HASHES.command("HINCRBYFLOAT", 4)
def hincrbyfloat(db: Keyspace, args: Sequence[bytes]) -> Reply:
    amount = long_double(args[2])
    found = _fields(db, args[0]).get(args[1])
    try:
        current = Fraction(0) if found is None else long_double(found)
    except CommandError as error:
        raise _NOT_A_FLOAT if error is NOT_A_FLOAT else error from None
    value = written_long_double(sum_of_long_doubles(current, amount))
    _set(db, (args[0], args[1], value), b"hset")
    return value


def _fields(db: Keyspace, key: bytes) -> Hash:
    """Return the fields of a hash, none for a key that is absent. Raises WRONG_TYPE."""
    return db.get(key, Hash) or Hash()
