"""memcached's meta protocol: requests and the parsers of their replies. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadgen.client import reply
from loadgen.client._request import Request
from loadgen.client._text import Text
from loadgen.client.reply import ErrorReply, Malformed, Received

STORED = reply.words({b"HD": True, b"NS": False, b"EX": False, b"NF": None})
DONE = reply.words({b"HD": True, b"NF": False, b"EN": False})
ALIVE = reply.words({b"MN": True})

MODES = {"set": b"", "cas": b"", "add": b" ME", "replace": b" MR", "append": b" MA", "prepend": b" MP"}
"""The flag that makes of `ms` each of the storage commands."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item as `meta_get` found it."""

    value: bytes
    """Empty for an item that this very request, or another caller's, has made in place of a miss."""
    cas: int
    ttl_s: int | None
    """The time to live that is left; None: the item does not expire."""
    won: bool
    """True for the one caller who is to compute the value and set it: the item was missing, is about to expire, or is
    stale."""
    taken: bool
    """True when another caller has won and has not set the value yet."""
    stale: bool
    """True when the item was marked as stale."""


def _read(received: Received, at: int) -> tuple[list[bytes], bytes, int] | None:
    """Read one reply: the words of its line, its value (empty without one), and its end; None while it is incomplete.

    A line that begins with VA has the length of a value as its second word.
    """
    end = reply.end_of_line(received, at)
    if end < 0:
        return None
    words = bytes(received[at:end]).split(b" ")
    if words[0] != b"VA":
        return words, b"", end + 2
    if len(words) < 2:
        raise Malformed("a VA line of the reply has no length")
    length = reply.number(words[1], reply.LONGEST_VALUE)
    held = reply.body(received, end + 2, length)
    return None if held is None else (words, held, end + 2 + length + 2)


def value(received: Received, at: int, expected: bytes) -> tuple[bytes | ErrorReply | None, int] | None:
    """Parse the reply to `mg key k v`: the value, or None for a miss."""
    if (read := _read(received, at)) is None:
        return None
    words, held, end = read
    if words[0] == b"VA":
        _check_key(words[2:], expected)
        return held, end
    return _missed(words, expected), end


def item(received: Received, at: int, expected: bytes) -> tuple[tuple[bytes, int] | ErrorReply | None, int] | None:
    """Parse the reply to `mg key k c v`: the value and its CAS, or None for a miss."""
    if (read := _read(received, at)) is None:
        return None
    words, held, end = read
    if words[0] == b"VA":
        _check_key(words[2:], expected)
        return (held, _number_of(words[2:], b"c")), end
    return _missed(words, expected), end


def whole_item(received: Received, at: int, expected: bytes) -> tuple[Item | ErrorReply | None, int] | None:
    """Parse the reply to `mg key k c t v` with flags that may win: an Item, or None for a miss."""
    if (read := _read(received, at)) is None:
        return None
    words, held, end = read
    if words[0] != b"VA":
        return _missed(words, expected), end
    flags = words[2:]
    _check_key(flags, expected)
    ttl_s = None if b"t-1" in flags else _number_of(flags, b"t")
    return Item(held, _number_of(flags, b"c"), ttl_s, b"W" in flags, b"Z" in flags, b"X" in flags), end


def count(received: Received, at: int, expected: Any) -> tuple[int | ErrorReply | None, int] | None:
    """Parse the reply to `ma key v`: the new number, or None for a miss."""
    if (read := _read(received, at)) is None:
        return None
    words, held, end = read
    if words[0] == b"VA":
        # memcached pads a number that has become shorter with blanks.
        return reply.number(held.rstrip(b" ")), end
    return (None if words == [b"NF"] else reply.error_in(b" ".join(words))), end


def _missed(words: Sequence[bytes], expected: bytes) -> ErrorReply | None:
    """Return None for a miss. memcached repeats the key of a miss in some versions, as in 1.6.18."""
    if words[0] != b"EN":
        return reply.error_in(b" ".join(words))
    if words[1:]:
        _check_key(words[1:], expected)
    return None


def _check_key(flags: Sequence[bytes], expected: bytes) -> None:
    if b"k" + expected not in flags:
        raise Malformed("a value came that belongs to another key")


def _number_of(flags: Sequence[bytes], letter: bytes) -> int:
    found = [flag[1:] for flag in flags if flag[:1] == letter]
    if len(found) != 1:
        raise Malformed("a flag of the reply is missing that was asked for")
    return reply.number(found[0])


class Meta:
    """The requests of the meta protocol. Keys and values are checked before."""

    def get(self, key: bytes) -> Request:
        return Request("get", b"mg %b k v\r\n" % key, value, key, key=key, reads=True)

    def gets(self, key: bytes) -> Request:
        return Request("gets", b"mg %b k c v\r\n" % key, item, key, key=key, reads=True)

    def get_many(self, keys: Sequence[bytes]) -> Request:
        """The replies are values, one for each key."""
        data = b"".join(b"mg %b k v\r\n" % key for key in keys)
        return Request("get_many", data, value, keys, replies=len(keys), reads=True)

    def store(self, verb: str, key: bytes, held: bytes, ttl_s: int, cas: int = 0) -> Request:
        """`verb` is set, add, replace, append, prepend or cas."""
        mode = b" C%d" % cas if verb == "cas" else MODES[verb]
        return Request(verb, self._store(key, held, ttl_s, mode), STORED, key=key)

    def set_many(self, held: Mapping[bytes, bytes], ttl_s: int) -> Request:
        data = b"".join(self._store(key, value, ttl_s, b"") for key, value in held.items())
        return Request("set_many", data, STORED, [*held], replies=len(held))

    def delete(self, key: bytes) -> Request:
        return Request("delete", b"md %b\r\n" % key, DONE, key=key)

    def delete_many(self, keys: Sequence[bytes]) -> Request:
        data = b"".join(b"md %b\r\n" % key for key in keys)
        return Request("delete_many", data, DONE, keys, replies=len(keys))

    def touch(self, key: bytes, ttl_s: int) -> Request:
        return Request("touch", b"mg %b T%d\r\n" % (key, ttl_s), DONE, key=key)

    def increment(self, key: bytes, delta: int, initial: int | None, ttl_s: int) -> Request:
        mode = b"" if delta >= 0 else b" MD"
        begins = b"" if initial is None else b" N%d J%d" % (ttl_s, initial)
        return Request("increment", b"ma %b v D%d%b%b\r\n" % (key, abs(delta), mode, begins), count, key=key)

    def ping(self) -> Request:
        return Request("ping", b"mn\r\n", ALIVE, reads=True)

    def version(self) -> Request:
        """The meta protocol has no command of its own for this, nor for statistics."""
        return Text().version()

    def stats(self, of: bytes = b"") -> Request:
        return Text().stats(of)

    @staticmethod
    def _store(key: bytes, held: bytes, ttl_s: int, mode: bytes) -> bytes:
        return b"ms %b %d T%d%b\r\n%b\r\n" % (key, len(held), ttl_s, mode, held)


def meta_get(key: bytes, vivify_s: int | None, recache_s: int | None) -> Request:
    """Return the request of an item with the flags by which one caller wins the right to compute its value."""
    flags = b"" if vivify_s is None else b" N%d" % vivify_s
    flags += b"" if recache_s is None else b" R%d" % recache_s
    return Request("meta_get", b"mg %b k c t v%b\r\n" % (key, flags), whole_item, key, key=key)
