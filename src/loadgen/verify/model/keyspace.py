"""Keys, their values and their times to live, at a time that is told.

A key whose time has come is absent for every command, whenever a server removes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from loadgen.verify.model.failed import WRONG_TYPE

V = TypeVar("V")


@dataclass(slots=True)
class Entry:
    """The value of a key, and when it expires."""

    value: object
    expires_ms: int | None = None
    """In Unix time; None: never."""


class Keyspace:
    """The keys of one database. A command sees it at `now_ms`, the Unix time of the server's clock."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._entries: dict[bytes, Entry] = {}
        self._versions: dict[bytes, int] = {}

    def entry(self, key: bytes) -> Entry | None:
        """Return the entry of a key that has not expired."""
        found = self._entries.get(key)
        if found is not None and found.expires_ms is not None and found.expires_ms <= self.now_ms:
            self.remove(key)
            return None
        return found

    def get(self, key: bytes, kind: type[V]) -> V | None:
        """Return the value of a key; None when the key is absent. Raises WRONG_TYPE when the value is another kind."""
        found = self.entry(key)
        if found is None:
            return None
        if not isinstance(found.value, kind):
            raise WRONG_TYPE
        return found.value

    def get_or_make(self, key: bytes, kind: type[V]) -> V:
        """Return the value of a key, which is made empty where it is absent. Raises WRONG_TYPE."""
        found = self.get(key, kind)
        if found is None:
            found = kind()
            self._entries[key] = Entry(found)
        return found

    def put(self, key: bytes, value: object, expires_ms: int | None = None) -> None:
        """Give a key a value, and with it a time to live or none."""
        self._entries[key] = Entry(value, expires_ms)
        self.touch(key)

    def update(self, key: bytes, value: object) -> None:
        """Give a key another value, which keeps the time to live."""
        found = self.entry(key)
        self.put(key, value, found.expires_ms if found is not None else None)

    def remove(self, key: bytes) -> bool:
        """Remove a key; True when it was there."""
        found = self._entries.pop(key, None)
        if found is not None:
            self.touch(key)
        return found is not None

    def touch(self, key: bytes) -> None:
        """Note that a key has changed, for those who watch it."""
        self._versions[key] = self._versions.get(key, 0) + 1

    def changed(self, key: bytes) -> None:
        """Note that the value of a key was changed in place; a collection that is empty then is removed."""
        if not self._entries[key].value:
            del self._entries[key]
        self.touch(key)

    def version(self, key: bytes) -> int:
        """Return how often a key has changed."""
        self.entry(key)
        return self._versions.get(key, 0)

    def listed(self) -> Iterator[bytes]:
        """Return the keys that have not expired, in the order in which they came."""
        return iter([key for key in [*self._entries] if self.entry(key) is not None])

    def clear(self) -> None:
        for key in [*self._entries]:
            self.remove(key)
