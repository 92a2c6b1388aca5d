"""The model of a memcache server: what each command answers, at a time that is told.

A command is the words of its line, and the value at the place of its length: `(b"set", key, flags, exptime, value)`,
`(b"cas", key, flags, exptime, value, unique)`, `(b"get", key, …)`. A single word is a line as it is sent: one that
stores is answered before its value has come, so it is wrong. As the unique numbers of servers differ, the word
`last` is the one that this connection saw last for the key. Source: memcached's protocol.txt and memcached 1.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from loadgen.verify.model.failed import CommandError
from loadgen.verify.reply import Error, Reply, Status

LAST = b"last"
"""In the place of a unique number: the one that the connection saw last for the key; 0 where it saw none."""

_MOST_RELATIVE_S = 60 * 60 * 24 * 30
"""An exptime above this is a Unix time."""
_NS_PER_S = 1_000_000_000
_NUMBERS = 1 << 64

# As strtoull reads it: what follows a space or a NUL does not matter.
_NUMBER = re.compile(rb"\s*\+?(?=[0-9])0*+([0-9]{0,20})(?:[\s\0]|\Z)")

STORED, NOT_STORED, EXISTS = Status(b"STORED"), Status(b"NOT_STORED"), Status(b"EXISTS")
NOT_FOUND, DELETED, TOUCHED = Status(b"NOT_FOUND"), Status(b"DELETED"), Status(b"TOUCHED")

_BAD_FORMAT = CommandError(b"CLIENT_ERROR bad command line format")
_NOT_A_NUMBER = CommandError(b"CLIENT_ERROR cannot increment or decrement non-numeric value")
_BAD_DELTA = CommandError(b"CLIENT_ERROR invalid numeric delta argument")
_BAD_EXPTIME = CommandError(b"CLIENT_ERROR invalid exptime argument")
_TOO_LARGE = CommandError(b"SERVER_ERROR object too large for cache")

_LONGEST_KEY = 250
_LARGEST_ITEM = 1 << 20
_HEADER_BYTES, _FLAGS_BYTES = 59, 4
"""The bytes of an item beside its key and its value, and those of its flags unless these are 0."""


def number(text: bytes) -> int | None:
    """Return the number that incr and decr find in a value or a delta; None where there is none of 64 bits."""
    found = _NUMBER.match(text)
    value = _NUMBERS if found is None else int(found[1] or b"0")
    return value if value < _NUMBERS else None


@dataclass(frozen=True, slots=True)
class Item:
    """What a key holds."""

    flags: int
    value: bytes
    expires_ns: int | None
    """In Unix time; None: never."""
    unique: int


def _check_size(key: bytes, item: Item) -> None:
    if len(key) + len(item.value) + _HEADER_BYTES + (_FLAGS_BYTES if item.flags else 0) > _LARGEST_ITEM:
        raise _TOO_LARGE


class Model:
    """A memcache server."""

    def __init__(self) -> None:
        self._items: dict[bytes, Item] = {}
        self._unique = 0
        self._now_ns = 0
        self._seen: dict[tuple[int, bytes], int] = {}

    def ask(self, command: Sequence[bytes], now_ns: int, connection: int = 0) -> Reply:
        """Return the reply to a command that is carried out at a Unix time, on one of any number of connections.

        A retrieval is answered with an array of items: key, flags, value and, for gets and gats, the unique number.
        """
        self._now_ns = now_ns
        name, *args = [*command] if len(command) > 1 else command[0].split()
        line = _LINES.get(name)
        if line is None or not line.least <= len(args) <= line.most:
            return Error(b"ERROR")
        try:
            if any(len(key) > _LONGEST_KEY for key in args[line.keys]):
                raise _BAD_FORMAT
            if len(command) == 1 and line.least >= _WORDS_WITH_A_VALUE:
                raise _BAD_FORMAT
            if name == b"cas" and args[-1] == LAST:
                args[-1] = b"%d" % self._seen.get((connection, args[0]), 0)
            reply = _HANDLERS[name](self, args)
        except CommandError as error:
            return Error(error.text)
        if name in (b"gets", b"gats"):
            found = ((key, self._items[key]) for key in args if key in self._items)
            self._seen.update(((connection, key), item.unique) for key, item in found)
        return reply

    def _find(self, key: bytes) -> Item | None:
        found = self._items.get(key)
        if found is not None and found.expires_ns is not None and found.expires_ns <= self._now_ns:
            del self._items[key]
            return None
        return found

    def _put(self, key: bytes, item: Item) -> Reply:
        _check_size(key, item)
        self._unique += 1
        self._items[key] = replace(item, unique=self._unique)
        return STORED

    def _expires_ns(self, text: bytes) -> int | None:
        try:
            exptime = int(text)
        except ValueError:
            raise _BAD_FORMAT from None
        if exptime == 0:
            return None
        if exptime < 0:
            return 0
        return exptime * _NS_PER_S + (self._now_ns if exptime <= _MOST_RELATIVE_S else 0)

    def _given(self, args: Sequence[bytes]) -> tuple[bytes, Item, Item | None]:
        """Return the key, the item and the item so far of a command that stores."""
        key, flags, exptime, value = args[:4]
        if not flags.isdigit() or int(flags) >= 1 << 32:
            raise _BAD_FORMAT
        return key, Item(int(flags), value, self._expires_ns(exptime), 0), self._find(key)

    def _fitting(self, args: Sequence[bytes]) -> tuple[bytes, Item, Item | None]:
        """Return what `_given` does, of a value that is not too large for any item."""
        key, item, old = self._given(args)
        _check_size(key, item)
        return key, item, old

    def set(self, args: Sequence[bytes]) -> Reply:
        key, item, _ = self._given(args)
        # A value that is refused leaves no older one in its place.
        self._items.pop(key, None)
        return self._put(key, item)

    def add(self, args: Sequence[bytes]) -> Reply:
        key, item, old = self._fitting(args)
        return self._put(key, item) if old is None else NOT_STORED

    def replace(self, args: Sequence[bytes]) -> Reply:
        key, item, old = self._fitting(args)
        return self._put(key, item) if old is not None else NOT_STORED

    def append(self, args: Sequence[bytes]) -> Reply:
        # The flags and the exptime of these two are ignored.
        key, item, old = self._fitting(args)
        return NOT_STORED if old is None else self._put(key, replace(old, value=old.value + item.value))

    def prepend(self, args: Sequence[bytes]) -> Reply:
        key, item, old = self._fitting(args)
        return NOT_STORED if old is None else self._put(key, replace(old, value=item.value + old.value))

    def cas(self, args: Sequence[bytes]) -> Reply:
        key, item, old = self._fitting(args)
        if not args[4].isdigit():
            raise _BAD_FORMAT
        if old is None:
            return NOT_FOUND
        return self._put(key, item) if old.unique == int(args[4]) else EXISTS

    def get(self, args: Sequence[bytes]) -> Reply:
        found = ((key, self._find(key)) for key in args)
        return tuple((key, item.flags, item.value) for key, item in found if item is not None)

    def gets(self, args: Sequence[bytes]) -> Reply:
        found = ((key, self._find(key)) for key in args)
        return tuple((key, item.flags, item.value, item.unique) for key, item in found if item is not None)

    def gat(self, args: Sequence[bytes]) -> Reply:
        touched = ((key, self._touch(key, args[0])) for key in args[1:])
        return tuple((key, item.flags, item.value) for key, item in touched if item is not None)

    def gats(self, args: Sequence[bytes]) -> Reply:
        touched = ((key, self._touch(key, args[0])) for key in args[1:])
        return tuple((key, item.flags, item.value, item.unique) for key, item in touched if item is not None)

    def touch(self, args: Sequence[bytes]) -> Reply:
        return TOUCHED if self._touch(*args) is not None else NOT_FOUND

    def _touch(self, key: bytes, exptime: bytes) -> Item | None:
        """Give a key an exptime, and return what it holds. Its unique number stays."""
        if not re.match(rb"-?[0-9]+\Z", exptime):
            raise _BAD_EXPTIME
        item = self._find(key)
        if item is not None:
            self._items[key] = replace(item, expires_ns=self._expires_ns(exptime))
        return item

    def delete(self, args: Sequence[bytes]) -> Reply:
        if self._find(args[0]) is None:
            return NOT_FOUND
        del self._items[args[0]]
        return DELETED

    def flush_all(self, args: Sequence[bytes]) -> Reply:
        if args and not re.match(rb"-?[0-9]+\Z", args[0]):
            raise _BAD_EXPTIME
        self._items.clear()
        return Status(b"OK")

    def incr(self, args: Sequence[bytes]) -> Reply:
        return self._add(args, lambda value, delta: (value + delta) % _NUMBERS)

    def decr(self, args: Sequence[bytes]) -> Reply:
        return self._add(args, lambda value, delta: max(0, value - delta))

    def _add(self, args: Sequence[bytes], combined: Callable[[int, int], int]) -> Reply:
        key, amount = args
        delta = number(amount)
        if delta is None:
            raise _BAD_DELTA
        item = self._find(key)
        if item is None:
            return NOT_FOUND
        before = number(item.value)
        if before is None:
            raise _NOT_A_NUMBER
        value = combined(before, delta)
        # A number that has become shorter keeps its length, with spaces behind it.
        self._put(key, replace(item, value=(b"%d" % value).ljust(len(item.value))))
        return value


_HANDLERS: dict[bytes, Callable[[Model, Sequence[bytes]], Reply]] = {
    b"get": Model.get,
    b"gets": Model.gets,
    b"gat": Model.gat,
    b"gats": Model.gats,
    b"set": Model.set,
    b"add": Model.add,
    b"replace": Model.replace,
    b"append": Model.append,
    b"prepend": Model.prepend,
    b"cas": Model.cas,
    b"incr": Model.incr,
    b"decr": Model.decr,
    b"touch": Model.touch,
    b"delete": Model.delete,
    b"flush_all": Model.flush_all,
}


@dataclass(frozen=True, slots=True)
class _Line:
    """The words of a command after its name."""

    least: int
    most: int
    keys: slice
    """Those that are keys."""


_MANY = 1 << 20
_WORDS_WITH_A_VALUE = 4
_LINES = {
    **dict.fromkeys((b"get", b"gets"), _Line(1, _MANY, slice(None))),
    **dict.fromkeys((b"gat", b"gats"), _Line(1, _MANY, slice(1, None))),
    **dict.fromkeys((b"set", b"add", b"replace", b"append", b"prepend"), _Line(4, 4, slice(1))),
    b"cas": _Line(5, 5, slice(1)),
    **dict.fromkeys((b"incr", b"decr", b"touch"), _Line(2, 2, slice(1))),
    b"delete": _Line(1, 1, slice(1)),
    b"flush_all": _Line(0, 1, slice(0)),
}
