"""Conversations with the built-in server, and the places where they are cut: the replies must not depend on the cut."""

from __future__ import annotations

from typing import NamedTuple

from builtin_servers import resp

MIB = 1 << 20


class Conversation(NamedTuple):
    requests: bytes
    cuts: list[int]


def lines(text: str) -> bytes:
    """Commands, one a line, as RESP arrays; words have no spaces in them."""
    return b"".join(resp(*line.encode().split()) for line in text.strip().splitlines())


def store(value_bytes: int, flags: int = 0, key: bytes = b"k", command: bytes = b"set") -> bytes:
    return b"%b %b %d 0 %d\r\n%b\r\n" % (command, key, flags, value_bytes, b"x" * value_bytes)


_RESP = (
    lines("SET k v\nGET k\nGET nope\nFOO bar")
    + b'PING\r\nSET q "a \\x41"\n*0\r\n'
    + resp(b"SET", b"big", b"x" * 40_000)
    + resp(b"STRLEN", b"y" * 33_000)
    + lines("EXISTS k big q nope\nGET q\nDEL k q")
)
RESP = Conversation(_RESP, [*range(200), *range(40_000, 40_250), *range(73_050, len(_RESP))])

_MEMCACHE = (
    b"set k 5 0 3\r\nabc\r\nget k nope k\r\nfoo\r\nset k 0 0 3\r\nabcd\r\nset n 0 0 2 noreply\r\n10\r\nincr n 5\r\n"
    + store(40_000, key=b"big")
    + store(2 * MIB)
    + b"get nope\r\nset k 1 0 0\r\n\r\ngets k\r\ndelete k\r\ndelete k\r\nget n\r\n"
)
MEMCACHE = Conversation(_MEMCACHE, [*range(250), *range(40_100, 40_300), *range(len(_MEMCACHE) - 120, len(_MEMCACHE))])
