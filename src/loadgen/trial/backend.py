"""The backend of a stampede: a server that computes a value for each request, takes its time, and counts. In a thread.

A caller whose cache missed asks the backend before it sets the value. The backend's count is its own, and so holds the
callers' count of loads to account. It knows no key and no cache.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from loadgen.plan import Endpoint
from loadgen.units import NS_PER_S

HOST = "127.0.0.1"

LOAD_NS = 50_000_000
"""The time that the backend takes to compute a value."""

BACKLOG = 4_096
"""Connections that may wait to be accepted: every caller may miss at once."""

REQUEST, REPLY = b"?", b"!"


class Backend:
    """A running backend, from `with` until its end."""

    def __init__(self) -> None:
        self.served = 0
        """The requests until now."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="loadgen backend", daemon=True)
        self._is_up = threading.Event()
        self.endpoint = Endpoint(HOST, 0, HOST)

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_up.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(lambda: _Load(self), HOST, 0, backlog=BACKLOG))
        self.endpoint = Endpoint(HOST, server.sockets[0].getsockname()[1], HOST)
        self._is_up.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


class _Load(asyncio.Protocol):
    """One request: it is counted when it comes, and replied to when the value is computed."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._backend.served += len(data)
        asyncio.get_running_loop().call_later(LOAD_NS / NS_PER_S, self._reply)

    def _reply(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(REPLY)
            self._transport.close()
