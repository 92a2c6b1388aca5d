"""The node that a key belongs to: jump hash, ketama and rendezvous. Pure functions of the key and the list of nodes.

Each selector gives a key an order of preference over all nodes. The first node of the order is the key's owner. With
failover, a key whose owner is not available goes to the next node of its order, and the keys of other nodes stay.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from hashlib import blake2b, md5
from typing import Protocol

_MASK = (1 << 64) - 1


class Selector(Protocol):
    """Maps keys to nodes. Nodes are numbered from 0 in the client's order."""

    def owner(self, key: bytes) -> int:
        """Return the node that the key belongs to."""

    def order(self, key: bytes) -> Sequence[int]:
        """Return every node, the owner first, in the order in which the key prefers them."""


def hash64(key: bytes) -> int:
    """Return 64 well-mixed bits of a key: BLAKE2b (RFC 7693) with a digest of 8 bytes."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "little")


def mix64(number: int) -> int:
    """Return a number's 64 bits mixed: the finalizer of SplitMix64 (Steele, Lea, Flood 2014), a bijection."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def jump(number: int, buckets: int) -> int:
    """Return the bucket of a 64-bit number: jump consistent hash (Lamping, Veach 2014)."""
    bucket, following = -1, 0
    while following < buckets:
        bucket = following
        number = (number * 2862933555777941757 + 1) & _MASK
        following = int((bucket + 1) * ((1 << 31) / ((number >> 33) + 1)))
    return bucket


class Jump:
    """Jump consistent hash over the number of nodes. A node's name has no part in it: only append to the list."""

    def __init__(self, names: Sequence[str]) -> None:
        self._count = len(names)

    def owner(self, key: bytes) -> int:
        return jump(hash64(key), self._count)

    def order(self, key: bytes) -> Sequence[int]:
        """Jump among all nodes, then again among those that are left, with the key's bits mixed once more."""
        left, order, number = list(range(self._count)), [], hash64(key)
        while left:
            order.append(left.pop(jump(number, len(left))))
            number = mix64(number)
        return order


class Ketama:
    """Ketama in libmemcached's variant without weights, as `loadgen run` spreads keys (`engine._ketama`).

    Each node has 160 points on a circle of 2**32, four from every MD5 digest of `host:port-n`. A key belongs to the
    first point at or after the first four bytes of its own MD5.
    """

    def __init__(self, names: Sequence[str]) -> None:
        points = sorted(
            (int.from_bytes(digest[4 * part : 4 * part + 4], "little"), node)
            for node, name in enumerate(names)
            for digest in (md5(f"{name}-{n}".encode(), usedforsecurity=False).digest() for n in range(40))
            for part in range(4)
        )
        self._count = len(names)
        self._at = [at for at, _ in points]
        self._nodes = [node for _, node in points]

    def _place(self, key: bytes) -> int:
        at = int.from_bytes(md5(key, usedforsecurity=False).digest()[:4], "little")
        return bisect_left(self._at, at) % len(self._at)

    def owner(self, key: bytes) -> int:
        return self._nodes[self._place(key)]

    def order(self, key: bytes) -> Sequence[int]:
        """The order in which the circle, followed from the key on, comes to a first point of each node."""
        place = self._place(key)
        return tuple(dict.fromkeys(self._nodes[place:] + self._nodes[:place]))


class Rendezvous:
    """Rendezvous hashing (Thaler, Ravishankar 1998): a key prefers the node with the highest score of the pair."""

    def __init__(self, names: Sequence[str]) -> None:
        self._seeds = [hash64(name.encode()) for name in names]

    def owner(self, key: bytes) -> int:
        number = hash64(key)
        scores = [mix64(number ^ seed) for seed in self._seeds]
        return scores.index(max(scores))

    def order(self, key: bytes) -> Sequence[int]:
        number = hash64(key)
        scores = [mix64(number ^ seed) for seed in self._seeds]
        return sorted(range(len(scores)), key=scores.__getitem__, reverse=True)


class Single:
    """The one node that there is."""

    def owner(self, key: bytes) -> int:
        return 0

    def order(self, key: bytes) -> Sequence[int]:
        return (0,)


SELECTORS: dict[str, Callable[[Sequence[str]], Selector]] = {"jump": Jump, "ketama": Ketama, "rendezvous": Rendezvous}
"""By the name in the options."""


def selector(name: str, nodes: Sequence[str]) -> Selector:
    """Return the selector with a name of `SELECTORS` over nodes, which are named `host:port`."""
    return SELECTORS[name](nodes) if len(nodes) > 1 else Single()
