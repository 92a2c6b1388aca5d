"""aiomcache: asyncio, one client for each node behind our selection.

aiomcache has no deadlines of its own, so the adapter ends an operation at `timeout_s` by cancelling it, as its users do
with `asyncio.timeout`. aiomcache 0.8 reads for ever, without a wait, on a connection that has ended while the reply to
a set, a delete or an increment was awaited: the process then reports nothing more, and is ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import aiomcache
from aiomcache.exceptions import ClientException, ValidationException

from loadgen.trial.adapters.per_node import Selection, found, together
from loadgen.trial.observed import NodeState

ERRORS: Mapping[type[BaseException], str] = {ValidationException: "other", ClientException: "protocol"}
"""aiomcache raises ClientException for every reply that it did not expect."""

POOL_SIZE = 16


class Aiomcache:
    """An adapter (see `adapters`)."""

    version = f"aiomcache {version('aiomcache')}"
    errors = ERRORS

    def __init__(
        self, nodes: Sequence[tuple[str, int]], timeout_s: float, pool_size: int = POOL_SIZE, **options: Any
    ) -> None:
        self._timeout_s = timeout_s
        self._pool_size = pool_size
        self._selection = Selection(len(nodes))
        options.setdefault("pool_minsize", 1)
        self._clients = [aiomcache.Client(host, port, pool_size=pool_size, **options) for host, port in nodes]

    def _of(self, key: str) -> Any:
        return self._clients[self._selection.node_of(key) - 1]

    async def get(self, key: str) -> bytes | None:
        async with asyncio.timeout(self._timeout_s):
            return await self._of(key).get(key.encode())  # type: ignore[no-any-return]

    async def set(self, key: str, value: bytes, ttl_s: int) -> bool:
        async with asyncio.timeout(self._timeout_s):
            return await self._of(key).set(key.encode(), value, exptime=ttl_s)  # type: ignore[no-any-return]

    async def delete(self, key: str) -> bool:
        async with asyncio.timeout(self._timeout_s):
            return await self._of(key).delete(key.encode())  # type: ignore[no-any-return]

    async def increment(self, key: str, delta: int) -> int | None:
        async with asyncio.timeout(self._timeout_s):
            try:
                return await self._of(key).incr(key.encode(), delta)  # type: ignore[no-any-return]
            except ClientException as error:
                if "NOT_FOUND" in str(error):
                    return None
                raise

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        by_node = self._selection.by_node(keys)
        answers = await together({node: self._get_of_node(node, of_node) for node, of_node in by_node.items()})
        return {key: value for answer in answers for key, value in answer.items()}

    async def _get_of_node(self, node: int, keys: Sequence[str]) -> dict[str, bytes]:
        async with asyncio.timeout(self._timeout_s):
            return found(keys, await self._clients[node - 1].multi_get(*(key.encode() for key in keys)))

    async def close(self) -> None:
        for client in self._clients:
            await client.close()

    def node_of(self, key: str) -> int:
        return self._selection.node_of(key)

    def error_class(self, error: BaseException) -> str | None:
        """Return the class of an exception that has the reply in its text.

        An empty line is how aiomcache reads the end of a connection.
        """
        if not isinstance(error, ClientException):
            return None
        if str(error).endswith(("b''", "(b'')")):
            return "lost"
        return "server" if "_ERROR" in str(error) or "b'ERROR" in str(error) else None

    def stats(self) -> dict[int, NodeState]:
        return {number: _state(client._pool, self._pool_size) for number, client in enumerate(self._clients, 1)}


def _state(pool: Any, most: int) -> NodeState:
    idle, active = pool._pool.qsize(), len(pool._in_use)
    return NodeState(total=idle + active, active=active, idle=idle, constructing=0, most=most)
