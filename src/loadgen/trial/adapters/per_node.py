"""Several clients of one server each, behind a selection of ours: for libraries that speak to one server only.

The node of a key is the one with the highest score for the key (rendezvous hashing, Thaler and Ravishankar, 1998). It
is a function of the key and the number of nodes alone: the keys of a node that is down fail.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from loadgen.trial.adapters.errors import PartlyFailed

Result = TypeVar("Result")


class Selection:
    """The choice of a node by key."""

    def __init__(self, nodes: int) -> None:
        self._seeds = [zlib.crc32(b"node %d" % number) for number in range(1, nodes + 1)]

    def node_of(self, key: str) -> int:
        """Return the number of the key's node, from 1."""
        if len(self._seeds) == 1:
            return 1
        encoded = key.encode()
        scores = [_mixed(zlib.crc32(encoded, seed)) for seed in self._seeds]
        return scores.index(max(scores)) + 1

    def by_node(self, keys: Iterable[str]) -> dict[int, list[str]]:
        """Return the keys of each node that has any."""
        found: dict[int, list[str]] = {}
        for key in keys:
            found.setdefault(self.node_of(key), []).append(key)
        return found


def _mixed(number: int) -> int:
    """Mix the bits of a CRC, which is linear: without this the scores of two nodes would differ by a constant."""
    number = (number ^ (number >> 16)) * 0x85EB_CA6B & 0xFFFF_FFFF
    number = (number ^ (number >> 13)) * 0xC2B2_AE35 & 0xFFFF_FFFF
    return number ^ (number >> 16)


def found(keys: Sequence[str], values: Sequence[bytes | None]) -> dict[str, bytes]:
    """Return the keys that have a value, with it, of a reply that lists values in the order of the keys."""
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None}


async def together(asked: Mapping[int, Awaitable[Result]]) -> list[Result]:
    """Return the results of requests to several nodes, by node, that are made at the same time.

    Raises PartlyFailed when a node failed, after all have ended.
    """
    ends = await asyncio.gather(*asked.values(), return_exceptions=True)
    errors = {node: end if isinstance(end, BaseException) else None for node, end in zip(asked, ends, strict=True)}
    if any(errors.values()):
        raise PartlyFailed(errors)
    return [end for end in ends if not isinstance(end, BaseException)]


def one_by_one(asked: Mapping[int, Callable[[], Result]]) -> list[Result]:
    """Return the results of requests to several nodes, by node, each made when the one before has ended.

    Raises PartlyFailed when a node failed; the nodes after it are not asked.
    """
    results: list[Result] = []
    answered: dict[int, BaseException | None] = {}
    for node, ask in asked.items():
        try:
            results.append(ask())
        except Exception as error:
            raise PartlyFailed({**answered, node: error}) from error
        answered[node] = None
    return results
