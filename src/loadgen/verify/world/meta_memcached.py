"""A model of memcached 1.6's meta commands, as far as `loadgen.client` asks them (doc/protocol.txt). No I/O.

No item is evicted; items expire by the clock that their server is given. A connection answers bytes that come cut
anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

VERSION = b"1.6.18"
LIMIT = 1 << 64
"""Numbers wrap around there."""
MONTH_S = 30 * 24 * 3600
"""A longer time to live is a Unix time."""
NS_PER_S = 1_000_000_000


class Item(NamedTuple):
    value: bytes
    version: int
    until_ns: int
    """The Unix time at which it expires; 0: never."""


class MetaServer:
    """The items of one process by key. Their versions grow with every write to the process."""

    def __init__(self, unix_ns: Callable[[], int]) -> None:
        self.items: dict[bytes, Item] = {}
        self.versions = 0
        self.expired = 0
        """Items that were found to have expired."""
        self._unix_ns = unix_ns
        self.calls: Counter[str] = Counter()
        """Keys read, set and deleted, by the names of the classic commands."""

    def find(self, key: bytes) -> Item | None:
        item = self.items.get(key)
        if item is not None and item.until_ns and item.until_ns <= self._unix_ns():
            del self.items[key]
            self.expired += 1
            return None
        return item

    def put(self, key: bytes, value: bytes, until_ns: int) -> None:
        self.versions += 1
        self.items[key] = Item(value, self.versions, until_ns)

    def touched(self, key: bytes, until_ns: int) -> Item:
        """Give an item that is there another time to live, and return it."""
        self.items[key] = item = self.items[key]._replace(until_ns=until_ns)
        return item

    def until_ns(self, ttl: bytes) -> int:
        """Return the Unix time that a time to live in s means; 0: without end."""
        ttl_s = int(ttl)
        if not ttl_s:
            return 0
        return ttl_s * NS_PER_S + (self._unix_ns() if ttl_s <= MONTH_S else 0)

    def left_s(self, item: Item) -> int:
        """Return the s that an item has left; -1 for one without end."""
        return (item.until_ns - self._unix_ns()) // NS_PER_S if item.until_ns else -1


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
        item = self._server.find(key)
        if item is None:
            # memcached 1.6.18 repeats the key, and later ones do not.
            return b"EN k%b\r\n" % key if b"k" in flags else b"EN\r\n"
        for ttl in (flag[1:] for flag in flags if flag[:1] == b"T"):
            item = self._server.touched(key, self._server.until_ns(ttl))
        value, version, _ = item
        shown = {b"k": b" k%b" % key, b"c": b" c%d" % version, b"t": b" t%d" % self._server.left_s(item)}
        told = b"".join(shown.get(flag, b"") for flag in flags)
        return b"VA %d%b\r\n%b\r\n" % (len(value), told, value) if b"v" in flags else b"HD%b\r\n" % told

    def _set(self, key: bytes, value: bytes, flags: Sequence[bytes]) -> bytes:
        server = self._server
        item = server.find(key)
        compared = next((flag[1:] for flag in flags if flag[:1] == b"C"), None)
        mode = next((flag[1:] for flag in flags if flag[:1] == b"M"), b"S")
        if mode == b"S" and compared is None:
            server.calls["set"] += 1
        if compared is not None:
            if item is None:
                return b"NF\r\n"
            if item.version != int(compared):
                return b"EX\r\n"
        elif (mode == b"E") != (item is None) and mode != b"S":
            return b"NS\r\n"
        until_ns = server.until_ns(next((flag[1:] for flag in flags if flag[:1] == b"T"), b"0"))
        if item is not None and mode in (b"A", b"P"):
            value = item.value + value if mode == b"A" else value + item.value
            until_ns = item.until_ns
        server.put(key, value, until_ns)
        return b"HD\r\n"

    def _delete(self, key: bytes, flags: Sequence[bytes]) -> bytes:
        self._server.calls["delete"] += 1
        if self._server.find(key) is None:
            return b"NF\r\n"
        del self._server.items[key]
        return b"HD\r\n"

    def _add(self, key: bytes, flags: Sequence[bytes]) -> bytes:
        given = {flag[:1]: flag[1:] for flag in flags}
        item = self._server.find(key)
        until_ns = 0 if item is None else item.until_ns
        if item is None:
            if b"N" not in given:
                return b"NF\r\n"
            number = int(given.get(b"J", b"0"))
            until_ns = self._server.until_ns(given[b"N"])
        else:
            delta, before = int(given.get(b"D", b"1")), int(item.value)
            number = max(0, before - delta) if given.get(b"M") == b"D" else (before + delta) % LIMIT
        value = b"%d" % number
        self._server.put(key, value, until_ns)
        return b"VA %d\r\n%b\r\n" % (len(value), value)
