"""The reader of written cases: `[[case]]` of a spec file, its operations, their arguments and what they expect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from loadgen.config.document.reading import Reading, Rows, as_text, one_of, within
from loadgen.config.tables.table import Path
from loadgen.protocol import Wire
from loadgen.units import shown
from loadgen.verify.expectation import (
    TYPES,
    Between,
    Elements,
    ErrorOf,
    Exactly,
    Expectation,
    Members,
    OfType,
    Pairs,
)
from loadgen.verify.reply import Reply, Status
from loadgen.verify.spec import Future, Operation, Word, WrittenCase
from loadgen.verify.step import VALUE, has_value

MOST_CONNECTIONS = 8
LONGEST_WAIT_MS = 10_000

_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")

LONGEST_REPEATED = 2**24
"""Bytes of a word that is written as a repeated text."""

_NOT_IN_A_LINE = re.compile(rb"[\x00-\x20\x7f]|\A\Z")
"""In a word of memcache's lines: what ends a word or a line, or makes it none."""

_MARKERS = '{ bytes = [0, 255] }, { repeat = "x", times = 300 }, { future_seconds = 60 } or { future_ms = 60000 }'
_EXPECTED = "text, a number, a list of these, or one of bytes, status, error, set, dict, range, approx and type"


def _name(value: object) -> str:
    word = as_text(value)
    if not _NAME.fullmatch(word):
        raise ValueError(f"must be small letters, digits and underscores, beginning with a letter, not {shown(word)}")
    return word


def _command(value: object) -> bytes:
    word = as_text(value)
    if len(word.split()) != 1:
        raise ValueError(f"must be one word; write the others in args, not {shown(word)}")
    return word.encode()


def _line(value: object) -> bytes:
    line = as_text(value).encode()
    if not line.split() or any(_NOT_IN_A_LINE.search(word) for word in line.split(b" ") if word):
        raise ValueError(f"must be a command, or a line without control characters, not {shown(value)}")
    return line


def _error(value: object) -> bytes:
    words = as_text(value)
    if not words or words != words.strip():
        raise ValueError(f"an error must be the words that it begins with, such as ERR, not {shown(value)}")
    return words.encode()


_CASE: Rows = {
    "name": ("name", _name),
    "description": ("description", as_text),
    "protocol": ("protocol", one_of(tuple(Wire))),
}

_OPERATION: Rows = {
    "cmd": ("cmd", _command),
    "args": ("args", lambda value: tuple(words(value))),
    "expect": ("expect", lambda value: expectation(value)),
    "connection": ("connection", within(0, MOST_CONNECTIONS - 1)),
    "wait_ms": ("wait_ms", within(0, LONGEST_WAIT_MS)),
}


def cases(reading: Reading, taken: frozenset[str]) -> tuple[WrittenCase, ...]:
    """Return the cases of a file. `taken` are names that they may not have, as other tests have them."""
    found: dict[str, WrittenCase] = {}
    for index, table in enumerate(reading.tables(("case",))):
        path = ("case", index)
        values = reading.values(path, table, _CASE, also=("setup", "operations"), needs=("name", "operations"))
        wire = Wire(values.get("protocol", Wire.RESP))
        parts = ((*path, "setup"), (*path, "operations"))
        operations = tuple(operation for part in parts for operation in _operations(reading, part, wire))
        name = values.get("name", "")
        if name and (name in found or name in taken):
            other = "another case" if name in found else "a test"
            reading.problem((*path, "name"), f"{shown(name)} is the name of {other} already; choose another")
        if table.get("operations") == []:
            reading.problem((*path, "operations"), "must not be empty; write an operation, or leave the case out")
        found[name] = WrittenCase(name, operations, values.get("description", ""), wire)
    return tuple(found.values())


def _operations(reading: Reading, path: Path, wire: Wire) -> Iterator[Operation]:
    rows = _OPERATION if wire is Wire.RESP else {**_OPERATION, "cmd": ("cmd", _line)}
    for index, table in enumerate(reading.tables(path)):
        values = reading.values((*path, index), table, rows, needs=("cmd",))
        words = (values.pop("cmd", b""), *values.pop("args", ()))
        if wire is Wire.MEMCACHE and (wrong := _wrong_line(words)):
            reading.problem((*path, index), wrong)
        yield Operation(words, **values)


def _wrong_line(words: tuple[Word, ...]) -> str:
    """Return what is wrong with a command of memcache, in a sentence without its full stop; empty where nothing is."""
    name, *args = words
    if isinstance(name, bytes) and b" " in name and args:
        return "a whole line has no args beside it; write the command's name alone, or all words as cmd"
    if has_value(words):
        del args[VALUE]
    if any(isinstance(word, bytes) and _NOT_IN_A_LINE.search(word) for word in args):
        return "of the args of memcache, only a value may be empty, or have spaces or control characters"
    last = words[-1]
    if isinstance(last, bytes) and last.split()[-1:] in ([b"noreply"], [b"quit"]):
        return "noreply and quit have no reply, which each operation waits for; leave them out"
    return ""


# ── Arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def words(value: object) -> Iterator[Word]:
    """Yield the words of a command after its name. Raises ValueError with the rest of a sentence."""
    if not isinstance(value, list):
        raise ValueError(f'must be a list of arguments, such as ["key", 60], not {shown(value)}')
    yield from map(_word, value)


def _word(value: object) -> Word:
    """Return a word of a command."""
    match value:
        case str():
            return value.encode()
        case bool():
            pass
        case int():
            return b"%d" % value
        case float():
            return (str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)).encode()
        case {"bytes": numbers, **rest} if not rest:
            return _bytes(numbers)
        case {"repeat": str(text), "times": times, **rest} if text and not rest:
            count: int = within(1, LONGEST_REPEATED // len(text.encode()))(times)
            return text.encode() * count
        case {"future_seconds": after, **rest} if not rest:
            return Future(within(0, 2**32)(after), 1)
        case {"future_ms": after, **rest} if not rest:
            return Future(within(0, 2**42)(after), 1000)
    raise ValueError(f"an argument must be text, a number, {_MARKERS}, not {shown(value)}")


def _bytes(value: object) -> bytes:
    if isinstance(value, list) and all(type(each) is int and 0 <= each <= 255 for each in value):
        return bytes(value)
    raise ValueError(f"bytes must be a list of numbers from 0 to 255, not {shown(value)}")


# ── Expectations ──────────────────────────────────────────────────────────────────────────────────────────────────────


def expectation(value: object) -> Expectation:
    """Return what a case expects. Raises ValueError with the rest of a sentence."""
    match value:
        case bool():
            raise ValueError('servers answer no true and false: write { status = "OK" }, 1 or 0')
        case str():
            return Exactly(value.encode())
        case int():
            return Exactly(value)
        case float():
            return Between(value, value)
        case list():
            return Elements(tuple(map(expectation, value)))
        case dict() if value:
            return _marked(value)
    raise ValueError(f"must be {_EXPECTED}, not {shown(value)}")


def _marked(value: Mapping[str, Any]) -> Expectation:
    match value:
        case {"bytes": numbers, **rest} if not rest:
            return Exactly(_bytes(numbers))
        case {"status": word, **rest} if not rest:
            return Exactly(Status(as_text(word).encode()))
        case {"error": word, **rest} if not rest:
            return ErrorOf(_error(word))
        case {"set": list(members), **rest} if not rest:
            return Members(tuple(map(_reply, members)))
        case {"dict": dict(pairs), **rest} if not rest:
            return Pairs(tuple((name.encode(), _reply(each)) for name, each in pairs.items()))
        case {"range": [least, most], **rest} if not rest:
            return _between(least, most)
        case {"approx": middle, "tol": tolerance, **rest} if not rest:
            _numbers(middle, tolerance)
            return _between(middle - tolerance, middle + tolerance)
        case {"type": word, **rest} if not rest:
            return OfType(one_of(TYPES)(word))
        case {"approx": _, **rest} if not rest:
            raise ValueError("approx needs a tolerance beside it, such as { approx = 3.14, tol = 0.01 }")
    raise ValueError(f"must be {_EXPECTED}, not {shown(value)}")


def _between(least: object, most: object) -> Between:
    one, other = _numbers(least, most)
    if one > other:
        raise ValueError(f"the range is empty: {shown(least)} is above {shown(most)}")
    return Between(one, other)


def _numbers(*values: object) -> list[float]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"must be a number, without quotes, not {shown(value)}")
    return [float(value) for value in values if isinstance(value, (int, float))]


def _reply(value: object) -> Reply:
    """Return an element of a set, or a value of a dict."""
    match value:
        case bool():
            pass
        case str():
            return value.encode()
        case int():
            return value
        case {"bytes": numbers, **rest} if not rest:
            return _bytes(numbers)
    raise ValueError(f"an element must be text, a whole number or {{ bytes = [0, 255] }}, not {shown(value)}")
