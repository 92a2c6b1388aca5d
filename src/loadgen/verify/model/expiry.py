"""Commands of times to live, and the options of other commands that set one. Unix time in ms."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.model.failed import SYNTAX, CommandError, invalid_expiry
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import MAX_INTEGER, MIN_INTEGER, integer
from loadgen.verify.model.table import Table
from loadgen.verify.reply import Reply

EXPIRY = Table()

_MS_PER_S = 1000
_UNITS = (b"EX", b"PX", b"EXAT", b"PXAT")

_NX_ALONE = CommandError(b"ERR NX and XX, GT or LT options at the same time are not compatible")
_GT_OR_LT = CommandError(b"ERR GT and LT options at the same time are not compatible")


def expiry_option(words: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the option of GETEX as its name and its amount, which is empty for PERSIST. Raises SYNTAX."""
    match [words[0].upper(), *words[1:]] if words else []:
        case []:
            return b"", b""
        case [b"PERSIST"]:
            return b"PERSIST", b""
        case [unit, amount] if unit in _UNITS:
            return unit, amount
    raise SYNTAX


def deadline_ms(db: Keyspace, unit: bytes, amount: bytes, command: bytes) -> int:
    """Return when an option such as `EX 10` lets a key expire. Raises CommandError: an amount must be above 0."""
    value = integer(amount)
    if value <= 0 or (unit.startswith(b"EX") and value > MAX_INTEGER // _MS_PER_S):
        raise invalid_expiry(command)
    value *= _MS_PER_S if unit.startswith(b"EX") else 1
    if not unit.endswith(b"AT"):
        value += db.now_ms
    if value > MAX_INTEGER:
        raise invalid_expiry(command)
    return value


@EXPIRY.command("EXPIRE", -3)
def expire(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _expire(db, args, _MS_PER_S, db.now_ms, b"expire")


@EXPIRY.command("PEXPIRE", -3)
def pexpire(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _expire(db, args, 1, db.now_ms, b"pexpire")


@EXPIRY.command("EXPIREAT", -3)
def expireat(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _expire(db, args, _MS_PER_S, 0, b"expireat")


@EXPIRY.command("PEXPIREAT", -3)
def pexpireat(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _expire(db, args, 1, 0, b"pexpireat")


def _expire(db: Keyspace, args: Sequence[bytes], unit_ms: int, from_ms: int, command: bytes) -> int:
    key, amount, *words = args
    options = {word.upper() for word in words}
    for word in words:
        if word.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            raise CommandError(b"ERR Unsupported option %b" % word)
    if b"NX" in options and len(options) > 1:
        raise _NX_ALONE
    if {b"GT", b"LT"} <= options:
        raise _GT_OR_LT
    value = integer(amount)
    if not MIN_INTEGER <= value * unit_ms <= MAX_INTEGER or value * unit_ms + from_ms > MAX_INTEGER:
        raise invalid_expiry(command)
    expires_ms = value * unit_ms + from_ms
    entry = db.entry(key)
    if entry is None:
        return 0
    current = entry.expires_ms
    if (
        (b"NX" in options and current is not None)
        or (b"XX" in options and current is None)
        # A key without a time to live counts as one that lives for ever.
        or (b"GT" in options and (current is None or expires_ms <= current))
        or (b"LT" in options and current is not None and expires_ms >= current)
    ):
        return 0
    if expires_ms <= db.now_ms:
        db.remove(key)
    else:
        entry.expires_ms = expires_ms
        db.touch(key)
    return 1


@EXPIRY.command("TTL", 2)
def ttl(db: Keyspace, args: Sequence[bytes]) -> Reply:
    left_ms = _left_ms(db, args[0])
    return left_ms if left_ms < 0 else (left_ms + _MS_PER_S // 2) // _MS_PER_S


@EXPIRY.command("PTTL", 2)
def pttl(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _left_ms(db, args[0])


@EXPIRY.command("EXPIRETIME", 2)
def expiretime(db: Keyspace, args: Sequence[bytes]) -> Reply:
    expires_ms = _expires_ms(db, args[0])
    return expires_ms if expires_ms < 0 else (expires_ms + _MS_PER_S // 2) // _MS_PER_S


@EXPIRY.command("PEXPIRETIME", 2)
def pexpiretime(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _expires_ms(db, args[0])


@EXPIRY.command("PERSIST", 2)
def persist(db: Keyspace, args: Sequence[bytes]) -> Reply:
    entry = db.entry(args[0])
    if entry is None or entry.expires_ms is None:
        return 0
    entry.expires_ms = None
    db.touch(args[0])
    return 1


def _expires_ms(db: Keyspace, key: bytes) -> int:
    """Return when a key expires; −1 when never, −2 when the key is absent."""
    entry = db.entry(key)
    if entry is None:
        return -2
    return -1 if entry.expires_ms is None else entry.expires_ms


def _left_ms(db: Keyspace, key: bytes) -> int:
    expires_ms = _expires_ms(db, key)
    return expires_ms if expires_ms < 0 else expires_ms - db.now_ms
