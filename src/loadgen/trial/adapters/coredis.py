"""coredis: asyncio, one client for each node behind our selection.

A client of coredis is an asynchronous context that must be entered before the tasks that use the client begin: `open`.
The adapter asks for no retries, since `timeout_s` is the deadline of an operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import coredis
from coredis import exceptions
from coredis.retry import NoRetryPolicy

from loadgen.trial.adapters.errors import root_class
from loadgen.trial.adapters.per_node import Selection, found, together
from loadgen.trial.observed import NodeState

ERRORS: Mapping[type[BaseException], str] = {
    exceptions.BusyLoadingError: "server",
    exceptions.ProtocolError: "protocol",
    exceptions.InvalidResponse: "protocol",
    exceptions.ResponseError: "server",
}

POOL_SIZE = 16


class Coredis:
    """An adapter (see `adapters`)."""

    version = f"coredis {coredis.__version__}"
    errors = ERRORS

    def __init__(
        self, nodes: Sequence[tuple[str, int]], timeout_s: float, pool_size: int = POOL_SIZE, **options: Any
    ) -> None:
        self._selection = Selection(len(nodes))
        self._pool_size = pool_size
        self._clients = [
            coredis.Redis(
                host=host,
                port=port,
                stream_timeout=timeout_s,
                connect_timeout=timeout_s,
                pool_timeout=timeout_s,
                max_connections=pool_size,
                retry_policy=NoRetryPolicy(),
                **options,
            )
            for host, port in nodes
        ]
        self._entered = AsyncExitStack()

    async def open(self) -> None:
        for client in self._clients:
            await self._entered.enter_async_context(client)

    def _of(self, key: str) -> Any:
        return self._clients[self._selection.node_of(key) - 1]

    async def get(self, key: str) -> bytes | None:
        return await self._of(key).get(key)  # type: ignore[no-any-return]

    async def set(self, key: str, value: bytes, ttl_s: int) -> bool:
        return bool(await self._of(key).set(key, value, ex=ttl_s or None))

    async def delete(self, key: str) -> bool:
        return bool(await self._of(key).delete([key]))

    async def increment(self, key: str, delta: int) -> int:
        return await self._of(key).incrby(key, delta)  # type: ignore[no-any-return]

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        by_node = self._selection.by_node(keys)
        answers = await together({node: self._clients[node - 1].mget(of_node) for node, of_node in by_node.items()})
        return {
            key: value
            for of_node, values in zip(by_node.values(), answers, strict=True)
            for key, value in found(of_node, values).items()
        }

    async def close(self) -> None:
        await self._entered.aclose()

    def node_of(self, key: str) -> int:
        return self._selection.node_of(key)

    def error_class(self, error: BaseException) -> str | None:
        if isinstance(error, exceptions.ConnectionError) and type(error) not in ERRORS:
            return root_class(error) or "lost"
        return None

    def stats(self) -> dict[int, NodeState]:
        return {number: self._state(client) for number, client in enumerate(self._clients, 1)}

    def _state(self, client: Any) -> NodeState:
        counted = client.connection_pool.statistics
        total, active = counted.active_connections, counted.in_use_connections
        return NodeState(total=total, active=active, idle=max(0, total - active), constructing=0, most=self._pool_size)
