"""Comparison of replies: what servers may answer in their own way, and what they may not."""

from __future__ import annotations

import pytest

from loadgen.protocol import Wire
from loadgen.verify.comparison import Comparison, difference, shape
from loadgen.verify.reply import OK, QUEUED, Error, Null, Reply, Status
from loadgen.verify.step import Step


def step(command: str, connection: int = 0) -> Step:
    return Step(tuple(command.encode().split()), connection)


ALIKE: list[tuple[str, Reply, Reply]] = [
    ("INCR a", Error(b"ERR value is not an integer"), Error(b"ERR no integer")),
    ("SMEMBERS a", (b"x", b"y"), (b"y", b"x")),
    ("HGETALL a", (b"f", b"1", b"g", b"2"), (b"g", b"2", b"f", b"1")),
    ("TTL a", 100, 99),
    ("PTTL a", 100_000, 99_001),
    ("SRANDMEMBER a 2", (b"x", b"y"), (b"z", b"x")),
    ("INCRBYFLOAT a 1", b"3", b"3.0"),
]
APART: list[tuple[str, Reply, Reply]] = [
    ("INCR a", Error(b"ERR no"), Error(b"WRONGTYPE no")),
    ("INCR a", Error(b"ERR no"), 1),
    ("GET a", b"1", 1),
    ("GET a", b"OK", OK),
    ("GET a", Null.BULK, b""),
    ("LPOP a 1", Null.ARRAY, Null.BULK),
    ("EXISTS a", 1, True),
    ("LRANGE a 0 -1", (b"x", b"y"), (b"y", b"x")),
    ("SMEMBERS a", (b"x", b"y"), (b"x", b"x")),
    ("HGETALL a", (b"f", b"1", b"g", b"2"), (b"f", b"2", b"g", b"1")),
    ("TTL a", -1, -2),
    ("TTL a", 0, -1),
    ("PTTL a", 100_000, 98_000),
    ("SRANDMEMBER a 2", (b"x", b"y"), (b"x",)),
    ("SRANDMEMBER a", b"x", Null.BULK),
    ("SRANDMEMBER a", b"x", 1),
    ("ZRANGE a 0 -1 WITHSCORES", (b"x", b"1"), (b"x", b"1.0")),
    ("INCRBYFLOAT a 1", b"3", b"3.1"),
]


@pytest.mark.parametrize(("command", "one", "other"), ALIKE)
def test_replies_agree_in_what_is_a_servers_own(command: str, one: Reply, other: Reply) -> None:
    assert Comparison(Wire.RESP).agree(step(command), one, other)
    assert Comparison(Wire.RESP).agree(step(command), other, one)


@pytest.mark.parametrize(("command", "one", "other"), APART)
def test_replies_that_differ_otherwise_do_not_agree(command: str, one: Reply, other: Reply) -> None:
    assert not Comparison(Wire.RESP).agree(step(command), one, other)
    assert not Comparison(Wire.RESP).agree(step(command), other, one)
    assert Comparison(Wire.RESP).agree(step(command), one, one)


def test_the_time_of_asking_is_allowed_to_times_to_live() -> None:
    comparison = Comparison(Wire.RESP)
    comparison.asked(2_000_000_000)
    assert comparison.agree(step("PTTL a"), 100_000, 97_100)
    assert not comparison.agree(step("PTTL a"), 100_000, 96_900)


def test_the_replies_of_a_transaction_are_compared_as_those_of_its_commands() -> None:
    comparison = Comparison(Wire.RESP)
    for command, reply in (("MULTI", OK), ("SMEMBERS a", QUEUED), ("LRANGE b 0 -1", QUEUED)):
        assert comparison.agree(step(command), reply, reply)
        # Another connection is another transaction.
        assert comparison.agree(step("SET c 1", 1), OK, OK)
    both = (b"x", b"y")
    assert comparison.agree(step("EXEC"), (both, both), (both[::-1], both))
    for command, reply in (("MULTI", OK), ("SMEMBERS a", QUEUED), ("LRANGE b 0 -1", QUEUED)):
        comparison.agree(step(command), reply, reply)
    assert not comparison.agree(step("EXEC"), (both, both), (both, both[::-1]))


def test_unique_numbers_of_memcache_and_spaces_behind_a_number_are_the_servers_own() -> None:
    comparison = Comparison(Wire.MEMCACHE)
    assert comparison.agree(step("gets a"), ((b"a", 0, b"x", 7),), ((b"a", 0, b"x", 9),))
    assert comparison.agree(step("get a"), ((b"a", 0, b"9 "),), ((b"a", 0, b"9"),))
    assert not comparison.agree(step("get a"), ((b"a", 0, b"x "),), ((b"a", 0, b"x"),))
    assert not comparison.agree(step("get a"), ((b"a", 0, b"x"),), ((b"a", 1, b"x"),))


def test_a_null_array_is_a_null_where_a_subject_has_one_null_only() -> None:
    assert Comparison(Wire.RESP, one_null=True).agree(step("LPOP a 1"), Null.ARRAY, Null.BULK)


def test_a_difference_is_told_with_its_values_and_its_shape_without() -> None:
    command = step("GET a").command
    assert difference(b"1", 1) == 'integer 1, not bulk "1"'
    assert difference(b"1", b"2") == '"2", not "1"'
    assert shape(command, b"1", 1) == "GET: integer for bulk"
    assert shape(command, OK, Status(b"a value")) == "GET: status for status OK"
    assert shape(command, (b"a", b"b"), (b"b", b"a")) == "GET: array for array (another order)"
    assert shape(command, (b"a", b"b"), (b"a",)) == "GET: array for array (shorter)"
    assert shape(command, Error(b"ERR 1"), Error(b"WRONGTYPE 2")) == "GET: error WRONGTYPE for error ERR"
