"""The sockets of a client in an event loop.

A selector of the client's own watches its sockets, and the event loop watches the selector's descriptor. A request then
costs one `send` and one `recv`, and no callback of the loop for each socket. Works on any loop that has `add_reader`.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable
from typing import Any

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

CHUNK = 65_536
"""The most bytes of one read."""


class Stream:
    """One established connection."""

    __slots__ = ("_selector", "_socket", "_told", "_unsent")

    def __init__(self, made: socket.socket, selector: selectors.BaseSelector) -> None:
        self._socket = made
        self._selector = selector
        self._told: Any = None
        self._unsent = bytearray()

    def tell(self, received: Callable[[bytes], None], lost: Callable[[OSError | None], None]) -> None:
        """Begin to report: bytes to `received`, and the end of the connection, once, to `lost`."""
        self._told = (received, lost)
        self._selector.register(self._socket, READ, self)

    def write(self, data: bytes) -> None:
        """Send bytes now, or as soon as there is room for them. An error is found when the socket is read next."""
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._socket.send(data)
        except OSError:
            sent = 0
        if sent < len(data):
            self._unsent += memoryview(data)[sent:]
            self._selector.modify(self._socket, READ | WRITE, self)

    def on_ready(self, events: int) -> None:
        """Read what came, and send what had to wait."""
        if self._told is None:  # Closed by what happened to another socket a moment ago.
            return
        received, lost = self._told
        try:
            if events & WRITE:
                self._flush()
            if not events & READ:
                return
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            lost(error)
            return
        if data:
            received(data)
        else:
            lost(None)

    def abort(self) -> None:
        """Close the socket at once. Nothing is reported any more."""
        if self._told is not None:
            self._told = None
            self._selector.unregister(self._socket)
            self._socket.close()

    def _flush(self) -> None:
        del self._unsent[: self._socket.send(self._unsent)]
        if not self._unsent:
            self._selector.modify(self._socket, READ, self)


class Streams:
    """The streams of one client."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._selector = selectors.DefaultSelector()
        loop.add_reader(self._descriptor, self._on_ready)

    async def connect(self, host: str, port: int) -> Stream:
        """Return a stream to an address, the first of a name's addresses that accepts. Raises OSError."""
        refused: OSError = OSError("the name has no address")
        for family, _, _, _, address in await self._addresses(host, port):
            made = socket.socket(family, socket.SOCK_STREAM)
            try:
                made.setblocking(False)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await self._loop.sock_connect(made, address)
                return Stream(made, self._selector)
            except OSError as error:
                made.close()
                refused = error
            except BaseException:
                made.close()
                raise
        raise refused

    def close(self) -> None:
        """Watch nothing any more. Every stream is closed."""
        self._loop.remove_reader(self._descriptor)
        self._selector.close()

    async def _addresses(self, host: str, port: int) -> list[Any]:
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        try:
            # An address in numbers needs no resolver, which would take a thread.
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
        except socket.gaierror:
            return await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    @property
    def _descriptor(self) -> int:
        # Every selector but `select` and `poll`, which no supported system has as its default, has a descriptor.
        return int(self._selector.fileno())

    def _on_ready(self) -> None:
        for key, events in self._selector.select(0):
            key.data.on_ready(events)
