"""pymemcache's HashClient with pooling: threads, several servers, its own selection (rendezvous) and failover.

Nodes are named by their numbers in the selection, not by their addresses: groups of callers that reach the nodes by
addresses of their own place a key on the same node, as callers do who reach the nodes by one address.

The adapter asks for no reply-less writes, so that a write is acknowledged. A server that failed three times is taken
out for `dead_timeout` seconds by pymemcache, and its keys go to the others. Within a second of a failure pymemcache
answers for a server that it has not asked: a miss to a get, and False to a write, which is an error here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pymemcache
from pymemcache import exceptions
from pymemcache.client.hash import HashClient
from pymemcache.client.rendezvous import RendezvousHash

from loadgen.trial.adapters.errors import NotAsked
from loadgen.trial.adapters.per_node import one_by_one
from loadgen.trial.observed import NodeState

ERRORS: Mapping[type[BaseException], str] = {
    exceptions.MemcacheUnexpectedCloseError: "lost",
    exceptions.MemcacheServerError: "server",
    exceptions.MemcacheClientError: "server",
    exceptions.MemcacheUnknownError: "protocol",
    NotAsked: "breaker_open",
}

_MOST = 2**31
"""The bound of pymemcache's pool where none is set."""


class _ByNumber(RendezvousHash):  # type: ignore[misc]
    """pymemcache's selection, with the numbers of the nodes as their names."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        super().__init__()
        self._numbers = numbers

    def get_node(self, key: str) -> str | None:
        return max(self.nodes, key=lambda node: self.hash_function(f"node {self._numbers[node]}-{key}"), default=None)


class Pymemcache:
    """An adapter (see `adapters`)."""

    version = f"pymemcache {pymemcache.__version__}"
    errors = ERRORS

    def __init__(self, nodes: Sequence[tuple[str, int]], timeout_s: float, pool_size: int = 0, **options: Any) -> None:
        self._numbers = {f"{host}:{port}": number for number, (host, port) in enumerate(nodes, 1)}
        self._client = HashClient(
            list(nodes),
            hasher=lambda: _ByNumber(self._numbers),
            use_pooling=True,
            max_pool_size=pool_size or None,
            timeout=timeout_s,
            connect_timeout=timeout_s,
            no_delay=True,
            default_noreply=False,
            **options,
        )

    def get(self, key: str) -> bytes | None:
        return self._client.get(key)  # type: ignore[no-any-return]

    def set(self, key: str, value: bytes, ttl_s: int) -> bool:
        if not self._client.set(key, value, expire=ttl_s):
            raise NotAsked("set returned False: pymemcache takes the server for dead")
        return True

    def delete(self, key: str) -> bool:
        return bool(self._client.delete(key))

    def increment(self, key: str, delta: int) -> int | None:
        answer = self._client.incr(key, delta)
        if answer is False:
            raise NotAsked("incr returned False: pymemcache takes the server for dead")
        return answer  # type: ignore[no-any-return]

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values. pymemcache asks one node after the other too, and does not say which of them failed."""
        by_node: dict[int, list[str]] = {}
        for key in keys:
            by_node.setdefault(self.node_of(key), []).append(key)
        asked = {node: partial(self._client.get_many, of_node) for node, of_node in by_node.items()}
        return {key: value for answer in one_by_one(asked) for key, value in answer.items()}

    def close(self) -> None:
        self._client.close()

    def node_of(self, key: str) -> int:
        """Return the node that pymemcache selects now; 0 when it takes every node for dead."""
        return self._numbers.get(self._client.hasher.get_node(key), 0)

    def error_class(self, error: BaseException) -> str | None:
        return "pool_exhausted" if isinstance(error, RuntimeError) and "Too many objects" in str(error) else None

    def stats(self) -> dict[int, NodeState]:
        return {self._numbers[name]: _state(client.client_pool) for name, client in self._client.clients.items()}


def _state(pool: Any) -> NodeState:
    # A client of the pool connects at its first request, so an idle one without a socket is no connection.
    while True:
        try:
            idle = sum(client.sock is not None for client in pool.free)
            active = len(pool.used)
        except RuntimeError:  # The pool's deque changed while it was copied.
            continue
        most = None if pool.max_size >= _MOST else pool.max_size
        return NodeState(total=idle + active, active=active, idle=idle, constructing=0, most=most)
