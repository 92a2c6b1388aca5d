"""Ways to talk to the built-in server: a connection without an event loop, and bytes over real sockets."""

from __future__ import annotations

import resource
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from loadgen.server._connection import Service
from loadgen.server._faults import Faults
from loadgen.server._store import Store
from loadgen.server_plan import builtin
from loadgen.target.server import ManagedServer

HOST = "127.0.0.1"


def built_in(
    protocol: str = "resp",
    *,
    max_memory_bytes: int | None = None,
    eviction: str | None = None,
    options: Sequence[str] = (),
) -> ManagedServer:
    """The built-in server in a process of its own; memory and eviction are the server's own defaults unless given."""
    limits = {"--max-memory": max_memory_bytes, "--eviction": eviction}
    words = [word for option, value in limits.items() if value is not None for word in (option, str(value))]
    plan = builtin(protocol, *words, *options)
    # One that answers nothing is there when it listens.
    return ManagedServer(
        replace(plan, target=replace(plan.target, precheck="none")) if "--blackhole" in options else plan
    )


class Transport:
    """What the event loop would give a connection, without the loop: what is written to it waits in `waiting`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.waiting: list[bytes] = []
        self.reading = True
        self.closed = False
        self.most_waiting = 0

    def get_extra_info(self, name: str) -> Any:
        return {"socket": self.sock, "peername": ("127.0.0.1", 1)}[name]

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0

    def write(self, data: Any) -> None:
        assert not self.closed
        self.waiting.append(bytes(data))
        self.most_waiting = max(self.most_waiting, sum(map(len, self.waiting)))
        self.protocol.pause_writing()

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        self.closed = True

    abort = close


class Wire:
    """One connection of a server that has no event loop: `feed` is exactly one read of the server's."""

    def __init__(
        self,
        connection_type: type[Any],
        *,
        max_memory_bytes: int = 64 << 20,
        max_item_bytes: int = 1 << 20,
        faults: Faults | None = None,
    ) -> None:
        self.store = Store(max_memory_bytes)
        self.stopped = 0
        self.service = Service(self.store, max_item_bytes, "test", self._stop, faults)
        with socket.create_server((HOST, 0)) as listener:
            self.peer = socket.create_connection(listener.getsockname())
            self.sock, _ = listener.accept()
        self.sock.setblocking(False)
        self.peer.settimeout(10)
        self.transport = Transport(self.sock)
        self.connection = connection_type(self.service)
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)

    def _stop(self) -> None:
        self.stopped += 1

    def feed(self, data: bytes) -> None:
        """The server reads these bytes, in as few reads as its buffers allow, unless it closed or does not read."""
        while data and self.transport.reading and not self.transport.closed:
            with memoryview(self.connection.get_buffer(-1)) as room:
                size = min(len(room), len(data))
                room[:size] = data[:size]
            self.connection.buffer_updated(size)
            data = data[size:]

    def receive(self, size: int) -> bytes:
        """Reads exactly so many bytes of the replies."""
        received = bytearray()
        while len(received) < size:
            part = self.peer.recv(min(size - len(received), 1 << 20))
            if not part:
                break
            received += part
        return bytes(received)

    def receive_all(self, size: int) -> bytes:
        """Reads until there are so many bytes, and lets the transport get rid of what waits in it as it goes."""
        received = bytearray()
        self.peer.setblocking(False)
        while len(received) < size:
            try:
                while part := self.peer.recv(1 << 20):
                    received += part
            except BlockingIOError:
                pass
            if self.transport.waiting:
                received += b"".join(self.transport.waiting)
                self.transport.waiting.clear()
                self.connection.resume_writing()
        return bytes(received)

    def finish(self) -> bytes:
        """Everything that the server has sent, to its end."""
        self.sock.shutdown(socket.SHUT_WR)
        received = bytearray()
        while part := self.peer.recv(1 << 20):
            received += part
        return bytes(received) + b"".join(self.transport.waiting)

    def close(self) -> None:
        self.connection.connection_lost(None)
        self.sock.close()
        self.peer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def converse(port: int, request: bytes) -> bytes:
    """Sends everything, and returns all that comes back until the server closes."""
    with socket.create_connection((HOST, port), timeout=20) as connection:
        connection.sendall(request)
        answer = bytearray()
        try:
            while part := connection.recv(1 << 20):
                answer += part
        except ConnectionResetError:
            # A server that closes before it has read everything resets the connection; what it said had come.
            pass
        return bytes(answer)


def resp(*arguments: bytes) -> bytes:
    """One command as clients send it."""
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in arguments)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
