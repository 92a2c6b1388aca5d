"""memcache's text protocol as commands and replies, resumable at every byte. No I/O. Source: protocol.txt."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.verify.model.memcache import LAST
from loadgen.verify.reply import Error, Reply, Status
from loadgen.verify.step import VALUE, has_value

MOST_BYTES = 1 << 24

_RETRIEVES = (b"get", b"gets", b"gat", b"gats", b"stats")
"""The commands whose reply is a listing up to its END."""
_ERRORS = (b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR")


class NotMemcacheError(Exception):
    """The bytes are not an answer of memcache; in a few words, what they are."""


class Talk:
    """One connection: commands to bytes, and bytes to replies. One command at a time.

    A connection knows the unique number that it saw last for each key, which `cas` may name by the word `last`.
    """

    def __init__(self) -> None:
        self._received = b""
        self._retrieves = False
        self._seen: dict[bytes, bytes] = {}

    def encoded(self, command: Sequence[bytes]) -> bytes:
        """Return a command's bytes; what is fed after this is the reply to the command."""
        name, *args = command
        self._received, self._retrieves = b"", name.split()[0] in _RETRIEVES
        if not has_value(command):
            return b" ".join(command) + b"\r\n"
        value, args[VALUE] = args[VALUE], b"%d" % len(args[VALUE])
        if name == b"cas" and args[-1] == LAST:
            args[-1] = self._seen.get(args[0], b"0")
        return b" ".join((name, *args)) + b"\r\n" + value + b"\r\n"

    def feed(self, received: bytes) -> Reply | None:
        """Add bytes and return the reply, None when it is not complete. Raises NotMemcacheError."""
        self._received += received
        if len(self._received) > MOST_BYTES:
            raise NotMemcacheError(f"a reply of more than {MOST_BYTES >> 20} MiB")
        items: list[Reply] = []
        at = 0
        while (end := self._received.find(b"\r\n", at)) >= 0:
            line, at = self._received[at:end], end + 2
            word = line.partition(b" ")[0]
            if word in _ERRORS:
                return Error(line)
            if not self._retrieves:
                return int(line) if line.isdigit() else Status(line)
            if line == b"END":
                return tuple(items)
            if word == b"STAT":
                items.append(tuple(line.split(b" ", 2)[1:]))
                continue
            behind = at + self._size(line)
            value, at = self._received[at:behind], behind + 2
            if len(self._received) < at:
                return None
            if self._received[at - 2 : at] != b"\r\n":
                raise NotMemcacheError("a value that is longer than its length says")
            items.append(self._item(line, value))
        return None

    def _size(self, line: bytes) -> int:
        words = line.split(b" ")
        if words[0] != b"VALUE" or len(words) not in (4, 5) or not all(word.isdigit() for word in words[2:]):
            raise NotMemcacheError(f"{line[:80]!r} where VALUE or END is due")
        return int(words[3])

    def _item(self, line: bytes, value: bytes) -> Reply:
        _, key, flags, _, *unique = line.split(b" ")
        if unique:
            self._seen[key] = unique[0]
        return (key, int(flags), value, *map(int, unique))
