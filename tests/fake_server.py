"""A RESP server of a few lines, for what no real one shows: when requests came, and in which bytes.

    with FakeServer(serve) as port: ...

`serve` is called with a Peer, in a thread of its own for each connection; what it raises, the end of the `with` raises.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from real_servers import HOST

# The longest that any test waits for bytes; those that should come come in microseconds.
PATIENCE_S = 20.0

ANSWERS = {b"PING": b"+PONG\r\n", b"GET": b"$-1\r\n", b"SET": b"+OK\r\n", b"DEL": b":0\r\n"}

# Of Linux's struct tcp_info: segments with data that were received. Its own sockets send one for each write.
DATA_SEGMENTS_AT = 152


class Closed(Exception):
    """The generator closed the connection."""


class Peer:
    """One accepted connection: its requests, in order."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        self.number = number
        """How many connections were accepted before it."""
        self.requests: list[list[bytes]] = []
        """All that have come, each a list of its words."""
        self.received = 0
        self._buffer = bytearray()

    def wait_for(self, count: int) -> None:
        """Reads until so many requests have come in all. Raises Closed when there will be no more."""
        while len(self.requests) < count:
            self.read()

    def read(self) -> None:
        data = self.connection.recv(1 << 20)
        if not data:
            raise Closed
        self.received += len(data)
        self._buffer += data
        while (request := self._parse()) is not None:
            self.requests.append(request)

    def _parse(self) -> list[bytes] | None:
        """Takes one whole request off the buffer."""
        words, at = [], self._buffer.find(b"\r\n") + 2
        if at < 2:
            return None
        for _ in range(int(self._buffer[1 : at - 2])):
            end = self._buffer.find(b"\r\n", at)
            if end < 0:
                return None
            length = int(self._buffer[at + 1 : end])
            at = end + 2 + length + 2
            if at > len(self._buffer):
                return None
            words.append(bytes(self._buffer[end + 2 : end + 2 + length]))
        del self._buffer[:at]
        return words

    def answer(self, number: int) -> None:
        self.connection.sendall(ANSWERS[self.requests[number][0]])

    def answer_all(self, first: int = 0) -> None:
        """Answers everything, from request `first` on, until the generator closes."""
        with contextlib.suppress(Closed):
            while True:
                self.wait_for(first + 1)
                self.connection.sendall(b"".join(ANSWERS[request[0]] for request in self.requests[first:]))
                first = len(self.requests)

    def data_segments(self) -> int:
        """Writes that have come from the other side, as long as each fits a segment."""
        information = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int(struct.unpack_from("=I", information, DATA_SEGMENTS_AT)[0])


class FakeServer:
    """Listens on a free port for as long as the `with` lasts."""

    def __init__(self, serve: Callable[[Peer], None] = Peer.answer_all) -> None:
        self._serve = serve
        self._listener = socket.create_server((HOST, 0))
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self.peers: list[Peer] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(PATIENCE_S)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer = Peer(connection, len(self.peers))
                self.peers.append(peer)
                thread = threading.Thread(target=self._run, args=(peer,))
                thread.start()
                self._threads.append(thread)

    def _run(self, peer: Peer) -> None:
        try:
            with peer.connection:
                self._serve(peer)
        except BaseException as error:
            self._errors.append(error)

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closing alone would not wake the accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
