"""Small servers that misbehave as a script says: plain threads and sockets, on a free loopback port.

    with FaultyServer(polite(after=says(b"@garbage\\r\\n"), requests=10)) as server:
        ... load on server.port ...

A script is called with each connection's `Peer`, in a thread of its own; when it returns, the connection is closed.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

READ_TIMEOUT_S = 60.0
"""Nobody waits longer for a byte: a test that fails ends."""


class Peer:
    """One accepted connection; `number` counts them from 0."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection = connection
        self.number = number
        self.stream = connection.makefile("rb")

    def requests(self) -> Iterator[list[bytes]]:
        """The requests as they come, RESP or memcache text, each as its words; ends with the connection."""
        while line := self.stream.readline():
            words = line.split()
            if line.startswith(b"*"):
                words = []
                for _ in range(int(line[1:])):
                    length = int(self.stream.readline()[1:])
                    words.append(self.stream.read(length + 2)[:length])
            elif words and words[0] == b"set":
                words.append(self.stream.read(int(words[4]) + 2))
            yield words

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reset(self) -> None:
        """Has the connection end by RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Script = Callable[[Peer], None]


class FaultyServer:
    """Accepts connections from `__enter__` to `__exit__`. `accepted` is how many there have been."""

    def __init__(self, script: Script, *, host: str = "127.0.0.1") -> None:
        self.script = script
        self.accepted = 0
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self.listener.bind((host, 0))
        self.listener.listen(1024)
        self.port = int(self.listener.getsockname()[1])
        self.threads = [threading.Thread(target=self._accept)]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.settimeout(READ_TIMEOUT_S)
                with self.lock:
                    if self.stopping.is_set():
                        connection.close()
                        return
                    self.connections.add(connection)
                    thread = threading.Thread(target=self._serve, args=(connection, self.accepted))
                    self.accepted += 1
                    self.threads.append(thread)
                    thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        peer = Peer(connection, number)
        with contextlib.suppress(OSError, ValueError):
            self.script(peer)
        with self.lock:
            self.connections.discard(connection)
            with contextlib.suppress(OSError, ValueError):
                peer.stream.close()
            connection.close()

    def __enter__(self) -> Self:
        self.threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.lock:
            self.stopping.set()
            for connection in [self.listener, *self.connections]:
                # Wakes whoever is blocked in it.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.listener.close()


def good_reply(request: list[bytes]) -> bytes:
    """What an empty server answers: every GET misses, every SET stores."""
    match request[0]:
        case b"get":
            return b"END\r\n"
        case b"set":
            return b"STORED\r\n"
        case b"version":
            return b"VERSION 1\r\n"
        case b"PING":
            return b"+PONG\r\n"
        case b"GET":
            return b"$-1\r\n"
        case b"DEL":
            return b":0\r\n"
        case b"INFO":
            return b"$0\r\n\r\n"
        case b"HELLO":
            return b"%1\r\n$5\r\nproto\r\n:3\r\n"
        case _:
            return b"+OK\r\n"


def is_load(request: list[bytes]) -> bool:
    return request[0].upper() in (b"GET", b"SET")


def polite(*, after: Script | None = None, requests: int = 0) -> Script:
    """Answers well; with `after`, so many GETs and SETs on each connection, and then that script takes over."""

    def script(peer: Peer) -> None:
        answered = 0
        for request in peer.requests():
            if is_load(request):
                if after is not None and answered == requests:
                    after(peer)
                    return
                answered += 1
            peer.send(good_reply(request))

    return script


def never_answers(peer: Peer) -> None:
    """Reads and says nothing."""
    while peer.connection.recv(65536):
        pass


def never_reads(peer: Peer) -> None:
    """Leaves everything in the kernel's buffers, until the other side has gone or the server is stopped."""
    gone = select.poll()
    gone.register(peer.connection, getattr(select, "POLLRDHUP", 0))
    gone.poll(READ_TIMEOUT_S * 1000)


def says(data: bytes, then: Script = never_answers) -> Script:
    """Says this once, and goes on with another script."""

    def script(peer: Peer) -> None:
        peer.send(data)
        then(peer)

    return script


def closes(peer: Peer) -> None:
    """Ends the connection at once."""


def resets(peer: Peer) -> None:
    """Ends the connection at once, and rudely."""
    peer.reset()


def answers(words: bytes, to: bytes = b"") -> Script:
    """Answers requests beginning with `to` (any, unless given) with one reply, and others well."""

    def script(peer: Peer) -> None:
        for request in peer.requests():
            peer.send(words if request[0] == to or not to else good_reply(request))

    return script


def by_connection(*scripts: Script) -> Script:
    """The first connection gets the first script, and so on; the last one is for all others."""
    return lambda peer: scripts[min(peer.number, len(scripts) - 1)](peer)
