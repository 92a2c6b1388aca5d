"""Commands of sets. The order of members is the server's own, so replies with several members are unordered.

SPOP and SRANDMEMBER choose at random in a server. The model chooses the first members; only a count that takes all of
a set gives an answer that must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from loadgen.verify.model.failed import SYNTAX, CommandError
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import integer
from loadgen.verify.model.table import Table
from loadgen.verify.reply import Null, Reply

SETS = Table()

_POSITIVE = CommandError(b"ERR value is out of range, must be positive")
_NUMBER_OF_KEYS = CommandError(b"ERR numkeys should be greater than 0")
_TOO_MANY_KEYS = CommandError(b"ERR Number of keys can't be greater than number of args")
_LIMIT = CommandError(b"ERR LIMIT can't be negative")


class Members(dict[bytes, None]):
    """The value of a set's key: its members, in the order in which they came."""

    @classmethod
    def of(cls, members: Iterable[bytes]) -> Members:
        return cls((member, None) for member in members)


@SETS.command("SADD", -3)
def sadd(db: Keyspace, args: Sequence[bytes]) -> Reply:
    members = db.get_or_make(args[0], Members)
    before = len(members)
    members.update(dict.fromkeys(args[1:]))
    if len(members) > before:
        db.changed(args[0])
    return len(members) - before


@SETS.command("SREM", -3)
def srem(db: Keyspace, args: Sequence[bytes]) -> Reply:
    members = db.get(args[0], Members)
    if members is None:
        return 0
    removed = [member for member in dict.fromkeys(args[1:]) if member in members]
    for member in removed:
        del members[member]
    if removed:
        db.changed(args[0])
    return len(removed)


@SETS.command("SMEMBERS", 2)
def smembers(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return tuple(_members(db, args[0]))


@SETS.command("SCARD", 2)
def scard(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return len(_members(db, args[0]))


@SETS.command("SISMEMBER", 3)
def sismember(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return int(args[1] in _members(db, args[0]))


@SETS.command("SMISMEMBER", -3)
def smismember(db: Keyspace, args: Sequence[bytes]) -> Reply:
    members = _members(db, args[0])
    return tuple(int(member in members) for member in args[1:])


@SETS.command("SMOVE", 4)
def smove(db: Keyspace, args: Sequence[bytes]) -> Reply:
    source, target, member = args
    members = db.get(source, Members)
    if members is None:
        return 0
    others = db.get(target, Members)
    if member not in members:
        return 0
    if members is not others:
        del members[member]
        db.changed(source)
        db.get_or_make(target, Members)[member] = None
        db.changed(target)
    return 1


@SETS.command("SPOP", -2)
def spop(db: Keyspace, args: Sequence[bytes]) -> Reply:
    count = _count(args, least=0)
    members = db.get(args[0], Members)
    if members is None:
        return Null.BULK if count is None else ()
    taken = [*members][: 1 if count is None else count]
    for member in taken:
        del members[member]
    if taken:
        db.changed(args[0])
    return taken[0] if count is None else tuple(taken)


@SETS.command("SRANDMEMBER", -2)
def srandmember(db: Keyspace, args: Sequence[bytes]) -> Reply:
    count = _count(args)
    members = [*_members(db, args[0])]
    if count is None:
        return members[0] if members else Null.BULK
    # A negative count may return a member several times.
    return tuple(members[:count]) if count >= 0 else tuple(members[:1] * -count)


def _count(args: Sequence[bytes], least: int | None = None) -> int | None:
    if len(args) > 2:
        raise SYNTAX
    if len(args) == 1:
        return None
    count = integer(args[1], _POSITIVE) if least is not None else integer(args[1])
    if least is not None and count < least:
        raise _POSITIVE
    return count


# ── Algebra ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def intersection(sets: Sequence[Members]) -> Members:
    first, *others = sets
    return Members.of(member for member in first if all(member in other for other in others))


def union(sets: Sequence[Members]) -> Members:
    return Members.of(member for each in sets for member in each)


def difference(sets: Sequence[Members]) -> Members:
    first, *others = sets
    return Members.of(member for member in first if not any(member in other for other in others))


def _algebra(name: str, combine: Callable[[Sequence[Members]], Members]) -> None:
    """Register the command that replies the members, and the one that stores them."""

    @SETS.command(name, -2)
    def answered(db: Keyspace, args: Sequence[bytes]) -> Reply:
        return tuple(combine([_members(db, key) for key in args]))

    @SETS.command(f"{name}STORE", -3)
    def stored(db: Keyspace, args: Sequence[bytes]) -> Reply:
        target, *keys = args
        members = combine([_members(db, key) for key in keys])
        if members:
            db.put(target, members)
        else:
            db.remove(target)
        return len(members)


_algebra("SINTER", intersection)
_algebra("SUNION", union)
_algebra("SDIFF", difference)


@SETS.command("SINTERCARD", -3)
def sintercard(db: Keyspace, args: Sequence[bytes]) -> Reply:
    keys, words = numbered_keys(args, _NUMBER_OF_KEYS, _TOO_MANY_KEYS)
    limit = 0
    while words:
        if len(words) == 1 or words[0].upper() != b"LIMIT":
            raise SYNTAX
        limit = integer(words[1], _LIMIT)
        if limit < 0:
            raise _LIMIT
        words = words[2:]
    count = len(intersection([_members(db, key) for key in keys]))
    return min(count, limit) if limit else count


def numbered_keys(
    args: Sequence[bytes], least: CommandError, most: CommandError
) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return the keys that follow their number, and the words after them. Raises `least` or `most`."""
    number = integer(args[0], least)
    if number < 1:
        raise least
    if number > len(args) - 1:
        raise most
    return args[1 : number + 1], args[number + 1 :]


def _members(db: Keyspace, key: bytes) -> Members:
    """Return the members of a set, none for a key that is absent. Raises WRONG_TYPE."""
    return db.get(key, Members) or Members()
