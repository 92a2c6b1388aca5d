"""A server on a port of a simulated host, as `loop.create_server` returns it."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections.abc import Callable
from typing import Any

from loadgen.verify.world.host import Host

ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class Listener(events.AbstractServer):
    """A server on a port of one host."""

    def __init__(self, loop: asyncio.AbstractEventLoop, factory: ProtocolFactory, host: Host, port: int) -> None:
        self._loop = loop
        self._factory = factory
        self._host = host
        self._port = port
        self._serving = False
        self._ended: asyncio.Future[None] | None = None

    def listen(self) -> None:
        """Begin to accept streams. Nothing happens where the server does so already. Raises OSError."""
        if self._serving:
            return
        if self._host.resident.is_listening(self._port):
            raise OSError(98, f"port {self._port} of {self._host.name} is in use")
        self._serving = True
        self._host.resident.listen(self._port, self._factory)

    @property
    def sockets(self) -> tuple[Any, ...]:
        return (_Bound(self._host.address, self._port),) if self._serving else ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def is_serving(self) -> bool:
        return self._serving

    async def start_serving(self) -> None:
        self.listen()

    async def serve_forever(self) -> None:
        self.listen()
        self._ended = self._loop.create_future()
        try:
            await self._ended
        finally:
            self.close()

    def close(self) -> None:
        if self._serving:
            self._serving = False
            self._host.resident.ignore(self._port)
            if self._ended is not None and not self._ended.done():
                self._ended.cancel()

    async def wait_closed(self) -> None:
        """Return at once: a simulated listener has nothing to wait for."""


class _Bound:
    """What stands for a listening socket: its address."""

    def __init__(self, address: str, port: int) -> None:
        self._name = (address, port)

    def getsockname(self) -> tuple[str, int]:
        return self._name

    def fileno(self) -> int:
        return -1
