"""What a written case expects: which replies meet it, by value and by type."""

from __future__ import annotations

from typing import Any

import pytest

from loadgen.config.spec_cases import expectation
from loadgen.verify.reply import OK, Error, Map, Null, Reply, Set, Status

NIL = {"type": "nil"}
MET: list[tuple[Any, Reply]] = [
    ("a", b"a"),
    ("", b""),
    ("é", "é".encode()),
    (5, 5),
    (-1, -1),
    ({"bytes": [0, 255]}, b"\x00\xff"),
    ({"status": "OK"}, OK),
    ({"error": "WRONGTYPE"}, Error(b"WRONGTYPE Operation against a key")),
    ({"error": "ERROR"}, Error(b"ERROR")),
    ({"error": "CLIENT_ERROR bad data"}, Error(b"CLIENT_ERROR bad data chunk")),
    ([], ()),
    (["a", 1, NIL, {"status": "OK"}], (b"a", 1, Null.BULK, OK)),
    ([["a"], []], ((b"a",), ())),
    ({"set": ["a", "b", "b"]}, (b"b", b"a", b"b")),
    ({"set": [1]}, Set((1,))),
    ({"set": []}, ()),
    ({"dict": {"a": "1", "b": "2"}}, (b"b", b"2", b"a", b"1")),
    ({"dict": {"a": "1"}}, Map(((b"a", b"1"),))),
    ({"dict": {}}, ()),
    ({"range": [58, 60]}, 58),
    ({"range": [58, 60]}, 60),
    ({"range": [0.5, 1]}, b"0.75"),
    ({"approx": 3.14, "tol": 0.01}, b"3.1415"),
    ({"approx": 3.14, "tol": 0.01}, 3.1415),
    (1.5, b"1.5"),
    (1.0, b"1"),
    (NIL, Null.BULK),
    (NIL, Null.ARRAY),
    ({"type": "bytes"}, b""),
    ({"type": "integer"}, 0),
    ({"type": "status"}, OK),
    ({"type": "error"}, Error(b"ERR")),
    ({"type": "array"}, ()),
    ({"type": "double"}, 1.5),
]
NOT_MET: list[tuple[Any, Reply]] = [
    ("a", b"b"),
    ("a", Status(b"a")),
    ("5", 5),
    (5, b"5"),
    (1, True),
    ({"status": "OK"}, b"OK"),
    ({"error": "ERR"}, Error(b"WRONGTYPE x")),
    ({"error": "ERR"}, Status(b"ERR")),
    ({"error": "ERR"}, Error(b"ERROR")),
    ({"error": "CLIENT_ERROR bad dat"}, Error(b"CLIENT_ERROR bad data chunk")),
    (["a", "b"], (b"b", b"a")),
    (["a"], (b"a", b"a")),
    ([], Null.ARRAY),
    ([NIL], (b"",)),
    ({"set": ["a", "b"]}, (b"a", b"b", b"b")),
    ({"set": ["1"]}, (1,)),
    ({"set": []}, Null.ARRAY),
    ({"dict": {"a": "1"}}, (b"1", b"a")),
    ({"dict": {"a": "1"}}, (b"a", b"1", b"b")),
    ({"dict": {"a": "1"}}, (b"a", b"1", b"a", b"1")),
    ({"range": [58, 60]}, 61),
    ({"range": [58, 60]}, b"x"),
    ({"range": [0, 1]}, True),
    ({"range": [0, 1]}, b"nan"),
    ({"approx": 3.14, "tol": 0.01}, b"3.16"),
    (1.5, Error(b"1.5")),
    (NIL, b""),
    (NIL, ()),
    ({"type": "bytes"}, OK),
    ({"type": "integer"}, b"0"),
    ({"type": "double"}, 1),
]


@pytest.mark.parametrize(("written", "reply"), MET)
def test_a_reply_meets_what_is_expected(written: object, reply: Reply) -> None:
    assert expectation(written).met(reply)


@pytest.mark.parametrize(("written", "reply"), NOT_MET)
def test_a_reply_of_another_value_or_type_does_not(written: object, reply: Reply) -> None:
    assert not expectation(written).met(reply)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a", '"a"'),
        (5, "5"),
        ({"status": "OK"}, "+OK"),
        ({"error": "ERR"}, "an error ERR"),
        (["a", NIL], '["a", nil]'),
        ({"set": ["b", "a"]}, '["b", "a"] in any order'),
        ({"dict": {"a": "1"}}, '["a", "1"] as pairs in any order'),
        ({"range": [58, 60]}, "a number from 58 to 60"),
        (1.5, "the number 1.5"),
        ({"type": "array"}, "an array"),
        ({"type": "bytes"}, "a bulk string"),
        ({"type": "status"}, "a status"),
    ],
)
def test_what_is_expected_as_words(written: object, words: str) -> None:
    assert str(expectation(written)) == words
