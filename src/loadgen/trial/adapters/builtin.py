"""The client of loadgen itself (`loadgen.client`): asyncio, several nodes, a pool and a breaker for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from loadgen.client import CacheError, Client, Transition
from loadgen.client.stats import NodeStats
from loadgen.trial.adapters.errors import PartlyFailed
from loadgen.trial.observed import NodeState
from loadgen.version import __version__


class Builtin:
    """An adapter (see `adapters`). Its options are those of `loadgen.client.Options`."""

    version = f"loadgen {__version__}"

    def __init__(self, nodes: Sequence[tuple[str, int]], timeout_s: float, **options: Any) -> None:
        self._tell: Callable[[int, str, str], None] | None = None
        self._client = Client(nodes, on_transition=self._changed, timeout_s=timeout_s, **options)

    async def get(self, key: str) -> bytes | None:
        return await self._client.get(key)

    async def set(self, key: str, value: bytes, ttl_s: int) -> None:
        await self._client.set(key, value, ttl_s)

    async def delete(self, key: str) -> bool:
        return await self._client.delete(key)

    async def increment(self, key: str, delta: int) -> int | None:
        return await self._client.increment(key, delta)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values. Raises PartlyFailed when a node failed, though the client has the others' values."""
        results = await self._client.get_many(keys)
        if results.errors:
            ends: dict[int, BaseException | None] = dict.fromkeys(map(self.node_of, keys))
            raise PartlyFailed(ends | {self.node_of(key): error for key, error in results.errors.items()})
        return results

    async def get_or_win(self, key: str, ttl_s: int) -> tuple[bytes | None, bool]:
        """Return the value; of a miss, whether this caller has won the right to compute it. For memcached 1.6."""
        item = await self._client.meta_get(key, vivify_s=ttl_s)
        if item is None:
            return None, True
        return item.value or None, item.won

    async def close(self) -> None:
        await self._client.close()

    def node_of(self, key: str) -> int:
        return self._client.node_of(key) + 1

    def error_class(self, error: BaseException) -> str | None:
        return error.failure if isinstance(error, CacheError) else None

    def on_transition(self, call: Callable[[int, str, str], None]) -> None:
        self._tell = call

    def _changed(self, node: int, transition: Transition) -> None:
        if self._tell is not None:
            self._tell(node + 1, _word(transition.before), _word(transition.after))

    def stats(self) -> dict[int, NodeState]:
        return {number: _state(node) for number, node in enumerate(self._client.stats().nodes, 1)}


def _state(node: NodeStats) -> NodeState:
    pool = node.pool
    return NodeState(
        breaker=None if node.breaker is None else _word(node.breaker),
        consecutive_failures=None if node.counts is None else node.counts.consecutive_failures,
        total=pool.total,
        constructing=pool.constructing,
        active=pool.active,
        idle=pool.idle,
        waiting=pool.waiting,
        most=pool.max_size,
        opened=pool.opened,
        closed=pool.closed,
        failed_dials=pool.failed_dials,
        abandoned=node.abandoned,
    )


def _word(state: object) -> str:
    """Return a state in the spelling of `observed.Transition`."""
    return str(state).replace("_", "-")
