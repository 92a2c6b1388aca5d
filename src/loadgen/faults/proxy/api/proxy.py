"""One proxy: its addresses, its toxics, and what it has counted. Sockets are the business of its network.

A proxy tells its network to listen or to stop. The network makes a link for each direction of a connection by
`link`, and keeps the flows of living connections in `flows`, to which the proxy applies changes of its toxics.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from loadgen.faults.proxy.chain.draws import DrawLog, Draws
from loadgen.faults.proxy.chain.link import Link
from loadgen.faults.proxy.chain.toxic import DOWNSTREAM, STREAMS, UPSTREAM, Effects, Toxic


class Flow(Protocol):
    """One direction of a living connection, as its proxy sees it."""

    @property
    def link(self) -> Link: ...

    @property
    def direction(self) -> str:
        """`upstream` or `downstream`."""

    @property
    def connection(self) -> int:
        """The number of the connection, from 1."""

    @property
    def received(self) -> int:
        """Bytes read from the source."""

    @property
    def sent(self) -> int:
        """Bytes written to the destination."""

    def touch(self) -> None:
        """Act on a change of the link."""


class Network(Protocol):
    """The sockets and the clock of proxies."""

    def now_ns(self) -> int: ...

    def listen(self, proxy: Proxy) -> str:
        """Begin to accept connections; return the address with its port. Raises NetworkError."""

    def stop(self, proxy: Proxy) -> int:
        """Stop listening and close every connection; return the number of connections that were closed."""

    def resolved(self, address: str) -> str:
        """Return the address of a listener with its host resolved. Raises NetworkError."""


class NetworkError(Exception):
    """An address that cannot be resolved or listened on, in the words that Toxiproxy has for it."""


@dataclass(slots=True)
class Counts:
    """The connections of a proxy, since it was made."""

    accepted: int = 0
    unreachable: int = 0
    """Connections closed at once, because the upstream could not be reached."""
    closed_by_stop: int = 0
    """Connections closed because the proxy was disabled, deleted or moved."""


class Proxy:
    """A proxy as Toxiproxy's API has it."""

    def __init__(self, network: Network, log: DrawLog, seed: int, name: str, listen: str, upstream: str) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.enabled = False
        self.counts = Counts()
        self.ledger: dict[str, Effects] = {}
        """The effects of toxics by their names, removed ones included."""
        self.flows: dict[Flow, None] = {}
        """The keys are the flows, in the order in which they began."""
        self.traffic = {stream: [0, 0] for stream in STREAMS}
        """Bytes received and sent by flows that have ended."""
        self._network = network
        self._log = log
        self._seed = seed
        self._chains: dict[str, list[Toxic]] = {stream: [] for stream in STREAMS}

    # ── The listener ────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Listen, unless the proxy is enabled already. Raises NetworkError."""
        if not self.enabled:
            self.listen = self._network.listen(self)
            self.enabled = True

    def stop(self) -> None:
        """Stop listening, and close every connection. The toxics stay."""
        if self.enabled:
            self.enabled = False
            self.counts.closed_by_stop += self._network.stop(self)

    def update(self, listen: str, upstream: str, enabled: bool) -> None:
        """Move and enable the proxy as asked: a changed address closes every connection. Raises NetworkError."""
        if self.differs(listen, upstream):
            self.stop()
            self.listen, self.upstream = listen, upstream
        if enabled:
            self.start()
        else:
            self.stop()

    def differs(self, listen: str, upstream: str) -> bool:
        """True when one of the addresses is another than the proxy's. Raises NetworkError."""
        return self.listen != self._network.resolved(listen) or self.upstream != upstream

    # ── Toxics ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def toxics(self) -> list[Toxic]:
        """The toxics in the API's order: those of the upstream direction first."""
        return [toxic for chain in self._chains.values() for toxic in chain]

    def toxic(self, name: str) -> Toxic | None:
        return next((toxic for toxic in self.toxics if toxic.name == name), None)

    def add(self, toxic: Toxic) -> None:
        """Add a toxic, whose name is not taken, at the end of its direction's chain."""
        toxic.effects = self.ledger.setdefault(toxic.name, toxic.effects)
        toxic.effects.type, toxic.effects.stream = toxic.behaviour.name, toxic.direction
        toxic.effects.spells += 1
        toxic.spell = toxic.effects.spells
        self._chains[toxic.direction].append(toxic)
        for flow in self._flows_of(toxic):
            flow.link.add(toxic, self._network.now_ns())
            flow.touch()

    def restart(self, toxic: Toxic) -> None:
        """Apply a toxic's changed attributes and toxicity to the living connections."""
        for flow in self._flows_of(toxic):
            flow.link.update(toxic, self._network.now_ns())
            flow.touch()

    def remove(self, toxic: Toxic) -> None:
        self._chains[toxic.direction].remove(toxic)
        for flow in self._flows_of(toxic):
            flow.link.remove(toxic, self._network.now_ns())
            flow.touch()

    def reset(self) -> None:
        """Enable the proxy and remove every toxic. Raises NetworkError."""
        self.start()
        for toxic in self.toxics:
            self.remove(toxic)

    def link(self, direction: str, connection: int) -> Link:
        """Return a link for one direction of a new connection, whose number counts from 1."""
        return Link(
            self._chains[direction], lambda toxic: self._draws(toxic, direction, connection), self._network.now_ns()
        )

    @property
    def open_connections(self) -> int:
        """The connections of which one direction or both have not ended."""
        return len({flow.connection for flow in self.flows})

    def bytes_of(self, direction: str) -> tuple[int, int]:
        """Return the bytes received and sent in one direction, living connections included."""
        received, sent = self.traffic[direction]
        flows = [flow for flow in self.flows if flow.direction == direction]
        return received + sum(flow.received for flow in flows), sent + sum(flow.sent for flow in flows)

    def shown(self) -> dict[str, object]:
        """Return the proxy as Toxiproxy's JSON, with its toxics and without the stray `Logger`."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [toxic.shown() for toxic in self.toxics],
        }

    def _draws(self, toxic: Toxic, direction: str, connection: int) -> Draws:
        seed = self._seed if toxic.seed is None else toxic.seed
        return Draws(self._log, seed, self.name, toxic.name, toxic.spell, connection, direction)

    def _flows_of(self, toxic: Toxic) -> Iterator[Flow]:
        # A flow may end while it is touched, and leave the others.
        yield from [flow for flow in self.flows if flow.direction == toxic.direction]


__all__ = ["DOWNSTREAM", "UPSTREAM", "Counts", "Flow", "Network", "NetworkError", "Proxy"]
