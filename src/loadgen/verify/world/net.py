"""The hosts of a world by name, the links between them, and what befalls them. `_network` carries the bytes."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from typing import Any

from loadgen.verify.tape import Tape
from loadgen.verify.world._network import ACCEPTING, REFUSING, UNANSWERING, Network
from loadgen.verify.world._world import World
from loadgen.verify.world.host import HOST, Host

SCENARIO = "scenario"
"""The host of all that no other host runs."""

_NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class Link:
    """How one direction between two hosts passes bytes."""

    latency_ns: int = 50_000
    jitter_ns: int = 0
    split: float = 0.0
    """The probability that what is written arrives in two parts, cut at a drawn place."""
    loss: float = 0.0
    """The probability that a segment is lost, and comes later: a stream has no hole."""
    bytes_per_s: int = 0
    """0: no limit."""
    buffer_bytes: int = 1 << 20
    """Of a stream, the most that waits to be read."""

    @classmethod
    def drawn(cls, tape: Tape) -> Link:
        """Draw the links of a run: as of one machine, of one room, or of places that are far apart."""
        latency_ns = tape.choice((50, 20, 200, 1_000, 5_000), "latency of the links") * _NS_PER_US
        jitter = tape.choice((0, 1, 4, 10), "jitter of the links, in parts of the latency")
        split = tape.choice((0.0, 0.02, 0.3), "share of writes that are split")
        loss = tape.choice((0.0, 0.0, 0.01), "share of segments that are lost")
        return cls(latency_ns, latency_ns * jitter, split, loss)


class Net:
    """The network of one world."""

    def __init__(self, world: World, link: Link) -> None:
        self.world = world
        self._network = Network(world, link.buffer_bytes)
        self.link = link
        self._slower_ns: dict[str, int] = {}
        self._hosts: dict[str, Host] = {}
        self._by_address: dict[str, str] = {}
        self.may_halt = False
        """True once a host was paused, busy or killed: from then on the loop looks at the host of each callback."""

    def now_ns(self) -> int:
        """Return the time of the host whose task runs."""
        host = HOST.get(None) if self.may_halt else None
        return self.world.now_ns if host is None else host.resident.now_ns

    # ── Hosts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def host(self, name: str) -> Host:
        """Return the host of a name, which is started where it is not there."""
        found = self._hosts.get(name)
        if found is None:
            self._hosts[name] = found = Host(name, self._network.host())
            self._by_address[found.address] = name
            self._link_up(found)
        elif not found.alive:
            found.machine.restart()
            self._hosts[name] = found = Host(name, found.machine)
        return found

    def current(self) -> Host:
        """Return the host of the running task."""
        host = HOST.get(None)
        return self.host(SCENARIO) if host is None else host

    @property
    def hosts(self) -> list[Host]:
        """The hosts that are alive, in the order of their names' first start."""
        return [host for host in self._hosts.values() if host.alive]

    def _link_up(self, host: Host) -> None:
        for other in self._hosts.values():
            for one, two in ((host, other), (other, host)):
                self._set_link(one, two)

    def _set_link(self, one: Host, two: Host) -> None:
        link = self.link
        # What a host sends to itself does not leave the host.
        link = Link(latency_ns=5_000) if one is two else link
        link = replace(link, latency_ns=link.latency_ns + self._slower_ns.get(one.name, 0))
        self._network.set_link(
            one.machine,
            two.machine,
            latency_ns=link.latency_ns,
            jitter_ns=link.jitter_ns,
            bytes_per_s=link.bytes_per_s,
            split=link.split,
            loss=link.loss,
        )

    # ── Names ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def found(self, name: str) -> Host:
        """Return the host of a name or a numeric address. Raises socket.gaierror for an unknown one."""
        if name in ("localhost", "127.0.0.1"):
            return self.current()
        if (host := self._hosts.get(self._by_address.get(name, name))) is not None:
            return host
        raise socket.gaierror(socket.EAI_NONAME, f"no simulated host is named {name}")

    def addresses(self, host: Any, port: Any) -> list[tuple[Any, ...]]:
        """Return what getaddrinfo finds. Raises socket.gaierror."""
        name = host.decode() if isinstance(host, bytes) else host
        address = (self.current() if name is None else self.found(name)).address
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, int(port or 0)))]

    def name_of(self, address: str) -> str:
        """Return the name of the host with an address."""
        return self._by_address[address]

    # ── What befalls hosts ────────────────────────────────────────────────────────────────────────────────────────────

    def pause(self, host: Host, length_ns: int) -> None:
        """Stop a host's thread for a while."""
        self.may_halt = True
        now_ns = self.world.now_ns
        host.machine.pause(now_ns, now_ns + length_ns)

    def reset_streams(self, host: Host) -> None:
        """Reset all streams of a host, as a box between the hosts does."""
        for end in self._network.open_ends(host.machine):
            self._network.reset(end)

    def vanish_streams(self, host: Host) -> None:
        """Have a host forget all its streams. What is sent on them from then on is answered by nobody."""
        for end in self._network.open_ends(host.machine):
            self._network.vanish(end)

    def open_streams(self, host: Host) -> int:
        """Return the number of connected streams that a host has not closed."""
        return len(self._network.open_ends(host.machine))

    def counts(self, name: str) -> int:
        """Return one of the network's counts, such as `splits`."""
        return getattr(self._network, name)  # type: ignore[no-any-return]

    def turn_away(self, host: Host, port: int, *, silently: bool) -> None:
        """Have a port refuse streams, or not answer who would connect."""
        self._network.set_listener(host.machine, port, UNANSWERING if silently else REFUSING)

    def listen_again(self, host: Host, port: int) -> None:
        """Have a port accept streams again, where somebody listens."""
        if host.alive and host.resident.is_listening(port):
            self._network.set_listener(host.machine, port, ACCEPTING)

    def kill(self, host: Host, *, power: bool = True) -> None:
        """End all that runs on a host. Without `power`, its peers are not told."""
        self.may_halt = True
        host.machine.kill(power=power)
        host.die()

    def cut(self, one: Host, two: Host) -> None:
        """Let nothing pass from one host to another."""
        self._network.cut(one.machine, two.machine)

    def heal(self, one: Host, two: Host) -> None:
        """End a cut."""
        self._network.heal(one.machine, two.machine)

    def slow_down(self, host: Host, by_ns: int) -> None:
        """Have all that a host sends from now on take longer; by a negative time, less long again."""
        self._slower_ns[host.name] = self._slower_ns.get(host.name, 0) + by_ns
        for other in self._hosts.values():
            self._set_link(host, other)
