"""A proxy on a host of a world: `loadgen proxy`'s own, with its toxics, but for the HTTP API and the sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loadgen.faults.proxy.api import address
from loadgen.faults.proxy.api.proxy import Proxy
from loadgen.faults.proxy.chain.draws import DrawLog
from loadgen.faults.proxy.chain.toxic import DOWNSTREAM, STREAMS, Effects, Toxic
from loadgen.faults.proxy.chain.toxics import TYPES
from loadgen.plan import Endpoint
from loadgen.units import NS_PER_MS
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._proxy import GroundPump, Witness

_BYTES_PER_KB = 1_000


class _Network:
    """The streams and the clock of one proxy, as `loadgen.faults.proxy.api` wants them."""

    def __init__(self, ground: Ground) -> None:
        self.pump = GroundPump(ground, resolve=_resolved)

    def now_ns(self) -> int:
        return self.pump.now_ns()

    def listen(self, proxy: Proxy) -> str:
        self.pump.listen(proxy, address.split(proxy.listen)[1])
        return proxy.listen

    def stop(self, proxy: Proxy) -> int:
        return self.pump.stop(proxy)

    def resolved(self, text: str) -> str:
        return text


def _resolved(text: str, found: Callable[[list[tuple[str, int]]], None]) -> None:
    found([address.split(text)])


class WorldProxy:
    """A proxy on a ground of its host, which listens. Killing the host ends it; a new one may then be made there.

    `upstream` is the numeric address and the port of the server behind it. All toxics' draws follow from `seed`.
    """

    def __init__(self, ground: Ground, name: str, port: int, upstream: tuple[str, int], seed: int) -> None:
        network = _Network(ground)
        self.port = port
        self.host = ground.host
        self.address = ground.host.address
        self._pump = network.pump
        listen = address.joined(self.address, port)
        self._proxy = Proxy(network, DrawLog(), seed, name, listen, address.joined(*upstream))
        self._rates: dict[str, dict[str, tuple[int, int]]] = {stream: {} for stream in STREAMS}
        """By stream, of the toxics that limit every connection: the rate in KB/s, and the time since which it holds."""
        self.changes = 0
        """How often a toxic's attributes or toxicity were changed."""
        self.start()

    # ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Accept connections. Nothing happens where the proxy does so already."""
        self._proxy.start()

    def stop(self) -> None:
        """Accept none any more, and end those that there are. The toxics stay."""
        self._proxy.stop()

    @property
    def endpoint(self) -> Endpoint:
        """The proxy's address in a plan."""
        return Endpoint(self.address, self.port, self.address)

    @property
    def witness(self) -> Witness:
        """What every byte is held to."""
        return self._pump.witness

    @property
    def accepted(self) -> int:
        return self._proxy.counts.accepted

    @property
    def unreachable(self) -> int:
        """The connections that were closed because the server could not be reached."""
        return self._proxy.counts.unreachable

    @property
    def open_connections(self) -> int:
        return self._proxy.open_connections

    # ── Toxics ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def toxics(self) -> list[str]:
        """The names of the toxics that are there."""
        return [toxic.name for toxic in self._proxy.toxics]

    @property
    def has_connections(self) -> bool:
        """True while bytes can pass."""
        return bool(self._proxy.flows)

    def add(
        self,
        kind: str,
        *,
        name: str = "",
        stream: str = DOWNSTREAM,
        toxicity: float = 1.0,
        attributes: Mapping[str, int],
    ) -> str:
        """Add a toxic at the end of its stream's chain; return its name, `KIND_STREAM` by default.

        Attributes are whole numbers, in the units of Toxiproxy's API. Raises ValueError.
        """
        name = name or f"{kind}_{stream}"
        if kind not in TYPES:
            raise ValueError(f"there is no toxic {kind!r}; there are {', '.join(TYPES)}")
        if stream not in STREAMS:
            raise ValueError(f"there is no stream {stream!r}; there are {' and '.join(STREAMS)}")
        if self._proxy.toxic(name) is not None:
            raise ValueError(f"there is a toxic {name!r} already")
        _check(kind, attributes)
        toxic = Toxic(name, stream, toxicity, TYPES[kind](dict(attributes)), Effects(kind, stream))
        self._hold(stream, [*self._chain(stream), toxic])
        self._proxy.add(toxic)
        return name

    def change(self, name: str, toxicity: float | None = None, attributes: Mapping[str, int] | None = None) -> None:
        """Change some attributes of a toxic, or its toxicity. Raises ValueError."""
        toxic = self._named(name)
        _check(toxic.behaviour.name, attributes or {})
        toxic.behaviour = toxic.behaviour.changed(dict(attributes or {}))
        toxic.toxicity = toxic.toxicity if toxicity is None else toxicity
        self.changes += 1
        self._hold(toxic.direction, self._chain(toxic.direction))
        self._proxy.restart(toxic)

    def remove(self, name: str) -> None:
        """Remove a toxic: what waits there goes on at once. Raises ValueError."""
        toxic = self._named(name)
        self._hold(toxic.direction, [each for each in self._chain(toxic.direction) if each is not toxic])
        self._proxy.remove(toxic)

    def remove_when_held(self, name: str, chunks: int, call: Callable[[], object]) -> None:
        """Remove a toxic, and then make a call, when so many chunks of one connection wait in its direction.

        Nothing happens where the toxic is gone by then. Raises ValueError.
        """
        toxic = self._named(name)

        def remove() -> None:
            if self._proxy.toxic(name) is toxic:
                self.remove(name)
                call()

        self.witness.call_when_held(toxic.direction, chunks, remove)

    def effects(self) -> dict[str, int]:
        """Return how often toxics took effect, by their types."""
        found: dict[str, int] = {}
        for effects in self._proxy.ledger.values():
            found[effects.type] = found.get(effects.type, 0) + effects.count
        return found

    def _named(self, name: str) -> Toxic:
        toxic = self._proxy.toxic(name)
        if toxic is None:
            raise ValueError(f"there is no toxic {name!r}; there are {', '.join(self.toxics) or 'none'}")
        return toxic

    def _chain(self, stream: str) -> list[Toxic]:
        return [toxic for toxic in self._proxy.toxics if toxic.direction == stream]

    def _hold(self, stream: str, chain: list[Toxic]) -> None:
        """Have the witness hold what is read from now on to the toxics that are on every connection."""
        sure = [toxic.behaviour for toxic in chain if toxic.toxicity >= 1.0]
        values = [each.attributes() for each in sure if each.name == "latency"][:1]
        # Of two latencies the second counts what a chunk has waited before as its own: the first one is sure.
        delay_ns = sum(max(each["latency"] - max(each["jitter"], 0), 0) for each in values) * NS_PER_MS
        before, now_ns = self._rates[stream], self._pump.now_ns()
        rates = {
            toxic.name: (rate, since_ns if then == rate else now_ns)
            for toxic in chain
            if toxic.toxicity >= 1.0 and toxic.behaviour.name == "bandwidth"
            for rate in (max(toxic.behaviour.attributes()["rate"], 0),)
            for then, since_ns in (before.get(toxic.name, (None, now_ns)),)
        }
        self._rates[stream] = rates
        rate, since_ns = min(rates.values(), default=(None, now_ns))
        self.witness.hold(stream, delay_ns, None if rate is None else rate * _BYTES_PER_KB, since_ns)


def _check(kind: str, attributes: Mapping[str, int]) -> None:
    takes = {attribute.name for attribute in TYPES[kind].takes}
    for name, value in attributes.items():
        if name not in takes:
            raise ValueError(f"the toxic {kind} has no attribute {name!r}; it has {', '.join(sorted(takes)) or 'none'}")
        if not isinstance(value, int):
            raise ValueError(f"the attribute {name} of the toxic {kind} is a whole number, not {value!r}")
