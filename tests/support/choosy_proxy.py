"""A proxy before a RESP server that closes the connection on commands it does not know, as old twemproxies do on PING.

with ChoosyProxy(server.port, {b"PING"}) as proxy:
    connect(proxy.host, proxy.port)
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Collection
from typing import Self

import hiredis
from plain_client import encoded
from real_servers import HOST


class ChoosyProxy:
    """Passes on what is asked and what is answered; `closed` counts the connections that it closed for a command."""

    def __init__(self, port: int, unknown: Collection[bytes]) -> None:
        self.closed = 0
        proxy, names = self, {word.upper() for word in unknown}

        class Conversation(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError), socket.create_connection((HOST, port)) as upstream:
                    threading.Thread(target=_pump, args=(upstream, self.request), daemon=True).start()
                    reader = hiredis.Reader()
                    while received := self.request.recv(65536):
                        reader.feed(received)
                        while (words := reader.gets()) is not False:
                            if words[0].upper() in names:
                                proxy.closed += 1
                                return
                            upstream.sendall(encoded(words))

        self._server = socketserver.ThreadingTCPServer((HOST, 0), Conversation)
        self._server.daemon_threads = True
        self.host, self.port = HOST, self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            sink.sendall(received)
        sink.shutdown(socket.SHUT_WR)
