"""The groups of the kv suite: for each, a round of commands on one key, with the reply that is right to each.

A round begins on an absent key. What is right is worked out here, beside the command, and by no model of a server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from loadgen.verify.reply import OK, Error, Null, Reply
from loadgen.verify.step import Command
from loadgen.verify.tape import Tape

Asked: TypeAlias = tuple[Command, Reply]
"""A command, and the reply that is right."""

LONGEST = 64
"""Bytes of the longest value."""
_LARGEST = 1_000_000_000


class Round(NamedTuple):
    """The commands of one round."""

    asked: tuple[Asked, ...]
    left: Asked
    """A question on what the round leaves under its key, which is never nothing."""


Drawn: TypeAlias = Callable[[Tape, bytes], Round]
"""Draws a round on a key."""


class Group(NamedTuple):
    """A group of the suite."""

    invariant: str
    rounds: tuple[Drawn, ...]
    """Each round is one of these."""
    restarts: bool = False
    """True when the server is killed and started again before the questions on what is left."""


def _value(tape: Tape) -> bytes:
    return tape.bytes(0, LONGEST, "value")


def _members(tape: Tape) -> list[bytes]:
    """Return two to eight texts, all different: each begins with its number."""
    return [b"%d:%b" % (number, tape.bytes(0, 16, "member")) for number in range(tape.between(2, 8, "members"))]


def set_get(tape: Tape, key: bytes) -> Round:
    value, other = _value(tape), _value(tape)
    return Round(
        (
            ((b"GET", key), Null.BULK),
            ((b"SET", key, value), OK),
            ((b"GET", key), value),
            ((b"EXISTS", key), 1),
            ((b"SET", key, other), OK),
        ),
        ((b"GET", key), other),
    )


def incr_decr(tape: Tape, key: bytes) -> Round:
    start = tape.choice((1, -1), "sign") * tape.between(0, _LARGEST, "start")
    step = tape.between(1, _LARGEST, "step")
    return Round(
        (
            ((b"INCR", key), 1),
            ((b"SET", key, b"text"), OK),
            ((b"INCR", key), Error(b"ERR value is not an integer or out of range")),
            ((b"SET", key, b"%d" % start), OK),
            ((b"INCR", key), start + 1),
            ((b"INCRBY", key, b"%d" % step), start + 1 + step),
            ((b"DECR", key), start + step),
            ((b"DECRBY", key, b"%d" % step), start),
        ),
        ((b"GET", key), b"%d" % start),
    )


def lists(tape: Tape, key: bytes) -> Round:
    members, first = _members(tape), _value(tape)
    whole = (b"LRANGE", key, b"0", b"-1")
    return Round(
        (
            ((b"RPUSH", key, *members), len(members)),
            ((b"LPUSH", key, first), len(members) + 1),
            (whole, (first, *members)),
            ((b"LLEN", key), len(members) + 1),
            ((b"LINDEX", key, b"-1"), members[-1]),
            ((b"RPOP", key), members[-1]),
            ((b"LPOP", key), first),
        ),
        (whole, tuple(members[:-1])),
    )


def hashes(tape: Tape, key: bytes) -> Round:
    fields = _members(tape)
    gone, changed = fields[0], fields[-1]
    values = {field: _value(tape) for field in fields}
    other = _value(tape)
    left = {**values, changed: other}
    del left[gone]
    return Round(
        (
            ((b"HSET", key, *_pairs(values)), len(values)),
            ((b"HLEN", key), len(values)),
            ((b"HSET", key, changed, other), 0),
            ((b"HGET", key, changed), other),
            ((b"HEXISTS", key, gone), 1),
            ((b"HDEL", key, gone), 1),
            ((b"HGET", key, gone), Null.BULK),
        ),
        ((b"HGETALL", key), _pairs(left)),
    )


def sets(tape: Tape, key: bytes) -> Round:
    members = _members(tape)
    gone = tape.choice(members, "gone")
    return Round(
        (
            ((b"SADD", key, *members), len(members)),
            ((b"SADD", key, gone), 0),
            ((b"SCARD", key), len(members)),
            ((b"SISMEMBER", key, gone), 1),
            ((b"SREM", key, gone), 1),
            ((b"SISMEMBER", key, gone), 0),
        ),
        ((b"SMEMBERS", key), tuple(member for member in members if member != gone)),
    )


def sorted_sets(tape: Tape, key: bytes) -> Round:
    members = _members(tape)
    risen, gone = members[0], members[-1]
    scores = {member: tape.below(10, "score") for member in members}
    raised = {**scores, risen: scores[risen] + 5}
    left = {member: score for member, score in raised.items() if member != gone}
    words = (word for member, score in scores.items() for word in (b"%d" % score, member))
    return Round(
        (
            ((b"ZADD", key, *words), len(scores)),
            ((b"ZINCRBY", key, b"5", risen), b"%d" % raised[risen]),
            ((b"ZCARD", key), len(scores)),
            ((b"ZRANK", key, risen), _order(raised).index(risen)),
            ((b"ZRANGE", key, b"0", b"-1"), tuple(_order(raised))),
            ((b"ZREM", key, gone), 1),
            ((b"ZSCORE", key, gone), Null.BULK),
        ),
        (
            (b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"),
            tuple(word for member in _order(left) for word in (member, b"%d" % left[member])),
        ),
    )


def _pairs(values: dict[bytes, bytes]) -> tuple[bytes, ...]:
    return tuple(word for pair in values.items() for word in pair)


def _order(scores: dict[bytes, int]) -> list[bytes]:
    """Return members by their scores, then by their bytes."""
    return sorted(scores, key=lambda member: (scores[member], member))


_ALL = (set_get, incr_decr, lists, hashes, sets, sorted_sets)

GROUPS = {
    "kv_set_get": Group("GET returns what SET stored", (set_get,)),
    "kv_incr_decr": Group("a counter is the sum of its increments and decrements", (incr_decr,)),
    "kv_lists": Group("a list has its elements in the order in which they were pushed", (lists,)),
    "kv_hashes": Group("a hash has each field once, with the value that was set last", (hashes,)),
    "kv_sets": Group("a set has each member once", (sets,)),
    "kv_sorted_sets": Group("a sorted set has its members in the order of their scores", (sorted_sets,)),
    "kv_persistence": Group("a server that was killed has every write that it acknowledged", _ALL, restarts=True),
}
"""By name, every group of the suite."""
