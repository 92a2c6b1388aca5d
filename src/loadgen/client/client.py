"""The operations of the client, each a request or a batch that the `_shell` carries out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self, TypeVar, Unpack

from loadgen.client import meta
from loadgen.client._key import checked
from loadgen.client._request import Request
from loadgen.client._shell import Shell
from loadgen.client.assembly import assembled
from loadgen.client.batch import Batch
from loadgen.client.breaker import Transition
from loadgen.client.errors import CacheError
from loadgen.client.meta import Item
from loadgen.client.options import Keywords, Options
from loadgen.client.results import Results
from loadgen.client.stats import Stats
from loadgen.client.version import Version

Key = str | bytes
AnyKey = TypeVar("AnyKey", str, bytes)
Value = bytes | bytearray | memoryview

LONGEST_TTL_S = 30 * 24 * 3600
"""memcached takes a greater number for a time of day since 1970."""

CLOSE_S = 1.0
"""The time that `close` grants the event loop, on a busy machine, after the last deadline has passed."""


class Client:
    """A memcache client over several nodes: a pool and a breaker for each, and a deadline on everything.

    A client belongs to the event loop in which it was first used. In a simulated world (docs/SIMULATE.md) it is made in
    the world's loop, and has the world's clock and streams. Operations raise the exceptions of
    `loadgen.client.errors`; a miss is None or False. docs/CLIENT.md is the guide.
    """

    def __init__(
        self,
        nodes: Sequence[tuple[str, int]],
        *,
        on_transition: Callable[[int, Transition], None] | None = None,
        **options: Unpack[Keywords],
    ) -> None:
        """Make a client of nodes, which are host and port. Nothing is connected before the first operation.

        `on_transition` is called with the index of a node (from 0) and each change of its breaker's state, after the
        change. The other keywords are the fields of `Options`. Raises ValueError where a value is out of range.
        """
        if not nodes:
            raise ValueError("a client needs at least one node")
        if len(set(nodes)) < len(nodes):
            raise ValueError("the same node is named twice")
        self.options = Options(**options)
        self._nodes = tuple(nodes)
        names = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in nodes]
        self._shell = Shell(
            partial(assembled, names, self.options), self._nodes, on_transition, gathers=self.options.pipeline > 1
        )
        self._core = self._shell.core
        self._begin = self._shell.begin
        self._protocol = self._core.protocol

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Operations.

    async def get(self, key: Key) -> bytes | None:
        """Return the value of a key, or None for a miss."""
        value: bytes | None = await self._ask(self._protocol.get(checked(key)))
        return value

    async def gets(self, key: Key) -> tuple[bytes, int] | None:
        """Return the value of a key and its CAS, which `cas` takes; None for a miss."""
        request = self._protocol.gets(checked(key))
        found: tuple[bytes, int] | None = await self._ask(request)
        return None if found is None else (found[0], Version.of(found[1], request.node))

    async def set(self, key: Key, value: Value, ttl_s: int = 0) -> None:
        """Store a value for `ttl_s` seconds; 0: until it is evicted."""
        await self._ask(self._storage("set", key, value, ttl_s))

    async def add(self, key: Key, value: Value, ttl_s: int = 0) -> bool:
        """Store a value if the key is not there; return True when it was stored."""
        return bool(await self._ask(self._storage("add", key, value, ttl_s)))

    async def replace(self, key: Key, value: Value, ttl_s: int = 0) -> bool:
        """Store a value if the key is there; return True when it was stored."""
        return bool(await self._ask(self._storage("replace", key, value, ttl_s)))

    async def append(self, key: Key, value: Value) -> bool:
        """Append to the value of a key; return False when the key is not there."""
        return bool(await self._ask(self._storage("append", key, value, 0)))

    async def prepend(self, key: Key, value: Value) -> bool:
        """Prepend to the value of a key; return False when the key is not there."""
        return bool(await self._ask(self._storage("prepend", key, value, 0)))

    async def cas(self, key: Key, value: Value, cas: int, ttl_s: int = 0) -> bool | None:
        """Store a value if the key's CAS is still `cas`.

        Returns True when it was stored, False when the item was changed since, None when the key is not there. The
        node that gave `cas` is asked, and no other, also with failover; of a plain number, the key's own node.
        """
        if cas < 0:
            raise ValueError(f"cas is {cas}: it must be a number that `gets` returned")
        request = self._storage("cas", key, value, ttl_s, cas)
        request.node = cas.node if isinstance(cas, Version) else self.node_of(key)
        request.stays = True
        stored: bool | None = await self._ask(request)
        return stored

    async def delete(self, key: Key) -> bool:
        """Delete a key; return False when it was not there."""
        return bool(await self._ask(self._protocol.delete(checked(key))))

    async def touch(self, key: Key, ttl_s: int) -> bool:
        """Give a key a new time to live; return False when it is not there."""
        return bool(await self._ask(self._protocol.touch(checked(key), _ttl(ttl_s))))

    async def increment(self, key: Key, delta: int = 1, initial: int | None = None, ttl_s: int = 0) -> int | None:
        """Add to the decimal number that a key holds, and return the sum.

        A negative `delta` subtracts, and memcached stops at 0. A key that is not there becomes `initial`, for `ttl_s`
        seconds; without `initial` the result is None.
        """
        if not -(1 << 64) < delta < 1 << 64 or not 0 <= (initial or 0) < 1 << 64:
            raise ValueError("delta and initial must fit in 64 bits, and initial must not be negative")
        count: int | None = await self._ask(self._protocol.increment(checked(key), delta, initial, _ttl(ttl_s)))
        return count

    async def meta_get(self, key: Key, *, vivify_s: int | None = None, recache_s: int | None = None) -> Item | None:
        """Return an item with its time to live, and with the right to compute it for one caller at a time.

        `vivify_s` makes an empty item of a miss, for so many seconds: the first caller has `won`, others find it
        `taken`. `recache_s` lets one caller win when fewer seconds are left to live. Needs memcached 1.6.
        """
        request = meta.meta_get(checked(key), *(None if time is None else _ttl(time) for time in (vivify_s, recache_s)))
        item: Item | None = await self._ask(request)
        return None if item is None else replace(item, cas=Version.of(item.cas, request.node))

    async def get_many(self, keys: Iterable[AnyKey]) -> Results[AnyKey, bytes]:
        """Return the values that were found, by key, and in `errors` the keys whose node failed.

        Raises no exception where a node fails. One request goes to each node.
        """
        named = {checked(key): key for key in keys}
        parts = self._split(named, self._protocol.get_many)
        found: list[tuple[AnyKey, bytes]] = []
        errors: dict[AnyKey, CacheError] = {}
        for about, reply in await self._ask_all(parts):
            if isinstance(reply, CacheError):
                errors |= {named[key]: reply for key in about}
            elif isinstance(reply, dict):
                found += [(named[key], value) for key, value in reply.items()]
            elif reply is not None:
                found.append((named[about[0]], reply))
        return Results(found, errors)

    async def set_many(self, values: Mapping[AnyKey, Value], ttl_s: int = 0) -> Results[AnyKey, bool]:
        """Store several values; return True for each key that was stored, and in `errors` the keys that failed."""
        ttl_s = _ttl(ttl_s)
        held = {checked(key): bytes(memoryview(value)) for key, value in values.items()}
        named = dict(zip(held, values, strict=True))
        parts = self._split(named, lambda part: self._protocol.set_many({key: held[key] for key in part}, ttl_s))
        return self._by_key(named, await self._ask_all(parts))

    async def delete_many(self, keys: Iterable[AnyKey]) -> Results[AnyKey, bool]:
        """Delete several keys; return for each whether it was there, and in `errors` the keys that failed."""
        named = {checked(key): key for key in keys}
        parts = self._split(named, self._protocol.delete_many)
        return self._by_key(named, await self._ask_all(parts))

    async def version(self, node: int = 0) -> str:
        """Return the version of a node, by its index."""
        version: str = await self._ask(self._protocol.version(), node)
        return version

    async def server_stats(self, node: int = 0, of: str = "") -> dict[str, str]:
        """Return a node's own statistics (`stats`), or a group of them such as `items`."""
        if of and not re.fullmatch(r"[a-z]+", of):
            raise ValueError(f"of is {of!r}: it must be the name of a group of statistics, such as items")
        found: dict[str, str] = await self._ask(self._protocol.stats(of.encode()), node)
        return found

    async def close(self) -> None:
        """Close the client: refuse new operations, let those under way end by their deadlines, close all connections.

        May be called any number of times.
        """
        self._shell.close()
        if self._shell.all_gone is not None:
            # Every operation under way ends by its deadline; sockets are closed without waiting for the other side.
            ends = [self._shell.all_gone, *self._shell.lookups]
            await asyncio.wait(ends, timeout=self.options.timeout_s + CLOSE_S)
            self._shell.end()

    # What is known without a request.

    def stats(self) -> Stats:
        """Return the statistics of every node now. No request is sent."""
        return self._core.stats(self._shell.now())

    def node_of(self, key: Key) -> int:
        """Return the index of the node that a key belongs to, from 0. Raises BadKey."""
        return self._core.selector.owner(checked(key))

    # Calls.

    def _storage(self, verb: str, key: Key, value: Value, ttl_s: int, cas: int = 0) -> Request:
        held = value if type(value) is bytes else bytes(memoryview(value))
        return self._protocol.store(verb, checked(key), held, _ttl(ttl_s), cas)

    async def _ask(self, request: Request, node: int = 0) -> Any:
        """Carry one request out: return its reply, or raise its error."""
        if request.key is None:
            if not 0 <= node < len(self._nodes):
                raise ValueError(f"node is {node}: the client has nodes 0 to {len(self._nodes) - 1}")
            request.node = node
        future = self._begin(request)
        try:
            await future
        except asyncio.CancelledError:
            self._shell.cancel(request)
            raise
        if request.error is not None:
            raise request.error
        return request.reply

    async def _ask_all(self, parts: Sequence[Request]) -> Iterable[tuple[Sequence[bytes], Any]]:
        """Carry out the parts of a batch: return each reply, or an exception in its place, with its keys."""
        batch = Batch(parts)
        if parts:
            future = self._begin(batch)
            try:
                await future
            except asyncio.CancelledError:
                self._shell.cancel(batch)
                raise
        return batch.replies()

    def _split(self, keys: Iterable[bytes], make: Callable[[list[bytes]], Request]) -> list[Request]:
        """Return a request for each node that any of the keys belongs to."""
        now_ns = self._shell.now()
        parts: dict[int, list[bytes]] = {}
        for key in keys:
            parts.setdefault(self._core.node_of(key, now_ns), []).append(key)
        requests = []
        for node, part in parts.items():
            request = make(part)
            request.node = node
            requests.append(request)
        return requests

    @staticmethod
    def _by_key(named: Mapping[bytes, AnyKey], replies: Iterable[tuple[Sequence[bytes], Any]]) -> Results[AnyKey, bool]:
        done: list[tuple[AnyKey, bool]] = []
        errors: dict[AnyKey, CacheError] = {}
        for about, reply in replies:
            if isinstance(reply, CacheError):
                errors |= {named[key]: reply for key in about}
            else:
                done.append((named[about[0]], bool(reply)))
        return Results(done, errors)


def _ttl(ttl_s: int) -> int:
    if not 0 <= ttl_s <= LONGEST_TTL_S:
        raise ValueError(
            f"ttl_s is {ttl_s}: it must be between 0, which never expires, and {LONGEST_TTL_S:,} (30 days)"
        )
    return int(ttl_s)
