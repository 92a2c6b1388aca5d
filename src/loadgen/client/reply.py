"""Replies of a memcache server: how lines and errors of both protocols are read. Sans-IO.

A parser is a function `(received, at, expected) → (reply, end)`. It reads one reply that begins at index `at` of the
bytes received so far, and returns None while the reply is not complete; a parser keeps nothing between calls, so a
reply may be cut anywhere. `expected` is the key, or the keys, that the reply must be about. A reply that breaks the
protocol raises Malformed. The source is memcached's doc/protocol.txt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Received = bytes | bytearray
Parser = Callable[[Received, int, Any], tuple[Any, int] | None]

LONGEST_LINE = 4096
"""The most bytes of a line. A line of memcached's has a key of 250 bytes, a few numbers, or a sentence."""

LONGEST_VALUE = 1 << 30
"""The most bytes of a value: the longest item that memcached can be configured for."""

LONGEST_STATS = 1 << 20
"""The most bytes of a reply to `stats`."""


class Malformed(Exception):
    """The bytes are no reply of the protocol, or not a reply to the request. The text says why, without the bytes."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """A reply that is an error."""

    text: str
    """The line, as the server sent it."""
    servers: bool
    """True for SERVER_ERROR, False for CLIENT_ERROR and ERROR."""

    @property
    def says_nothing_of_the_node(self) -> bool:
        """True where the request, not the node, is the cause."""
        return not self.servers or self.text.startswith("SERVER_ERROR object too large")


def end_of_line(received: Received, at: int) -> int:
    """Return the index of the line's CR LF, or -1 while the line is not complete."""
    end = received.find(b"\r\n", at, at + LONGEST_LINE)
    if end < 0 and len(received) - at >= LONGEST_LINE:
        raise Malformed(f"a line of the reply is longer than {LONGEST_LINE:,} bytes")
    return end


def error_in(line: bytes | bytearray) -> ErrorReply:
    """Return the error that a line is. Raises Malformed for any other line."""
    if line == b"ERROR" or line.startswith((b"SERVER_ERROR", b"CLIENT_ERROR", b"ERROR ")):
        return ErrorReply(line.decode("utf-8", "backslashreplace"), line.startswith(b"SERVER"))
    raise Malformed("a line of the reply is none that answers the request")


def number(digits: bytes | bytearray, most: int = (1 << 64) - 1) -> int:
    """Return a decimal number of the protocol, which has digits only."""
    if not digits.isdigit() or len(digits) > 20 or (value := int(digits)) > most:
        raise Malformed("a number of the reply is not one, or is too large")
    return value


def body(received: Received, at: int, length: int) -> bytes | None:
    """Return the value of `length` bytes that begins at an index, or None while it or its CR LF is not complete."""
    end = at + length
    if len(received) < end + 2:
        return None
    if received[end : end + 2] != b"\r\n":
        raise Malformed("a value of the reply does not end where its length says")
    return bytes(received[at:end])


def words(replies: dict[bytes, Any]) -> Parser:
    """Return the parser of a reply that is one line out of a few, each with what it means."""

    def parse(received: Received, at: int, expected: Any) -> tuple[Any, int] | None:
        end = end_of_line(received, at)
        if end < 0:
            return None
        line = bytes(received[at:end])
        return (replies[line] if line in replies else error_in(line)), end + 2

    return parse


def stats(received: Received, at: int, expected: Any) -> tuple[dict[str, str] | ErrorReply, int] | None:
    """Parse the reply to `stats`: lines `STAT name value`, then END."""
    found: dict[str, str] = {}
    begin = at
    while (end := end_of_line(received, at)) >= 0:
        line = bytes(received[at:end])
        at = end + 2
        if line == b"END":
            return found, at
        if not line.startswith(b"STAT "):
            return error_in(line), at
        name, _, value = line[5:].decode("utf-8", "backslashreplace").partition(" ")
        found[name] = value
    if len(received) - begin > LONGEST_STATS:
        raise Malformed(f"the reply is longer than {LONGEST_STATS:,} bytes")
    return None


def version(received: Received, at: int, expected: Any) -> tuple[str | ErrorReply, int] | None:
    """Parse the reply to `version`."""
    end = end_of_line(received, at)
    if end < 0:
        return None
    line = bytes(received[at:end])
    if line.startswith(b"VERSION "):
        return line[8:].decode("utf-8", "backslashreplace"), end + 2
    return error_in(line), end + 2
