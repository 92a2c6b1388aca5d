"""Commands of strings, counters and bits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from loadgen.verify.model.expiry import deadline_ms, expiry_option
from loadgen.verify.model.failed import SYNTAX, CommandError, wrong_arity
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import (
    MAX_INTEGER,
    MIN_INTEGER,
    integer,
    long_double,
    sum_of_long_doubles,
    written_long_double,
)
from loadgen.verify.model.ranges import substring
from loadgen.verify.model.table import Table
from loadgen.verify.reply import OK, Null, Reply

STRINGS = Table()

LONGEST_STRING = 512 << 20
"""The default of proto-max-bulk-len, in bytes."""

_TOO_LONG = CommandError(b"ERR string exceeds maximum allowed size (proto-max-bulk-len)")
_OVERFLOW = CommandError(b"ERR increment or decrement would overflow")
_DECREMENT_OVERFLOW = CommandError(b"ERR decrement would overflow")
_BIT_OFFSET = CommandError(b"ERR bit offset is not an integer or out of range")
_BIT = CommandError(b"ERR bit is not an integer or out of range")
_OFFSET = CommandError(b"ERR offset is out of range")


@STRINGS.command("GET", 2)
def get(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _or_null(db.get(args[0], bytes))


@STRINGS.command("SET", -3)
def set_(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, value, *words = args
    options, unit, amount = set[bytes](), b"", b""
    while words:
        option = words.pop(0).upper()
        if option in (b"EX", b"PX", b"EXAT", b"PXAT") and words and not unit and b"KEEPTTL" not in options:
            unit, amount = option, words.pop(0)
        elif option in (b"NX", b"XX", b"GET") or (option == b"KEEPTTL" and not unit):
            options.add(option)
        else:
            raise SYNTAX
        if {b"NX", b"XX"} <= options:
            raise SYNTAX
    expires_ms = deadline_ms(db, unit, amount, b"set") if unit else None
    old = db.entry(key)
    # With GET the old value must be a string, whatever the other options say.
    previous = _or_null(db.get(key, bytes)) if b"GET" in options else None
    if (b"NX" in options and old is not None) or (b"XX" in options and old is None):
        return Null.BULK if previous is None else previous
    if b"KEEPTTL" in options and old is not None:
        expires_ms = old.expires_ms
    db.put(key, value, expires_ms)
    return OK if previous is None else previous


@STRINGS.command("SETNX", 3)
def setnx(db: Keyspace, args: Sequence[bytes]) -> Reply:
    if db.entry(args[0]) is not None:
        return 0
    db.put(args[0], args[1])
    return 1


@STRINGS.command("SETEX", 4)
def setex(db: Keyspace, args: Sequence[bytes]) -> Reply:
    db.put(args[0], args[2], deadline_ms(db, b"EX", args[1], b"setex"))
    return OK


@STRINGS.command("PSETEX", 4)
def psetex(db: Keyspace, args: Sequence[bytes]) -> Reply:
    db.put(args[0], args[2], deadline_ms(db, b"PX", args[1], b"psetex"))
    return OK


@STRINGS.command("GETSET", 3)
def getset(db: Keyspace, args: Sequence[bytes]) -> Reply:
    previous = _or_null(db.get(args[0], bytes))
    db.put(args[0], args[1])
    return previous


@STRINGS.command("GETDEL", 2)
def getdel(db: Keyspace, args: Sequence[bytes]) -> Reply:
    previous = _or_null(db.get(args[0], bytes))
    db.remove(args[0])
    return previous


@STRINGS.command("GETEX", -2)
def getex(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, *words = args
    unit, amount = expiry_option(words)
    found = db.get(key, bytes)
    if found is None:
        return Null.BULK
    if unit == b"PERSIST":
        entry = db.entry(key)
        if entry is not None and entry.expires_ms is not None:
            db.put(key, found)
    elif unit:
        db.put(key, found, deadline_ms(db, unit, amount, b"getex"))
    return found


@STRINGS.command("MGET", -2)
def mget(db: Keyspace, args: Sequence[bytes]) -> Reply:
    entries = (db.entry(key) for key in args)
    return tuple(
        entry.value if entry is not None and isinstance(entry.value, bytes) else Null.BULK for entry in entries
    )


@STRINGS.command("MSET", -3)
def mset(db: Keyspace, args: Sequence[bytes]) -> Reply:
    if len(args) % 2:
        raise wrong_arity(b"mset")
    for key, value in zip(args[::2], args[1::2], strict=True):
        db.put(key, value)
    return OK


@STRINGS.command("MSETNX", -3)
def msetnx(db: Keyspace, args: Sequence[bytes]) -> Reply:
    if len(args) % 2:
        raise wrong_arity(b"msetnx")
    if any(db.entry(key) is not None for key in args[::2]):
        return 0
    mset(db, args)
    return 1


@STRINGS.command("APPEND", 3)
def append(db: Keyspace, args: Sequence[bytes]) -> Reply:
    value = (db.get(args[0], bytes) or b"") + args[1]
    db.update(args[0], value)
    return len(value)


@STRINGS.command("STRLEN", 2)
def strlen(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return len(db.get(args[0], bytes) or b"")


@STRINGS.command("GETRANGE", 4)
@STRINGS.command("SUBSTR", 4)
def getrange(db: Keyspace, args: Sequence[bytes]) -> Reply:
    start, end = integer(args[1]), integer(args[2])
    return substring(db.get(args[0], bytes) or b"", start, end)


@STRINGS.command("SETRANGE", 4)
def setrange(db: Keyspace, args: Sequence[bytes]) -> Reply:
    offset, patch = integer(args[1]), args[2]
    if offset < 0:
        raise _OFFSET
    value = db.get(args[0], bytes) or b""
    if not patch:
        return len(value)
    if offset + len(patch) > LONGEST_STRING:
        raise _TOO_LONG
    value = value[:offset].ljust(offset, b"\0") + patch + value[offset + len(patch) :]
    db.update(args[0], value)
    return len(value)


# ── Counters ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@STRINGS.command("INCR", 2)
def incr(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _add(db, args[0], 1)


@STRINGS.command("DECR", 2)
def decr(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _add(db, args[0], -1)


@STRINGS.command("INCRBY", 3)
def incrby(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _add(db, args[0], integer(args[1]))


@STRINGS.command("DECRBY", 3)
def decrby(db: Keyspace, args: Sequence[bytes]) -> Reply:
    amount = integer(args[1])
    if amount == MIN_INTEGER:
        raise _DECREMENT_OVERFLOW
    return _add(db, args[0], -amount)


@STRINGS.command("INCRBYFLOAT", 3)
def incrbyfloat(db: Keyspace, args: Sequence[bytes]) -> Reply:
    found = db.get(args[0], bytes)
    current = Fraction(0) if found is None else long_double(found)
    value = written_long_double(sum_of_long_doubles(current, long_double(args[1])))
    db.update(args[0], value)
    return value


def _add(db: Keyspace, key: bytes, amount: int) -> int:
    found = db.get(key, bytes)
    value = (0 if found is None else integer(found)) + amount
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise _OVERFLOW
    db.update(key, b"%d" % value)
    return value


# ── Bits ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@STRINGS.command("SETBIT", 4)
def setbit(db: Keyspace, args: Sequence[bytes]) -> Reply:
    offset = _bit_offset(args[1])
    bit = integer(args[2], _BIT)
    if bit not in (0, 1):
        raise _BIT
    value = bytearray(db.get(args[0], bytes) or b"")
    at, mask = offset >> 3, 0x80 >> (offset & 7)
    value.extend(bytes(max(0, at + 1 - len(value))))
    old = value[at] & mask
    value[at] = value[at] | mask if bit else value[at] & ~mask
    db.update(args[0], bytes(value))
    return int(old != 0)


@STRINGS.command("GETBIT", 3)
def getbit(db: Keyspace, args: Sequence[bytes]) -> Reply:
    offset = _bit_offset(args[1])
    value = db.get(args[0], bytes) or b""
    at = offset >> 3
    return value[at] >> (7 - (offset & 7)) & 1 if at < len(value) else 0


@STRINGS.command("BITCOUNT", -2)
def bitcount(db: Keyspace, args: Sequence[bytes]) -> Reply:
    value = db.get(args[0], bytes)
    if value is None:
        return 0
    if len(args) not in (1, 3):
        raise SYNTAX
    if len(args) == 3:
        start, end = integer(args[1]), integer(args[2])
        value = substring(value, start, end)
    return int.from_bytes(value).bit_count()


def _bit_offset(text: bytes) -> int:
    offset = integer(text, _BIT_OFFSET)
    if not 0 <= offset < LONGEST_STRING * 8:
        raise _BIT_OFFSET
    return offset


def _or_null(value: bytes | None) -> bytes | Null:
    return Null.BULK if value is None else value
