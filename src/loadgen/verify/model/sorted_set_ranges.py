"""Commands of ranges of sorted sets, and of the algebra of several: their replies, and what is stored of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadgen.verify.model.failed import NOT_AN_INTEGER, SYNTAX, WRONG_TYPE, CommandError
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import double, integer
from loadgen.verify.model.ranges import bounds
from loadgen.verify.model.sets import Members, numbered_keys
from loadgen.verify.model.sorted_set import SortedSet, lex_range, limited, members_in, score_range
from loadgen.verify.model.sorted_sets import SORTED_SETS, removed, scores, with_scores
from loadgen.verify.reply import Reply

__all__ = ["SORTED_SETS"]

_LIMIT = CommandError(b"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
_LEX_SCORES = CommandError(b"ERR syntax error, WITHSCORES not supported in combination with BYLEX")
_WEIGHT = CommandError(b"ERR weight value is not a float")


@dataclass(slots=True)
class _Asked:
    """What a command asks of a range."""

    by: bytes = b"INDEX"
    reverse: bool = False
    with_scores: bool = False
    limit: tuple[int, int] | None = None


def _listed(members: SortedSet, first: bytes, last: bytes, asked: _Asked) -> Sequence[bytes]:
    """Return the members of a range in the order asked for. A reverse range by score or bytes has its end first."""
    ordered = members.ordered()[:: -1 if asked.reverse else 1]
    if asked.by == b"INDEX":
        start, behind = bounds(integer(first), integer(last), len(ordered))
        return ordered[start:behind]
    low, high = (last, first) if asked.reverse else (first, last)
    within = score_range(low, high) if asked.by == b"SCORE" else lex_range(low, high)
    found = [member for member in ordered if within.has(member, members[member])]
    return limited(found, *asked.limit) if asked.limit is not None else found


def _check(asked: _Asked, first: bytes, last: bytes) -> None:
    """Raise the error of a wrong end before the key is looked at, as servers do."""
    _listed(SortedSet(), first, last, asked)


def _options(words: Sequence[bytes], asked: _Asked, allowed: frozenset[bytes]) -> _Asked:
    left = [*words]
    while left:
        match left.pop(0).upper():
            case b"WITHSCORES" if b"WITHSCORES" in allowed:
                asked.with_scores = True
            case b"LIMIT" if b"LIMIT" in allowed and len(left) >= 2:
                asked.limit = integer(left.pop(0)), integer(left.pop(0))
            case b"REV" if b"REV" in allowed:
                asked.reverse = True
            case b"BYSCORE" if b"BYSCORE" in allowed:
                asked.by = b"SCORE"
            case b"BYLEX" if b"BYLEX" in allowed:
                asked.by = b"LEX"
            case _:
                raise SYNTAX
    # A limit of −1 is as good as none.
    if asked.limit is not None and asked.limit[1] != -1 and asked.by == b"INDEX":
        raise _LIMIT
    if asked.with_scores and asked.by == b"LEX":
        raise _LEX_SCORES
    return asked


_OF_RANGE = frozenset((b"WITHSCORES", b"LIMIT", b"REV", b"BYSCORE", b"BYLEX"))


def _answer(db: Keyspace, key: bytes, first: bytes, last: bytes, asked: _Asked) -> Reply:
    _check(asked, first, last)
    members = scores(db, key)
    listed = _listed(members, first, last, asked)
    return with_scores(members, listed) if asked.with_scores else tuple(listed)


@SORTED_SETS.command("ZRANGE", -4)
def zrange(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, first, last, *words = args
    return _answer(db, key, first, last, _options(words, _Asked(), _OF_RANGE))


@SORTED_SETS.command("ZRANGESTORE", -5)
def zrangestore(db: Keyspace, args: Sequence[bytes]) -> Reply:
    target, key, first, last, *words = args
    asked = _options(words, _Asked(), _OF_RANGE - {b"WITHSCORES"})
    _check(asked, first, last)
    members = scores(db, key)
    return _store(db, target, SortedSet({each: members[each] for each in _listed(members, first, last, asked)}))


@SORTED_SETS.command("ZREVRANGE", -4)
def zrevrange(db: Keyspace, args: Sequence[bytes]) -> Reply:
    key, first, last, *words = args
    return _answer(db, key, first, last, _options(words, _Asked(reverse=True), frozenset((b"WITHSCORES",))))


def _ranges_by(by: bytes, allowed: frozenset[bytes]) -> None:
    """Register the range by score or by bytes, and its reverse."""

    @SORTED_SETS.command(f"ZRANGEBY{by.decode()}", -4)
    def forwards(db: Keyspace, args: Sequence[bytes]) -> Reply:
        key, low, high, *words = args
        return _answer(db, key, low, high, _options(words, _Asked(by), allowed))

    @SORTED_SETS.command(f"ZREVRANGEBY{by.decode()}", -4)
    def backwards(db: Keyspace, args: Sequence[bytes]) -> Reply:
        key, high, low, *words = args
        return _answer(db, key, high, low, _options(words, _Asked(by, reverse=True), allowed))


_ranges_by(b"SCORE", frozenset((b"WITHSCORES", b"LIMIT")))
_ranges_by(b"LEX", frozenset((b"LIMIT",)))


@SORTED_SETS.command("ZCOUNT", 4)
def zcount(db: Keyspace, args: Sequence[bytes]) -> Reply:
    within = score_range(args[1], args[2])
    return len(members_in(scores(db, args[0]), within))


@SORTED_SETS.command("ZLEXCOUNT", 4)
def zlexcount(db: Keyspace, args: Sequence[bytes]) -> Reply:
    within = lex_range(args[1], args[2])
    return len(members_in(scores(db, args[0]), within))


@SORTED_SETS.command("ZREMRANGEBYSCORE", 4)
def zremrangebyscore(db: Keyspace, args: Sequence[bytes]) -> Reply:
    within = score_range(args[1], args[2])
    return removed(db, args[0], members_in(scores(db, args[0]), within))


@SORTED_SETS.command("ZREMRANGEBYLEX", 4)
def zremrangebylex(db: Keyspace, args: Sequence[bytes]) -> Reply:
    within = lex_range(args[1], args[2])
    return removed(db, args[0], members_in(scores(db, args[0]), within))


@SORTED_SETS.command("ZREMRANGEBYRANK", 4)
def zremrangebyrank(db: Keyspace, args: Sequence[bytes]) -> Reply:
    start, end = integer(args[1]), integer(args[2])
    ordered = scores(db, args[0]).ordered()
    first, behind = bounds(start, end, len(ordered))
    return removed(db, args[0], ordered[first:behind])


def _store(db: Keyspace, target: bytes, members: SortedSet) -> int:
    if members:
        db.put(target, members)
    else:
        db.remove(target)
    return len(members)


# ── Algebra ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_AGGREGATES: dict[bytes, Callable[[float, float], float]] = {
    # The sum of infinities of both signs is 0 in Redis, and no NaN.
    b"SUM": lambda a, b: 0.0 if math.isnan(a + b) else a + b,
    b"MIN": min,
    b"MAX": max,
}


@dataclass(slots=True)
class _Combined:
    """The operands of a union, an intersection or a difference."""

    sets: list[SortedSet]
    aggregate: Callable[[float, float], float]
    with_scores: bool

    def union(self) -> SortedSet:
        result = SortedSet()
        for each in self.sets:
            for member, score in each.items():
                result[member] = self.aggregate(result[member], score) if member in result else score
        return result

    def intersection(self) -> SortedSet:
        whole = self.union()
        return SortedSet({member: whole[member] for member in whole if all(member in each for each in self.sets)})

    def difference(self) -> SortedSet:
        first, *others = self.sets
        return SortedSet({each: score for each, score in first.items() if not any(each in other for other in others)})


def _combined(db: Keyspace, args: Sequence[bytes], name: bytes, *, stores: bool, weighs: bool) -> _Combined:
    error = CommandError(b"ERR at least 1 input key is needed for '%b' command" % name.lower())
    number = integer(args[0])
    if number < 1:
        raise error
    keys, words = numbered_keys(args, NOT_AN_INTEGER, SYNTAX)
    sets = [_operand(db, key) for key in keys]
    weights, aggregate, scored = [1.0] * len(keys), b"SUM", False
    left = [*words]
    while left:
        match left.pop(0).upper():
            case b"WEIGHTS" if weighs and len(left) >= len(keys):
                weights = [double(left.pop(0), _WEIGHT) for _ in keys]
            case b"AGGREGATE" if weighs and left:
                aggregate = left.pop(0).upper()
                if aggregate not in _AGGREGATES:
                    raise SYNTAX
            case b"WITHSCORES" if not stores:
                scored = True
            case _:
                raise SYNTAX
    weighed = [
        SortedSet({member: _product(score, weight) for member, score in each.items()})
        for each, weight in zip(sets, weights, strict=True)
    ]
    return _Combined(weighed, _AGGREGATES[aggregate], scored)


def _operand(db: Keyspace, key: bytes) -> SortedSet:
    """Return a sorted set, or a set as one whose scores are all 1."""
    entry = db.entry(key)
    if entry is None:
        return SortedSet()
    if isinstance(entry.value, Members):
        return SortedSet(dict.fromkeys(entry.value, 1.0))
    if not isinstance(entry.value, SortedSet):
        raise WRONG_TYPE
    return entry.value


def _product(score: float, weight: float) -> float:
    product = score * weight
    return 0.0 if math.isnan(product) else product


def _algebra(name: str, combine: Callable[[_Combined], SortedSet], *, weighs: bool = True) -> None:
    """Register the command that replies the members, and the one that stores them."""

    @SORTED_SETS.command(name, -3)
    def answered(db: Keyspace, args: Sequence[bytes]) -> Reply:
        combined = _combined(db, args, name.encode(), stores=False, weighs=weighs)
        members = combine(combined)
        return with_scores(members, members.ordered()) if combined.with_scores else tuple(members.ordered())

    @SORTED_SETS.command(f"{name}STORE", -4)
    def stored(db: Keyspace, args: Sequence[bytes]) -> Reply:
        combined = _combined(db, args[1:], f"{name}store".encode(), stores=True, weighs=weighs)
        return _store(db, args[0], combine(combined))


_algebra("ZUNION", _Combined.union)
_algebra("ZINTER", _Combined.intersection)
_algebra("ZDIFF", _Combined.difference, weighs=False)
