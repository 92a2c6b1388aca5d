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


KB = 1024

SCENARIOS = {
    "connections": tuple(Shape(count, 100_000, KB) for count in (10, 100, 1000)),
    "keys": tuple(Shape(100, count, KB) for count in (1_000, 100_000, 1_000_000)),
    "hot_keys": tuple(Shape(100, count, KB) for count in (1, 10, 100)),
    "values": tuple(Shape(100, 1_000, size * KB) for size in (1, 10, 100)),
    "hot_large": (Shape(1000, 10, 100 * KB),),
}
"""By name, loads that belong together."""


def shapes(connections: Sequence[int], keys: Sequence[int], values_bytes: Sequence[int]) -> tuple[Shape, ...]:
    """Return a shape for each combination, in the order given, the size of values changing first."""
    return tuple(Shape(*each) for each in product(connections, keys, values_bytes))
