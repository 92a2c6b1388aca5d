"""A model of memcached 1.6's meta commands, as far as `loadgen.client` asks them (doc/protocol.txt). No I/O, no clock.

Items do not expire, and none is evicted. A connection answers bytes that come cut anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

VERSION = b"1.6.18"
LIMIT = 1 << 64
"""Numbers wrap around there."""


class MetaServer:
    """The items of one process: by key, the value and its version, which grows with every write to the process."""

    def __init__(self) -> None:
        self.items: dict[bytes, tuple[bytes, int]] = {}
        self.versions = 0
        self.calls: Counter[str] = Counter()
        """Keys read, set and deleted, by the names of the classic commands."""

    def put(self, key: bytes, value: bytes) -> None:
        self.versions += 1
        self.items[key] = value, self.versions


class MetaConnection:
    """What one connection has received, and the answers to it."""

    def __init__(self, server: MetaServer) -> None:
        self._server = server
        self._received = b""
        self._commands: dict[bytes, Callable[[bytes, Sequence[bytes]], bytes]] = {
            b"mg": self._get,
            b"md": self._delete,
            b"ma": self._add,
        }

    def answers(self, data: bytes) -> bytes:
        """Return the replies to all commands that are complete with these bytes."""
        received, at, replies = self._received + data, 0, []
        while (end := received.find(b"\r\n", at)) >= 0:
            words, after = received[at:end].split(b" "), end + 2
            if words[0] == b"ms":
                if len(received) < after + int(words[2]) + 2:
                    break
                replies.append(self._set(words[1], received[after : after + int(words[2])], words[3:]))
                after += int(words[2]) + 2
            elif words[0] == b"mn":
                replies.append(b"MN\r\n")
            elif words[0] == b"version":
                replies.append(b"VERSION %b\r\n" % VERSION)
            elif words[0] in self._commands:
                replies.append(self._commands[words[0]](words[1], words[2:]))
            else:
                replies.append(b"ERROR\r\n")
            at = after
        self._received = received[at:]
        return b"".join(replies)

    def _get(self, key: bytes, flags: Sequence[bytes]) -> bytes:
        self._server.calls["get"] += 1
        item = self._server.items.get(key)
        if item is None:
            # memcached 1.6.18 repeats the key, and later ones do not.
            return b"EN k%b\r\n" % key if b"k" in flags else b"EN\r\n"
        value, version = item
        shown = {b"k": b" k%b" % key, b"c": b" c%d" % version, b"t": b" t-1"}
        told = b"".join(shown.get(flag, b"") for flag in flags)
        return b"VA %d%b\r\n%b\r\n" % (len(value), told, value) if b"v" in flags else b"HD%b\r\n" % told

    def _set(self, key: bytes, value: bytes, flags: Sequence[bytes]) -> bytes:
        server = self._server
        item = server.items.get(key)
        compared = next((flag[1:] for flag in flags if flag[:1] == b"C"), None)
        mode = next((flag[1:] for flag in flags if flag[:1] == b"M"), b"S")
        if mode == b"S" and compared is None:
            server.calls["set"] += 1
        if compared is not None:
            if item is None:
                return b"NF\r\n"
            if item[1] != int(compared):
                return b"EX\r\n"
        elif (mode == b"E") != (item is None) and mode != b"S":
            return b"NS\r\n"
        if item is not None and mode in (b"A", b"P"):
            value = item[0] + value if mode == b"A" else value + item[0]
        server.put(key, value)
        return b"HD\r\n"

    def _delete(self, key: bytes, flags: Sequence[bytes]) -> bytes:
        self._server.calls["delete"] += 1
        return b"NF\r\n" if self._server.items.pop(key, None) is None else b"HD\r\n"

    def _add(self, key: bytes, flags: Sequence[bytes]) -> bytes:
        given = {flag[:1]: flag[1:] for flag in flags}
        item = self._server.items.get(key)
        if item is None:
            if b"N" not in given:
                return b"NF\r\n"
            number = int(given.get(b"J", b"0"))
        else:
            delta, before = int(given.get(b"D", b"1")), int(item[0])
            number = max(0, before - delta) if given.get(b"M") == b"D" else (before + delta) % LIMIT
        value = b"%d" % number
        self._server.put(key, value)
        return b"VA %d\r\n%b\r\n" % (len(value), value)
