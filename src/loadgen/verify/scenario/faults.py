"""The faults of a scenario: those that a seed draws, and those that the scenario begins itself.

A drawn fault is a span of the tape with its kind, its times and its victim, so that shrinking leaves faults out and
makes them short. Each fault that was begun is noted with its time, whoever began it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from loadgen.verify.scenario.memcached import Memcached
from loadgen.verify.scenario.proxy import Proxy, processes_of
from loadgen.verify.scenario.redis import Redis
from loadgen.verify.scenario.settings import (
    CUT,
    DISK_FULL,
    GARBLE,
    KILL,
    PARTITION,
    PAUSE,
    POWER_CUT,
    REFUSE,
    SILENCE,
    SLOW,
    TOXIC,
    VANISH,
    Settings,
    whole_ticks,
)
from loadgen.verify.tape import FAULT, Tape
from loadgen.verify.world.host import Host
from loadgen.verify.world.net import SCENARIO, Net
from loadgen.verify.world.toxics import HELD, NUMBERS, STRENGTHS, Dose

NS_PER_S = 1_000_000_000
_NS_PER_US = 1_000

_SCALES_NS = (1_000_000, 10_000_000, 100_000_000, NS_PER_S, 10 * NS_PER_S)
"""A time is drawn below one of these: short ones are as likely as long ones."""

_DOWN_NS = 10_000_000
"""The least time that a killed server takes to be there again."""


Server = Redis | Memcached


class Faults:
    """The faults of one run, and what begins them. Times are seconds; hosts and servers are given by name."""

    def __init__(
        self,
        net: Net,
        tape: Tape,
        servers: dict[str, Server],
        proxies: dict[str, Proxy],
        note: Callable[[str], None],
    ) -> None:
        self._net = net
        self._tape = tape
        self._servers = servers
        self._proxies = proxies
        self._toxics = 0
        """The toxics that were drawn so far."""
        self._note = note
        self._over = False

    # ── What a scenario may begin itself ──────────────────────────────────────────────────────────────────────────────

    def pause(self, host: str, for_s: float) -> None:
        """Stop a host for a while: its tasks and its server do nothing, its connections stay."""
        self._pause(self._net.host(host), _ns(for_s))

    def cut(self, host: str) -> None:
        """Reset all connections of a host."""
        self._cut(self._net.host(host))

    def vanish(self, host: str) -> None:
        """Have a host forget all its connections, without a word to those that it is connected to."""
        self._vanish(self._net.host(host))

    def partition(self, one: str, other: str, for_s: float, *, both: bool = True) -> None:
        """Let nothing pass from one host to another for a while, and with `both` nothing back."""
        self._partition(self._net.host(one), self._net.host(other), _ns(for_s), both)

    def slow(self, host: str, by_s: float, for_s: float) -> None:
        """Have all that a host sends take longer for a while."""
        self._slow(self._net.host(host), _ns(by_s), _ns(for_s))

    def kill(self, host: str, down_s: float | None = None) -> None:
        """Kill a server, which is started again after `down_s`; or kill all tasks of another host, for good."""
        self._kill(self._net.host(host), None if down_s is None else _ns(down_s))

    def refuse(self, server: str, for_s: float) -> None:
        """Have a server refuse connections for a while. Those that it has are reset."""
        self._turn_away(self._named(server), _ns(for_s), silently=False)

    def silence(self, server: str, for_s: float) -> None:
        """Have a server answer no handshake for a while. The connections that it has are reset."""
        self._turn_away(self._named(server), _ns(for_s), silently=True)

    def garble(self, server: str) -> None:
        """Have a server send an error that nothing asked for, on each of its connections: it has lost step."""
        self._garble(self._named(server))

    def power_cut(self, server: str, down_s: float) -> None:
        """Cut the power of a server's host for a while: what its disk has not synced may be lost."""
        self._power_cut(self._server(server), _ns(down_s))

    def disk_full(self, server: str, for_s: float) -> None:
        """Have the disk of a server take no more for a while."""
        self._disk_full(self._server(server), _ns(for_s))

    # ── What a seed draws ─────────────────────────────────────────────────────────────────────────────────────────────

    def draw(self, settings: Settings) -> None:
        """Draw the faults of a run. The hosts that they meet are chosen when they begin, among those that are there."""
        if not settings.faults:
            return
        for _ in self._tape.several(FAULT, settings.most_faults, settings.mean_faults):
            kind = self._tape.choice(settings.faults, "kind of fault")
            at_ns = whole_ticks(self._time("beginning of a fault", _ns(settings.within_s)), settings.tick_ns)
            length_ns = whole_ticks(self._time("length of a fault"), settings.tick_ns)
            victim = self._tape.below(1 << 16, "victim of a fault")
            amount = self._tape.below(1 << 16, "strength of a fault")
            self._at(at_ns, partial(self._begin, kind, length_ns, victim, amount))

    def _time(self, site: str, most_ns: int = _SCALES_NS[-1]) -> int:
        scale_ns = min(self._tape.choice(_SCALES_NS, f"scale of the {site}"), most_ns)
        return self._tape.below(scale_ns // _NS_PER_US, site) * _NS_PER_US

    def _begin(self, kind: str, length_ns: int, victim: int, amount: int) -> None:
        hosts = [host for host in self._net.hosts if host.name != SCENARIO]
        servers = [each for each in self._servers.values() if each.runs]
        durable = [each for each in servers if isinstance(each, Redis) and each.keeps_data]
        if kind == KILL:
            if servers:
                self._kill(self._net.host(servers[victim % len(servers)].host), max(length_ns, _DOWN_NS))
        elif kind in (REFUSE, SILENCE):
            if servers:
                self._turn_away(servers[victim % len(servers)], length_ns, silently=kind == SILENCE)
        elif kind == GARBLE:
            if servers:
                self._garble(servers[victim % len(servers)])
        elif kind == TOXIC:
            proxies = [each for each in self._proxies.values() if each.runs]
            if proxies:
                types = [*STRENGTHS]
                dose = Dose(types[amount % len(types)], amount // len(types) % NUMBERS)
                self._toxic(proxies[victim % len(proxies)], dose, length_ns)
        elif kind in (POWER_CUT, DISK_FULL):
            if durable and kind == POWER_CUT:
                self._power_cut(durable[victim % len(durable)], max(length_ns, _DOWN_NS))
            elif durable:
                self._disk_full(durable[victim % len(durable)], length_ns)
        elif hosts:
            host = hosts[victim % len(hosts)]
            if kind == PAUSE:
                self._pause(host, length_ns)
            elif kind == CUT:
                self._cut(host)
            elif kind == VANISH:
                self._vanish(host)
            elif kind == SLOW:
                self._slow(host, (1 + amount % 100) * 1_000_000, length_ns)
            elif kind == PARTITION:
                others = [each for each in hosts if each is not host]
                if others:
                    self._partition(host, others[amount % len(others)], length_ns, bool(amount & 1))

    # ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def end(self) -> None:
        """Begin none of the drawn faults any more."""
        self._over = True

    def _pause(self, host: Host, length_ns: int) -> None:
        self._note(f"{host.name} is paused for {_shown(length_ns)}")
        self._net.pause(host, length_ns)

    def _cut(self, host: Host) -> None:
        self._note(f"the connections of {host.name} are reset")
        self._net.reset_streams(host)

    def _vanish(self, host: Host) -> None:
        self._note(f"{host.name} forgets its connections")
        self._net.vanish_streams(host)

    def _garble(self, server: Server) -> None:
        self._note(f"{server.host} sends an error that nothing asked for")
        line = b"-ERR Protocol error\r\n" if isinstance(server, Redis) else b"ERROR\r\n"
        for transport in self._net.host(server.host).resident.open():
            transport.write(line)

    def _turn_away(self, server: Server, length_ns: int, *, silently: bool) -> None:
        how = "answers no handshake" if silently else "refuses connections"
        self._note(f"{server.host} {how} for {_shown(length_ns)}")
        host = self._net.host(server.host)
        self._net.turn_away(host, server.port, silently=silently)
        self._net.reset_streams(host)
        self._later(length_ns, lambda: self._net.listen_again(host, server.port))

    def _partition(self, one: Host, other: Host, length_ns: int, both: bool) -> None:
        ways = [(one, other), (other, one)] if both else [(one, other)]
        self._note(f"nothing passes from {one.name} to {other.name}{' and back' * both} for {_shown(length_ns)}")
        for way in ways:
            self._net.cut(*way)

        def heal() -> None:
            for way in ways:
                self._net.heal(*way)

        self._later(length_ns, heal)

    def _slow(self, host: Host, by_ns: int, length_ns: int) -> None:
        self._note(f"all that {host.name} sends takes {_shown(by_ns)} longer for {_shown(length_ns)}")
        self._net.slow_down(host, by_ns)
        self._later(length_ns, lambda: self._net.slow_down(host, -by_ns))

    def _kill(self, host: Host, down_ns: int | None) -> None:
        server = self._servers.get(host.name) or self._proxies.get(host.name)
        if server is None:
            self._note(f"{host.name} is killed")
            self._net.kill(host)
            return
        lost = "" if server.keeps_data else ", which loses its data"
        back = "" if down_ns is None else f", and started again after {_shown(down_ns)}"
        what = "proxy" if isinstance(server, Proxy) else "server of"
        self._note(f"the {what} {host.name} is killed{lost}{back}")
        server.kill()
        if down_ns is not None:
            self._later(down_ns, server.start)

    def _toxic(self, proxy: Proxy, dose: Dose, length_ns: int) -> None:
        self._toxics += 1
        name = f"drawn-{self._toxics}"
        changes = dose.changes

        def there(call: Callable[[], None]) -> Callable[[], None]:
            # A proxy that was killed is started again without toxics.
            return lambda: call() if proxy.runs and name in proxy.toxics else None

        proxy.add(dose.kind, name=name, stream=dose.stream, toxicity=dose.toxicity, **dose.attributes)
        if dose.ends_full:
            processes_of(proxy)[-1].remove_when_held(
                name, HELD, lambda: self._note(f"the toxic {name} of {proxy.host} is removed: {HELD} chunks wait in it")
            )
        if changes is not None:
            toxicity, attributes = changes
            self._later(length_ns // 2, there(lambda: proxy.change(name, toxicity=toxicity, **attributes)))
        self._later(length_ns, there(lambda: proxy.remove(name)))

    def _power_cut(self, server: Redis, down_ns: int) -> None:
        lost = server.lose_power(self._tape.below)
        self._note(f"{server.host} loses its power for {_shown(down_ns)}, and {lost} bytes of its file")
        self._later(down_ns, server.start)

    def _disk_full(self, server: Redis, length_ns: int) -> None:
        self._note(f"the disk of {server.host} is full for {_shown(length_ns)}")
        server.disk.capacity_bytes = server.disk.used_bytes

        def empty() -> None:
            server.disk.capacity_bytes = None

        self._later(length_ns, empty)

    def _named(self, name: str) -> Server:
        if name not in self._servers:
            raise ValueError(f"there is no server {name!r}; there are {', '.join(self._servers) or 'none'}")
        return self._servers[name]

    def _server(self, name: str) -> Redis:
        server = self._servers.get(name)
        if not isinstance(server, Redis):
            there = [each for each, one in self._servers.items() if isinstance(one, Redis)]
            raise ValueError(f"there is no Redis server {name!r}; there are {', '.join(there) or 'none'}")
        return server

    def _at(self, at_ns: int, call: Callable[[], object]) -> None:
        def due() -> None:
            if not self._over:
                call()

        self._net.world.at(self._net.world.now_ns + at_ns, due)

    def _later(self, wait_ns: int, call: Callable[[], object]) -> None:
        """Make a call that ends a fault, which happens whatever else is over."""
        self._net.world.at(self._net.world.now_ns + wait_ns, call)


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _shown(ns: int) -> str:
    for unit, scale in (("s", NS_PER_S), ("ms", 1_000_000)):
        if ns >= scale:
            return f"{ns / scale:.6g} {unit}"
    return f"{ns / 1000:.6g} µs"
