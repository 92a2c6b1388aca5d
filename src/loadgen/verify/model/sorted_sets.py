"""Commands that change sorted sets or ask for members by name. `sorted_set_ranges` has the ranges and the algebra."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadgen.verify.model.failed import SYNTAX, CommandError
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import double, integer, written_double
from loadgen.verify.model.sorted_set import SortedSet
from loadgen.verify.model.table import Table
from loadgen.verify.reply import Null, Reply

SORTED_SETS = Table()

_NX_AND_XX = CommandError(b"ERR XX and NX options at the same time are not compatible")
_CONTRADICTION = CommandError(b"ERR GT, LT, and/or NX options at the same time are not compatible")
_ONE_PAIR = CommandError(b"ERR INCR option supports a single increment-element pair")
_NOT_A_NUMBER = CommandError(b"ERR resulting score is not a number (NaN)")
_POSITIVE = CommandError(b"ERR value is out of range, must be positive")
_FLAGS = frozenset((b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"))


@SORTED_SETS.command("ZADD", -4)
def zadd(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, *words = args
    flags = set[bytes]()
    while words and words[0].upper() in _FLAGS:
        flags.add(words.pop(0).upper())
    if len(words) % 2 or not words:
        raise SYNTAX
    if {b"NX", b"XX"} <= flags:
        raise _NX_AND_XX
    if len(flags & {b"GT", b"LT", b"NX"}) > 1:
        raise _CONTRADICTION
    if b"INCR" in flags and len(words) > 2:
        raise _ONE_PAIR
    pairs = [(member, double(score)) for score, member in zip(words[::2], words[1::2], strict=True)]
    return _add(db, key, pairs, flags)


@SORTED_SETS.command("ZINCRBY", 4)
def zincrby(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _add(db, args[0], [(args[2], double(args[1]))], {b"INCR"})


def _add(db: Keyspace, key: bytes, pairs: Sequence[tuple[bytes, float]], flags: set[bytes]) -> Reply:
    members = db.get(key, SortedSet)
    if members is None:
        if b"XX" in flags:
            return Null.BULK if b"INCR" in flags else 0
        members = db.get_or_make(key, SortedSet)
    added = updated = 0
    answer: Reply = Null.BULK
    for member, given in pairs:
        current, score = members.get(member), given
        if current is None:
            if b"XX" in flags:
                continue
            added += 1
        else:
            if b"NX" in flags:
                continue
            if b"INCR" in flags:
                score = current + given
                if math.isnan(score):
                    raise _NOT_A_NUMBER
            if (b"GT" in flags and score <= current) or (b"LT" in flags and score >= current):
                continue
            updated += score != current
        members[member] = score
        answer = written_double(score)
    if added or updated or not members:
        db.changed(key)
    if b"INCR" in flags:
        return answer
    return added + updated if b"CH" in flags else added


@SORTED_SETS.command("ZREM", -3)
def zrem(db: Keyspace, args: Sequence[bytes]) -> Reply:
    members = db.get(args[0], SortedSet)
    return 0 if members is None else removed(db, args[0], [each for each in dict.fromkeys(args[1:]) if each in members])


def removed(db: Keyspace, key: bytes, members: Sequence[bytes]) -> int:
    """Remove members that a sorted set has, and return their number."""
    value = db.get(key, SortedSet)
    if value is None or not members:
        return 0
    for member in members:
        del value[member]
    db.changed(key)
    return len(members)


@SORTED_SETS.command("ZSCORE", 3)
def zscore(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _score(scores(db, args[0]), args[1])


@SORTED_SETS.command("ZMSCORE", -3)
def zmscore(db: Keyspace, args: Sequence[bytes]) -> Reply:
    members = scores(db, args[0])
    return tuple(_score(members, member) for member in args[1:])


@SORTED_SETS.command("ZCARD", 2)
def zcard(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return len(scores(db, args[0]))


@SORTED_SETS.command("ZRANK", 3)
def zrank(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _rank(scores(db, args[0]).ordered(), args[1])


@SORTED_SETS.command("ZREVRANK", 3)
def zrevrank(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _rank(scores(db, args[0]).ordered()[::-1], args[1])


@SORTED_SETS.command("ZPOPMIN", -2)
def zpopmin(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _pop(db, args, 1)


@SORTED_SETS.command("ZPOPMAX", -2)
def zpopmax(db: Keyspace, args: Sequence[bytes]) -> Reply:
    return _pop(db, args, -1)


def _pop(db: Keyspace, args: Sequence[bytes], step: int) -> Reply:
    if len(args) > 2:
        raise SYNTAX
    count = integer(args[1], _POSITIVE) if len(args) == 2 else 1
    if count < 0:
        raise _POSITIVE
    members = scores(db, args[0])
    popped = members.ordered()[::step][:count]
    reply = with_scores(members, popped)
    removed(db, args[0], popped)
    return reply


def scores(db: Keyspace, key: bytes) -> SortedSet:
    """Return the value of a sorted set, an empty one for a key that is absent. Raises WRONG_TYPE."""
    return db.get(key, SortedSet) or SortedSet()


def with_scores(members: SortedSet, listed: Sequence[bytes]) -> Reply:
    """Return members, each followed by its score, as RESP2 has them."""
    return tuple(word for member in listed for word in (member, written_double(members[member])))


def _score(members: SortedSet, member: bytes) -> Reply:
    return written_double(members[member]) if member in members else Null.BULK


def _rank(ordered: Sequence[bytes], member: bytes) -> Reply:
    return ordered.index(member) if member in ordered else Null.BULK
