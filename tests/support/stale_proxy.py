"""A proxy before a redis that answers some GETs with the value before the present one: a mutant that no counter shows.

    with StaleProxy(redis.port, 500) as proxy:
        ... load on proxy.port ...; proxy.stale is how many answers were old

It runs on an event loop in a thread of its own, and takes whole commands and replies apart with hiredis.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from types import TracebackType
from typing import Any, Self

import hiredis
import uvloop


class StaleProxy:
    """Listens from `__enter__` to `__exit__`."""

    def __init__(self, server_port: int, every: int) -> None:
        """Of GETs whose key has been written twice, one of `every` gets the old value; none where it is 0."""
        self.server_port = server_port
        self.every = every
        self.port = 0
        self.gets = self.stale = 0
        self.values: dict[bytes, tuple[bytes | None, bytes]] = {}
        """By key, the value before the present one, and the present one."""

    def __enter__(self) -> Self:
        self._loop = uvloop.new_event_loop()
        listening = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,))
        self._thread.start()
        assert listening.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, listening: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(lambda: _Client(self), "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def written(self, key: bytes, value: bytes) -> None:
        """A SET of a key was acknowledged."""
        self.values[key] = (self.values.get(key, (None, b""))[1] or None, value)

    def answer(self, key: bytes, reply: bytes | None) -> bytes | None:
        """Return what a GET is answered with."""
        old = self.values.get(key, (None, b""))[0]
        if old is None or reply is None:
            return reply
        self.gets += 1
        if not self.every or self.gets % self.every:
            return reply
        self.stale += 1
        return old


class _Client(asyncio.Protocol):
    """A connection of the load."""

    def __init__(self, proxy: StaleProxy) -> None:
        self.proxy = proxy
        self.requests = hiredis.Reader()
        self.waiting: deque[tuple[bytes, ...]] = deque()
        self.early: list[bytes] | None = []
        """What came before the server's connection was there."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.opening = asyncio.ensure_future(self.open())

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.server, _ = await loop.create_connection(lambda: _Server(self), "127.0.0.1", self.proxy.server_port)
        early, self.early = self.early or [], None
        for data in early:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self.early is not None:
            self.early.append(data)
            return
        self.requests.feed(data)
        while (request := self.requests.gets()) is not False:
            self.waiting.append(tuple(request))
        self.server.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.early is None:
            self.server.close()

    def replied(self, reply: Any) -> bytes:
        """Return the bytes of a reply to the oldest request."""
        name, *arguments = self.waiting.popleft()
        if name.upper() == b"SET":
            self.proxy.written(arguments[0], arguments[1])
        elif name.upper() == b"GET":
            value = self.proxy.answer(arguments[0], reply)
            return b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value)
        return b"+%b\r\n" % reply if isinstance(reply, bytes) else b":%d\r\n" % reply


class _Server(asyncio.Protocol):
    """The connection to the server that belongs to one of the load."""

    def __init__(self, client: _Client) -> None:
        self.client = client
        self.replies = hiredis.Reader()

    def data_received(self, data: bytes) -> None:
        self.replies.feed(data)
        answers = []
        while (reply := self.replies.gets()) is not False:
            answers.append(self.client.replied(reply))
        self.client.transport.write(b"".join(answers))

    def connection_lost(self, exc: Exception | None) -> None:
        self.client.transport.close()
