"""The reply of a server to one command, with its type kept: a bulk string is no status, and a null array no null.

A bulk string is `bytes`, an integer `int`, a double `float`, an array a tuple of replies; the other types are below.
Values; no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from loadgen.escape import printable

_LONGEST = 120
"""Characters of a text that `shown` returns in full."""


@dataclass(frozen=True, slots=True)
class Status:
    """A simple string: RESP's `+`, and each word of memcache that is no error, such as STORED."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Error:
    """An error, in the server's own words."""

    text: bytes

    @property
    def code(self) -> bytes:
        """The first word: ERR, WRONGTYPE, CLIENT_ERROR."""
        return self.text.partition(b" ")[0]


@dataclass(frozen=True, slots=True)
class NoReply:
    """There was no reply. `words` says why, as the rest of a sentence: "it closed the connection"."""

    words: str


class Null(Enum):
    """The two nulls of RESP2. RESP3 has one, which is BULK here."""

    BULK = "nil"
    ARRAY = "nil array"


@dataclass(frozen=True, slots=True)
class Map:
    """A map of RESP3, as pairs in the order in which they came."""

    pairs: tuple[tuple[Reply, Reply], ...]


@dataclass(frozen=True, slots=True)
class Set:
    """A set of RESP3, as members in the order in which they came."""

    members: tuple[Reply, ...]


Reply: TypeAlias = "Status | bytes | int | float | bool | Null | Error | NoReply | Map | Set | tuple[Reply, ...]"

OK = Status(b"OK")
QUEUED = Status(b"QUEUED")


def type_name(reply: Reply) -> str:
    """Return the type of a reply in a word, as in messages and fingerprints: "bulk", "integer", "array"."""
    match reply:
        case Null():
            return reply.value
        case bool():
            return "boolean"
        case bytes():
            return "bulk"
        case int():
            return "integer"
        case float():
            return "double"
        case tuple():
            return "array"
        case NoReply():
            return "no reply"
    return type(reply).__name__.lower()


def shown(reply: Reply) -> str:
    """Return a reply as one line for people, of some hundred characters at most."""
    whole = _shown(reply)
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]}…"


def _shown(reply: Reply) -> str:
    match reply:
        case Status():
            return f"+{quoted(reply.text)}"
        case Error():
            return f"-{printable(reply.text.decode(errors='backslashreplace'))}"
        case Null():
            return reply.value
        case bytes():
            return f'"{quoted(reply)}"'
        case NoReply():
            return f"no reply: {printable(reply.words)}"
        case Map():
            return "{" + ", ".join(f"{_shown(key)}: {_shown(value)}" for key, value in reply.pairs) + "}"
        case Set():
            return "{" + ", ".join(map(_shown, reply.members)) + "}"
        case tuple():
            return "[" + ", ".join(map(_shown, reply)) + "]"
    return repr(reply)


def quoted(text: bytes) -> str:
    """Return bytes as ASCII in which what is not printable, a quote and a backslash are escaped, as redis-cli does."""
    return repr(text)[2:-1].replace('"', '\\"') if b'"' not in text else repr(text + b"'")[2:-2].replace('"', '\\"')
