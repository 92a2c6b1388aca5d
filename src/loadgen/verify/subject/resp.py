"""RESP as commands and replies with their types: an encoder, and a decoder that is resumable at every byte. No I/O.

Source: redis.io/docs/latest/develop/reference/protocol-spec. Not the codec of the load, whose errors cannot hide here.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.reply import Error, Map, Null, Reply, Set, Status

MOST_BYTES = 1 << 24
"""The longest reply that is read: longer than any of the commands that are asked."""
_DEEPEST = 32


class NotRespError(Exception):
    """The bytes are not RESP; in a few words, what they are."""


class _Incomplete(Exception):
    """The rest of the reply has not come yet."""


def encoded(command: Sequence[bytes]) -> bytes:
    """Return a command's bytes."""
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


class Decoder:
    """Bytes in, replies out."""

    def __init__(self) -> None:
        self._received = b""
        self._at = 0

    def feed(self, received: bytes) -> None:
        self._received = self._received[self._at :] + received
        self._at = 0

    def reply(self) -> Reply | None:
        """Return the next reply, None when it is not complete. Raises NotRespError."""
        try:
            reply, self._at = self._parsed(self._at, 0)
        except _Incomplete:
            if len(self._received) - self._at > MOST_BYTES:
                raise NotRespError(f"a reply of more than {MOST_BYTES >> 20} MiB") from None
            return None
        return reply

    def _parsed(self, at: int, depth: int) -> tuple[Reply, int]:
        """Return the reply that begins at a byte, and where the next one begins."""
        end = self._received.find(b"\r\n", at)
        if end < 0:
            if self._received[at:] and self._received[at] not in b"+-:$*_,#~%=":
                raise NotRespError(f"a reply that begins with {self._received[at : at + 1]!r}")
            raise _Incomplete
        kind, line, at = self._received[at : at + 1], self._received[at + 1 : end], end + 2
        match kind:
            case b"+":
                return Status(line), at
            case b"-":
                return Error(line), at
            case b":":
                return _number(line), at
            case b"$" | b"=":
                return self._bulk(_number(line), at, kind)
            case b"*" | b"~" | b"%":
                return self._aggregate(kind, _number(line), at, depth)
            case b"_":
                return Null.BULK, at
            case b"#":
                return line == b"t", at
            case b",":
                return _double(line), at
        raise NotRespError(f"a reply that begins with {kind!r}")

    def _bulk(self, size: int, at: int, kind: bytes) -> tuple[Reply, int]:
        if size < 0:
            return Null.BULK, at
        if size > MOST_BYTES:
            raise NotRespError(f"a string of {size:,} bytes")
        if len(self._received) < at + size + 2:
            raise _Incomplete
        if self._received[at + size : at + size + 2] != b"\r\n":
            raise NotRespError("a string that is longer than its length says")
        # A verbatim string has its format in its first four bytes.
        return self._received[at + (4 if kind == b"=" else 0) : at + size], at + size + 2

    def _aggregate(self, kind: bytes, size: int, at: int, depth: int) -> tuple[Reply, int]:
        if size < 0:
            return Null.ARRAY, at
        if depth > _DEEPEST:
            raise NotRespError(f"arrays in arrays, more than {_DEEPEST} deep")
        elements: list[Reply] = []
        for _ in range(size * 2 if kind == b"%" else size):
            element, at = self._parsed(at, depth + 1)
            elements.append(element)
        if kind == b"%":
            return Map(tuple(zip(elements[::2], elements[1::2], strict=True))), at
        return Set(tuple(elements)) if kind == b"~" else tuple(elements), at


def _number(line: bytes) -> int:
    try:
        return int(line)
    except ValueError:
        raise NotRespError(f"a number that is {line[:40]!r}") from None


def _double(line: bytes) -> float:
    try:
        return float(line)
    except ValueError:
        raise NotRespError(f"a double that is {line[:40]!r}") from None
