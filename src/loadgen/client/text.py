"""The text protocol of memcache: requests and the parsers of their replies. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loadgen.client import reply
from loadgen.client.reply import ErrorReply, Malformed, Received
from loadgen.client.request import Request

KEYS_PER_LINE = 50
"""The most keys of one `get`. A longer batch is several lines, sent at once: servers limit the length of a line."""

STORED = reply.words({b"STORED": True, b"NOT_STORED": False, b"EXISTS": False, b"NOT_FOUND": None})
DELETED = reply.words({b"DELETED": True, b"NOT_FOUND": False})
TOUCHED = reply.words({b"TOUCHED": True, b"NOT_FOUND": False})


def value(received: Received, at: int, expected: bytes) -> tuple[bytes | ErrorReply | None, int] | None:
    """Parse the reply to `get` with one key: the value, or None for a miss."""
    # Most replies come whole, with nothing behind them: they are read in one go, and any other by the rules below.
    end = received.find(b"\r\n", at)
    words = received[at:end].split(b" ")
    if len(words) == 4 and words[1] == expected and words[0] == b"VALUE" and words[3].isdigit():
        begin, finish = end + 2, len(received) - 7
        if finish - begin == int(words[3]) and received.endswith(b"\r\nEND\r\n"):
            return bytes(received[begin:finish]), finish + 7
    found = item(received, at, expected)
    if found is None:
        return None
    (held, end) = found
    return (held[0] if type(held) is tuple else held), end  # type: ignore[return-value]


def item(received: Received, at: int, expected: bytes) -> tuple[tuple[bytes, int] | ErrorReply | None, int] | None:
    """Parse the reply to `get` or `gets` with one key: the value and its CAS, 0 for `get`; None for a miss."""
    if received.startswith(b"END\r\n", at):
        return None, at + 5
    end = reply.end_of_line(received, at)
    if end < 0:
        return None
    key, length, cas = _value_line(received, at, end)
    if key is None:
        return reply.error_in(bytes(received[at:end])), end + 2
    if key != expected:
        raise Malformed("a value came that belongs to another key")
    data = reply.body(received, end + 2, length)
    if data is None:
        return None
    at = end + 2 + length + 2
    end = reply.end_of_line(received, at)
    if end < 0:
        return None
    if received[at:end] != b"END":
        return reply.error_in(bytes(received[at:end])), end + 2
    return (data, cas), end + 2


def values(
    received: Received, at: int, expected: Sequence[bytes]
) -> tuple[dict[bytes, bytes] | ErrorReply, int] | None:
    """Parse the reply to `get` with several keys: the values that were found, by key, in the order of the request."""
    places: list[tuple[bytes, int, int]] = []
    turn = 0
    while (end := reply.end_of_line(received, at)) >= 0:
        key, length, _ = _value_line(received, at, end)
        if key is None:
            line = bytes(received[at:end])
            # Nothing is copied before all is there: a long reply is read again with every chunk.
            found = {key: bytes(received[begin:finish]) for key, begin, finish in places} if line == b"END" else None
            return (reply.error_in(line) if found is None else found), end + 2
        while turn < len(expected) and expected[turn] != key:
            turn += 1
        if turn == len(expected):
            raise Malformed("a value came that belongs to another key")
        turn += 1
        at = end + 2 + length + 2
        if len(received) < at:
            return None
        if received[at - 2 : at] != b"\r\n":
            raise Malformed("a value of the reply does not end where its length says")
        places.append((key, end + 2, at - 2))
    return None


def _value_line(received: Received, at: int, end: int) -> tuple[bytes | None, int, int]:
    """Return key, length and CAS of a line `VALUE key flags length [cas]`; None as the key for any other line."""
    if not received.startswith(b"VALUE ", at):
        return None, 0, 0
    words = bytes(received[at + 6 : end]).split(b" ")
    if not 3 <= len(words) <= 4:
        raise Malformed("a VALUE line of the reply does not have three or four words")
    cas = reply.number(words[3]) if len(words) == 4 else 0
    return words[0], reply.number(words[2], reply.LONGEST_VALUE), cas


def count(received: Received, at: int, expected: Any) -> tuple[int | ErrorReply | None, int] | None:
    """Parse the reply to `incr` or `decr`: the new number, or None for a miss."""
    end = reply.end_of_line(received, at)
    if end < 0:
        return None
    # memcached pads a number that has become shorter with blanks.
    line = bytes(received[at:end]).rstrip(b" ")
    if line.isdigit():
        return reply.number(line), end + 2
    return (None if line == b"NOT_FOUND" else reply.error_in(line)), end + 2


class Text:
    """The requests of the text protocol. Keys and values are checked before."""

    def get(self, key: bytes) -> Request:
        return Request("get", b"get %b\r\n" % key, value, key, key=key, reads=True)

    def gets(self, key: bytes) -> Request:
        return Request("gets", b"gets %b\r\n" % key, item, key, key=key, reads=True)

    def get_many(self, keys: Sequence[bytes]) -> Request:
        """The replies are dicts of what was found, one for each line."""
        lines = [keys[at : at + KEYS_PER_LINE] for at in range(0, len(keys), KEYS_PER_LINE)]
        data = b"".join(b"get %b\r\n" % b" ".join(line) for line in lines)
        return Request("get_many", data, values, lines, replies=len(lines), reads=True)

    def store(self, verb: str, key: bytes, held: bytes, ttl_s: int, cas: int = 0) -> Request:
        """`verb` is set, add, replace, append, prepend or cas."""
        return Request(verb, self._store(verb.encode(), key, held, ttl_s, cas), STORED, key=key)

    def set_many(self, held: Mapping[bytes, bytes], ttl_s: int) -> Request:
        data = b"".join(self._store(b"set", key, value, ttl_s) for key, value in held.items())
        return Request("set_many", data, STORED, [*held], replies=len(held))

    def delete(self, key: bytes) -> Request:
        return Request("delete", b"delete %b\r\n" % key, DELETED, key=key)

    def delete_many(self, keys: Sequence[bytes]) -> Request:
        data = b"".join(b"delete %b\r\n" % key for key in keys)
        return Request("delete_many", data, DELETED, keys, replies=len(keys))

    def touch(self, key: bytes, ttl_s: int) -> Request:
        return Request("touch", b"touch %b %d\r\n" % (key, ttl_s), TOUCHED, key=key)

    def increment(self, key: bytes, delta: int, initial: int | None, ttl_s: int) -> Request:
        """A miss with `initial` is followed by an `add`, and where another caller's was first, by the same again."""
        verb = b"incr" if delta >= 0 else b"decr"
        request = Request("increment", b"%b %b %d\r\n" % (verb, key, abs(delta)), count, key=key)
        if initial is not None:
            request.follow = lambda found: self._begin_count(request, initial, ttl_s) if found is None else None
        return request

    def _begin_count(self, request: Request, initial: int, ttl_s: int) -> Request:
        assert request.key is not None
        add = self.store("add", request.key, b"%d" % initial, ttl_s)
        again = Request("increment", request.bytes, count, key=request.key)
        # STORED means `initial`; NOT_STORED that another caller's add was first.
        add.parse = reply.words({b"STORED": initial, b"NOT_STORED": None})
        add.follow = lambda found: again if found is None else None
        return add

    def version(self) -> Request:
        return Request("version", b"version\r\n", reply.version, reads=True)

    ping = version

    def stats(self, of: bytes = b"") -> Request:
        return Request("stats", b"stats %b\r\n" % of if of else b"stats\r\n", reply.stats, reads=True)

    @staticmethod
    def _store(verb: bytes, key: bytes, held: bytes, ttl_s: int, cas: int = 0) -> bytes:
        if verb == b"cas":
            return b"cas %b 0 %d %d %d\r\n%b\r\n" % (key, ttl_s, len(held), cas, held)
        return b"%b %b 0 %d %d\r\n%b\r\n" % (verb, key, ttl_s, len(held), held)
