"""Small worlds for tests of the world itself: two hosts, and protocols that keep what they are told."""

from __future__ import annotations

from asyncio import Protocol
from typing import Any

from loadgen.verify.tape import Tape
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import Host, Network
from loadgen.verify.world._order import Order, Uniform
from loadgen.verify.world._streams import Streams, StreamTransport
from loadgen.verify.world._world import World
from loadgen.verify.world.servers import BuiltinServer

MS = 1_000_000
S = 1_000 * MS
PORT = 6379


class Kept(Protocol):
    """A protocol that keeps the bytes, with the time of each read, and what became of the stream."""

    transport: StreamTransport

    def __init__(self, world: World) -> None:
        self.world = world
        self.reads: list[tuple[int, bytes]] = []
        self.ends: list[str] = []
        self.paused = 0
        self.stays = False
        """It keeps its end open when the other has written all."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.reads.append((self.world.now_ns, data))

    def eof_received(self) -> bool:
        self.ends.append("end")
        return self.stays

    def connection_lost(self, error: Exception | None) -> None:
        self.ends.append(f"lost: {error.errno}" if isinstance(error, OSError) else "lost")

    def pause_writing(self) -> None:
        self.paused += 1

    def resume_writing(self) -> None:
        self.ends.append("room")

    @property
    def received(self) -> bytes:
        return b"".join(data for _, data in self.reads)


class Pair:
    """Two hosts and their streams; `far` listens on PORT. The clock begins at 0."""

    def __init__(self, tape: Tape | None = None, *, buffer_bytes: int = 1 << 20, drawn: bool = False) -> None:
        tape = Tape.of(()) if tape is None else tape
        self.world = World(tape, Uniform(tape) if drawn else Order(), 0)
        self.network = Network(self.world, buffer_bytes)
        self.near, self.far = self.network.host(), self.network.host()
        self.near_streams = Streams(Ground(self.near))
        self.far_streams = Streams(Ground(self.far))
        self.accepted: list[Kept] = []
        self.results: list[OSError | None] = []
        self.listen()

    def listen(self) -> None:
        def accept() -> Kept:
            self.accepted.append(Kept(self.world))
            return self.accepted[-1]

        self.far_streams.listen(PORT, accept)

    def links(self, **settings: Any) -> Pair:
        self.network.set_link(self.near, self.far, **settings)
        self.network.set_link(self.far, self.near, **settings)
        return self

    def connect(self) -> Kept:
        kept = Kept(self.world)
        self.near_streams.connect(self.far, PORT, kept, self.results.append)
        return kept

    def connected(self) -> tuple[Kept, Kept]:
        """A stream whose handshake is over: the near end, and the far one."""
        near = self.connect()
        self.run(self.world.now_ns + S)
        assert self.results[-1] is None
        return near, self.accepted[-1]

    def run(self, until_ns: int) -> None:
        assert self.world.run(until_ns)


def talked(server: BuiltinServer, near: Host, *requests: bytes, every_ns: int = 0) -> Kept:
    """A protocol that is connected with a server, and that sends requests at even times."""
    streams, kept = Streams(Ground(near)), Kept(server.ground.world)
    world = server.ground.world

    def connected(error: OSError | None) -> None:
        assert error is None
        for number, request in enumerate(requests):
            world.at(world.now_ns + number * every_ns, lambda request=request: kept.transport.write(request))  # type: ignore[misc]

    streams.connect(server.host, server.port, kept, connected)
    return kept
