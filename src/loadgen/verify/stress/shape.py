"""The shape of a load of a stress test: connections, the keys that all of them share, the size of values. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

_OVERHEAD_BYTES = 100
"""What servers keep for a key beside its own bytes and its value's: some 60 to 100 bytes in redis and memcached."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One load: every connection draws from all keys."""

    connections: int
    keys: int
    value_bytes: int

    @property
    def stored_bytes(self) -> int:
        """About what a server holds when every key is written."""
        return self.keys * (self.value_bytes + _OVERHEAD_BYTES)

    def __str__(self) -> str:
        return f"{_plural(self.connections, 'connection')} × {_plural(self.keys, 'key')} × {self.value_bytes:,} B"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def shapes(connections: Sequence[int], keys: Sequence[int], values_bytes: Sequence[int]) -> tuple[Shape, ...]:
    """Return a shape for each combination, in the order given, the size of values changing first."""
    return tuple(Shape(*each) for each in product(connections, keys, values_bytes))
