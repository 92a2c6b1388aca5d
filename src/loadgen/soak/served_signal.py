"""The go/no-go signal, served over HTTP by a thread of its own: it answers while the leader hangs, and then says so."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable

from loadgen.errors import TargetError
from loadgen.soak.signal import Told, respond
from loadgen.web.conversation import Conversation
from loadgen.web.http import Request, Response

MOST_CONNECTIONS = 64
"""Connections at once; one more is closed."""

END_S = 5.0
"""The longest wait for the thread's end."""


class ServedSignal:
    """The server, listening from its making until `close`. `tell` may be called from any thread."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """Listen; port 0 takes a free one. Raises TargetError when nothing can listen there."""
        self._told: Told | None = None
        self._connections = 0
        self._listener = _listening(host, port)
        self.host, self.port = self._listener.getsockname()[:2]
        self._loop = asyncio.new_event_loop()
        self._serves = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="go/no-go", daemon=True)
        self._thread.start()
        self._serves.wait(END_S)

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def tell(self, told: Told) -> None:
        """Replace what is served."""
        self._told = told

    def close(self) -> None:
        """Stop listening, and end every connection."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_S)

    def _serve(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(self._connection, sock=self._listener))
        loop.call_soon(self._serves.set)
        try:
            loop.run_forever()
        finally:
            server.close()
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _connection(self) -> Conversation:
        return _Bounded(self._respond, self._counted)

    def _counted(self, change: int) -> bool:
        self._connections += change
        return self._connections <= MOST_CONNECTIONS

    def _respond(self, request: Request) -> Response:
        return respond(request, self._told, time.monotonic())


class _Bounded(Conversation):
    """A conversation that is counted, and closed at once where there are too many."""

    def __init__(self, respond: Callable[[Request], Response], counted: Callable[[int], bool]) -> None:
        super().__init__(respond)
        self._counted = counted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self._counted(+1):
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._counted(-1)
        super().connection_lost(error)


def _listening(host: str, port: int) -> socket.socket:
    listener = None
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(MOST_CONNECTIONS)
    except OSError as error:
        if listener is not None:
            listener.close()
        words = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
        raise TargetError(
            f"the go/no-go signal cannot be served at {host}:{port} ({words}); name another port."
        ) from None
    return listener
