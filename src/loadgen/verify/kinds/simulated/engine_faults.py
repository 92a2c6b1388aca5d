"""The faults of a simulated case of the engine, drawn from its tape, each a part that can be left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loadgen.server._faults import Faults
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.kinds.simulated.planted import Planted
from loadgen.verify.scenario.settings import whole_ticks
from loadgen.verify.tape import FAULT, Tape
from loadgen.verify.world._network import REFUSING, UNANSWERING, Host, Network
from loadgen.verify.world.proxy import WorldProxy
from loadgen.verify.world.servers import BuiltinServer
from loadgen.verify.world.toxics import HELD, STRENGTHS, Dose

MOST = 16
CROWDED = "server has its most connections"
"""The fault in which a server answers with an error, and closes the connection."""
TOXIC = "toxic: "
"""What the words of toxics begin with; the type follows."""
NOTHING = Planted()
LENGTHS_NS = (10 * NS_PER_MS, NS_PER_MS, 100 * NS_PER_MS, NS_PER_S, 3 * NS_PER_S)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, by the word of a row of FAULTS."""

    word: str
    from_ns: int
    """The world's time."""
    until_ns: int
    server: int
    which: int
    """Picks one of several, such as the connection to reset."""

    def __str__(self) -> str:
        length = f" for {(self.until_ns - self.from_ns) / NS_PER_MS:g} ms"
        word = self.word if self.dose is None else f"{TOXIC}{self.dose}"
        return f"{word}, server {self.server}, at {self.from_ns / NS_PER_MS:g} ms{length}"

    @property
    def dose(self) -> Dose | None:
        """The toxic; None for another fault."""
        return Dose(self.word.removeprefix(TOXIC), self.which) if self.word.startswith(TOXIC) else None


class Scene:
    """What faults act on: the network, the engine's host and the servers, of which killed ones are made anew."""

    def __init__(
        self,
        network: Network,
        host: Host,
        servers: Sequence[BuiltinServer],
        words: Sequence[str] = (),
        proxies: Mapping[int, WorldProxy] | None = None,
        planted: Planted = NOTHING,
    ) -> None:
        """`words` are those of the faults that there may be: they are counted from 0. `proxies` are by server.

        `planted` is what servers that are started again have planted in them.
        """
        self.network = network
        self.world = network.world
        self.host = host
        self.servers = [*servers]
        self.proxies = {**(proxies or {})}
        self.planted = planted
        self.ended: list[BuiltinServer] = []
        """Servers that were killed, and have a successor."""
        self.dead: set[int] = set()
        """The numbers of those that have none yet."""
        self.kept = self.emptied = 0
        """How often a killed server came back with what it had, and without."""
        self.toxics = 0
        """How many toxics there are to be."""
        self.changed_under_load = self.removed_under_load = 0
        """How often a toxic was changed and removed while its proxy had connections."""
        self.removed_full = 0
        """How often a toxic was removed while chunks waited in it, because they did."""
        self.counts = dict.fromkeys(words, 0)
        """How often each fault had its effect."""

    def plan(self, fault: Fault) -> None:
        """Have a fault happen at its time."""
        (FAULTS.get(fault.word) or PROXIES[fault.word])(self, fault)

    def at(self, at_ns: int, fault: Fault, call: Callable[[], object]) -> None:
        """Call at a time, and count the fault's effect unless the call returns False."""

        def happen() -> None:
            if call() is not False:
                self.counts[fault.word] = self.counts.get(fault.word, 0) + 1

        self.world.at(at_ns, happen)

    def all_calls(self) -> dict[str, int]:
        """Return the calls that all servers counted, killed ones too."""
        found: dict[str, int] = {}
        for server in (*self.ended, *self.servers):
            for command, count in server.calls().items():
                found[command] = found.get(command, 0) + count
        return found

    def all_faults(self) -> list[Faults]:
        """Return what is planted in all servers, killed ones too."""
        return [server.faults for server in (*self.ended, *self.servers) if server.faults is not None]

    def far(self, fault: Fault) -> Host:
        return self.servers[fault.server].host

    def front(self, fault: Fault) -> Host:
        """Return the host that the engine connects to: the server's, or that of the proxy before it."""
        proxy = self.proxies.get(fault.server)
        return self.far(fault) if proxy is None else proxy.host

    def kill(self, number: int, *, power: bool) -> None:
        self.servers[number].host.kill(power=power)
        self.dead.add(number)

    def start_again(self, number: int, *, keeps: bool) -> None:
        """Start a killed server with what it had, or empty, as a cache is."""
        if number not in self.dead:
            return
        self.dead.remove(number)
        server = self.servers[number]
        self.ended.append(server)
        server.host.restart()
        store = server.store if keeps else None
        self.kept += keeps
        self.emptied += not keeps
        faults = self.planted.faults(len(self.servers) + len(self.ended))
        self.servers[number] = BuiltinServer(server.host, server.port, server.wire, faults=faults, store=store)


def _pause_server(scene: Scene, fault: Fault) -> None:
    scene.at(fault.from_ns, fault, lambda: scene.far(fault).pause(fault.from_ns, fault.until_ns))


def _pause_engine(scene: Scene, fault: Fault) -> None:
    queued = bool(fault.which % 2)
    scene.at(fault.from_ns, fault, lambda: scene.host.pause(fault.from_ns, fault.until_ns, queued=queued))


def _on_an_end(scene: Scene, fault: Fault, host: Callable[[], Host], act: Callable[[int], object]) -> None:
    def happen() -> bool:
        ends = scene.network.open_ends(host())
        if ends:
            act(ends[fault.which % len(ends)])
        return bool(ends)

    scene.at(fault.from_ns, fault, happen)


def _reset(scene: Scene, fault: Fault) -> None:
    _on_an_end(scene, fault, lambda: scene.far(fault), scene.network.reset)


def _server_end_vanishes(scene: Scene, fault: Fault) -> None:
    _on_an_end(scene, fault, lambda: scene.far(fault), scene.network.vanish)


def _engine_end_vanishes(scene: Scene, fault: Fault) -> None:
    _on_an_end(scene, fault, lambda: scene.host, scene.network.vanish)


def _cut(scene: Scene, fault: Fault, *, there: bool, back: bool) -> None:
    front, network = scene.front(fault), scene.network
    for from_host, to_host in ((scene.host, front),) * there + ((front, scene.host),) * back:
        scene.at(fault.from_ns, fault, lambda a=from_host, b=to_host: network.cut(a, b))  # type: ignore[misc]
        scene.world.at(fault.until_ns, lambda a=from_host, b=to_host: network.heal(a, b))  # type: ignore[misc]


def _cut_there(scene: Scene, fault: Fault) -> None:
    _cut(scene, fault, there=True, back=False)


def _cut_back(scene: Scene, fault: Fault) -> None:
    _cut(scene, fault, there=False, back=True)


def _partition(scene: Scene, fault: Fault) -> None:
    _cut(scene, fault, there=True, back=True)


def _listener(scene: Scene, fault: Fault, mode: int) -> None:
    """Have a listener turn connections away, and end those that there are, so that it is asked."""

    def begin() -> bool:
        if fault.server in scene.dead:
            return False
        server = scene.servers[fault.server]
        scene.network.set_listener(server.host, server.port, mode)
        for end in scene.network.open_ends(server.host):
            scene.network.reset(end)
        return True

    def end() -> None:
        if fault.server not in scene.dead:
            scene.servers[fault.server].listen()

    scene.at(fault.from_ns, fault, begin)
    scene.world.at(fault.until_ns, end)


def _refuse(scene: Scene, fault: Fault) -> None:
    _listener(scene, fault, REFUSING)


def _silence(scene: Scene, fault: Fault) -> None:
    _listener(scene, fault, UNANSWERING)


def _crowd(scene: Scene, fault: Fault) -> None:
    """Have a server turn away the connections beyond a number, or close each new one without a word.

    Half of its connections are closed at the beginning, so that some come.
    """
    most = 0 if fault.which % 4 == 0 else max(1, len(scene.servers[fault.server].connections()) // 2)

    def begin() -> bool:
        if fault.server in scene.dead:
            return False
        server = scene.servers[fault.server]
        server.most_connections = most
        open_ = server.connections()
        for transport in open_[len(open_) // 2 :]:
            transport.close()
        return True

    def end() -> None:
        scene.servers[fault.server].most_connections = None

    scene.at(fault.from_ns, fault, begin)
    scene.world.at(fault.until_ns, end)


def _close_all(scene: Scene, fault: Fault) -> None:
    """Have the server close its connections in good order, as one that recycles them does."""

    def close() -> bool:
        open_ = scene.servers[fault.server].connections()
        for transport in open_:
            transport.close()
        return bool(open_)

    scene.at(fault.from_ns, fault, close)


def _kill(scene: Scene, fault: Fault, *, power: bool) -> None:
    scene.at(fault.from_ns, fault, lambda: scene.kill(fault.server, power=power))
    scene.world.at(fault.until_ns, lambda: scene.start_again(fault.server, keeps=bool(fault.which % 2)))


def _kill_process(scene: Scene, fault: Fault) -> None:
    _kill(scene, fault, power=True)


def _cut_power(scene: Scene, fault: Fault) -> None:
    _kill(scene, fault, power=False)


def _pause_proxy(scene: Scene, fault: Fault) -> None:
    def pause() -> bool:
        proxied = fault.server in scene.proxies
        if proxied:
            scene.front(fault).pause(fault.from_ns, fault.until_ns)
        return proxied

    scene.at(fault.from_ns, fault, pause)


def _stop_proxy(scene: Scene, fault: Fault) -> None:
    """Disable a proxy for a while, which ends its connections."""
    proxy = scene.proxies.get(fault.server)
    if proxy is not None:
        scene.at(fault.from_ns, fault, proxy.stop)
        scene.world.at(fault.until_ns, proxy.start)


def _toxic(scene: Scene, fault: Fault) -> None:
    """Add a toxic to a proxy, change it halfway, and remove it, at its time or when chunks wait in it."""
    proxy, dose = scene.proxies.get(fault.server), fault.dose
    if proxy is None or dose is None:
        return
    name = f"toxic {scene.toxics}"
    scene.toxics += 1
    changes = dose.changes

    def begin() -> None:
        proxy.add(dose.kind, name=name, stream=dose.stream, toxicity=dose.toxicity, attributes=dose.attributes)
        if dose.ends_full:
            proxy.remove_when_held(name, HELD, ended_full)

    def ended_full() -> None:
        scene.removed_full += 1

    def change() -> None:
        assert changes is not None
        if name in proxy.toxics:
            scene.changed_under_load += proxy.has_connections
            proxy.change(name, *changes)

    def end() -> None:
        if name in proxy.toxics:
            scene.removed_under_load += proxy.has_connections
            proxy.remove(name)

    scene.at(fault.from_ns, fault, begin)
    if changes is not None:
        scene.world.at((fault.from_ns + fault.until_ns) // 2, change)
    scene.world.at(fault.until_ns, end)


FAULTS: dict[str, Callable[[Scene, Fault], None]] = {
    "server pauses": _pause_server,
    "engine pauses": _pause_engine,
    "connection is reset": _reset,
    "connection vanishes at the server": _server_end_vanishes,
    "connection vanishes at the engine": _engine_end_vanishes,
    "requests are cut off": _cut_there,
    "replies are cut off": _cut_back,
    "partition": _partition,
    "server closes its connections": _close_all,
    "server refuses connections": _refuse,
    "server does not answer handshakes": _silence,
    CROWDED: _crowd,
    "server is killed": _kill_process,
    "server loses power": _cut_power,
}
"""The faults of any case."""

PROXIES: dict[str, Callable[[Scene, Fault], None]] = {
    **{f"{TOXIC}{kind}": _toxic for kind in STRENGTHS},
    "proxy pauses": _pause_proxy,
    "proxy is disabled": _stop_proxy,
}
"""Those of proxies before servers."""


def drawn_faults(
    tape: Tape,
    words: Sequence[str],
    means: Sequence[float],
    servers: int,
    begins_ns: int,
    length_ns: int,
    *,
    most: int = MOST,
    tick_ns: int = 0,
) -> Iterator[Fault]:
    """Yield the faults of a case, which begin within `length_ns` of a time.

    A seed draws which of the faults it has at all, and about how many: faults that never come alone show what others
    hide (Groce and others: Swarm Testing, ISSTA 2012). With a tick, faults begin and end at whole ticks from
    `begins_ns`.
    """
    mean = tape.choice(means, "mean number of faults")
    left_out = tape.below(1 << len(words), "faults that are left out")
    some = tuple(word for place, word in enumerate(words) if not left_out >> place & 1) or tuple(words)
    if not mean:
        return
    for _ in tape.several(FAULT, most, mean=mean):
        word = tape.choice(some, "fault")
        from_ns = begins_ns + whole_ticks(length_ns * tape.below(1000, "fault's beginning") // 1000, tick_ns)
        until_ns = from_ns + whole_ticks(tape.choice(LENGTHS_NS, "fault's length"), tick_ns)
        yield Fault(word, from_ns, until_ns, tape.below(servers, "fault's server"), tape.below(64, "fault's choice"))
