"""redis-py and valkey-py, whose interfaces are the same: threads, one client for each node behind our selection.

Each client has a pool that makes callers wait (BlockingConnectionPool). The adapter asks for no retries, since
`timeout_s` is the deadline of an operation; `retries` sets another number.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from loadgen.trial.adapters.errors import root_class
from loadgen.trial.adapters.per_node import Selection, found, one_by_one
from loadgen.trial.observed import NodeState

POOL_SIZE = 16


class RedisLike:
    """An adapter (see `adapters`)."""

    version = ""

    def __init__(
        self,
        library: Any,
        nodes: Sequence[tuple[str, int]],
        timeout_s: float,
        pool_size: int = POOL_SIZE,
        retries: int = 0,
        **options: Any,
    ) -> None:
        self._exceptions = library.exceptions
        self.errors = _table(library.exceptions)
        backoff = importlib.import_module(f"{library.__name__}.backoff")
        retry = importlib.import_module(f"{library.__name__}.retry")
        self._selection = Selection(len(nodes))
        self._pools = [
            library.BlockingConnectionPool(
                host=host,
                port=port,
                max_connections=pool_size,
                timeout=timeout_s,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=retry.Retry(backoff.NoBackoff(), retries),
                **options,
            )
            for host, port in nodes
        ]
        make = getattr(library, "Redis", None) or library.Valkey
        self._clients = [make(connection_pool=pool) for pool in self._pools]
        self._pool_size = pool_size

    def _of(self, key: str) -> Any:
        return self._clients[self._selection.node_of(key) - 1]

    def get(self, key: str) -> bytes | None:
        return self._of(key).get(key)  # type: ignore[no-any-return]

    def set(self, key: str, value: bytes, ttl_s: int) -> bool:
        return bool(self._of(key).set(key, value, ex=ttl_s or None))

    def delete(self, key: str) -> bool:
        return bool(self._of(key).delete(key))

    def increment(self, key: str, delta: int) -> int:
        return self._of(key).incrby(key, delta)  # type: ignore[no-any-return]

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        by_node = self._selection.by_node(keys)
        asked = {node: partial(self._get_of_node, node, of_node) for node, of_node in by_node.items()}
        return {key: value for answer in one_by_one(asked) for key, value in answer.items()}

    def _get_of_node(self, node: int, keys: Sequence[str]) -> dict[str, bytes]:
        return found(keys, self._clients[node - 1].mget(keys))

    def close(self) -> None:
        for client, pool in zip(self._clients, self._pools, strict=True):
            client.close()
            pool.disconnect()

    def node_of(self, key: str) -> int:
        return self._selection.node_of(key)

    def error_class(self, error: BaseException) -> str | None:
        """Return the class of a ConnectionError, of which these libraries have one type for every cause."""
        if not isinstance(error, self._exceptions.ConnectionError):
            return None
        if "No connection available" in str(error) or "Too many connections" in str(error):
            return "pool_exhausted"
        if isinstance(error, self._exceptions.BusyLoadingError):
            return "server"
        return root_class(error) or "lost"

    def stats(self) -> dict[int, NodeState]:
        return {number: _state(pool, self._pool_size) for number, pool in enumerate(self._pools, 1)}


def _table(exceptions: Any) -> Mapping[type[BaseException], str]:
    return {
        exceptions.TimeoutError: "timeout",
        exceptions.ResponseError: "server",
        exceptions.InvalidResponse: "protocol",
    }


def _state(pool: Any, most: int) -> NodeState:
    # The pool keeps an object for each connection that it ever opened; one without a socket is no connection now.
    total = sum(connection._sock is not None for connection in list(pool._connections))
    idle = sum(connection is not None and connection._sock is not None for connection in list(pool.pool.queue))
    return NodeState(total=total, active=max(0, total - idle), idle=idle, constructing=0, most=most)


def redis_py(nodes: Sequence[tuple[str, int]], timeout_s: float, **options: Any) -> RedisLike:
    """Make redis-py's clients."""
    library = importlib.import_module("redis")
    adapter = RedisLike(library, nodes, timeout_s, **options)
    adapter.version = f"redis-py {library.__version__}"
    return adapter


def valkey_py(nodes: Sequence[tuple[str, int]], timeout_s: float, **options: Any) -> RedisLike:
    """Make valkey-py's clients."""
    library = importlib.import_module("valkey")
    adapter = RedisLike(library, nodes, timeout_s, **options)
    adapter.version = f"valkey-py {library.__version__}"
    return adapter
