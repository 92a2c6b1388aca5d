"""A world with an engine's host and a scripted server, between which bytes take no time: for exact laws.

Nothing is drawn: events of one time run in the order in which they were scheduled.
"""

from __future__ import annotations

from asyncio import Protocol
from typing import Any

from loadgen.plan import Endpoint, Plan
from loadgen.verify.tape import Tape
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import REFUSING, Network
from loadgen.verify.world._order import Order
from loadgen.verify.world._streams import Streams, StreamTransport
from loadgen.verify.world._world import World

PORT = 6379


class Stage:
    """A server's `received(connection, data)` is called with all bytes that have come at once.

    The server answers through `reply` and `hang_up`, each at a time of its own. An engine is given `reactor` and
    `reactor.net`, and a plan by `plan`. With several `ports`, the script is that of several servers.
    """

    def __init__(self, server: Any, start_ns: int, ports: tuple[int, ...] = (PORT,)) -> None:
        self.world = World(Tape.of(()), Order(), start_ns)
        self.network = Network(self.world)
        self.host, self.far = self.network.host(), self.network.host()
        self.reactor = Ground(self.host)
        self.streams = Streams(Ground(self.far))
        self.server = server
        self.ports = ports
        for port in ports:
            self.streams.listen(port, lambda port=port: Connection(self, port))

    @property
    def now_ns(self) -> int:
        return self.world.now_ns

    def plan(self, plan: Plan) -> Plan:
        """The same load on this stage's server, or servers."""
        return plan.at(*(Endpoint(self.far.address, port, self.far.address) for port in self.ports))

    def reply(self, connection: Connection, at_ns: int, data: bytes) -> None:
        self.world.at(at_ns, lambda: connection.transport.write(data))

    def hang_up(self, connection: Connection, at_ns: int, *, resets: bool = False) -> None:
        """End a connection in good order, or by cutting it off."""

        def end() -> None:
            if resets:
                self.network.reset(connection.transport.end)
            connection.transport.abort()

        self.world.at(at_ns, end)

    def refuse(self, from_ns: int, until_ns: int) -> None:
        """Refuse connections for a while."""
        self.world.at(from_ns, lambda: self.network.set_listener(self.far, PORT, REFUSING))
        self.world.at(until_ns, lambda: self.streams.listen(PORT, lambda: Connection(self)))

    def run(self, until_ns: int) -> None:
        assert self.world.run(until_ns)


class Connection(Protocol):
    transport: StreamTransport

    def __init__(self, stage: Stage, port: int = PORT) -> None:
        self.stage = stage
        self.port = port

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.stage.server.received(self, data)
