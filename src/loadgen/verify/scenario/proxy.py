"""A proxy of a scenario: `loadgen proxy`'s own connections and toxics, on a host of its own before a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loadgen.verify.world.net import Net
from loadgen.verify.world.proxy import WorldProxy


class Proxy:
    """A proxy at `host` and `port` before a server, from its start on. Toxics and attributes are Toxiproxy's."""

    keeps_data = True

    def __init__(
        self, net: Net, name: str, port: int, upstream: tuple[str, int], seed: int, note: Callable[[str], None]
    ) -> None:
        self.host = name
        """The name of its host, by which clients connect."""
        self.port = port
        self.runs = False
        self._net = net
        self._upstream = upstream
        self._seed = seed
        self._note = note
        self._processes: list[WorldProxy] = []
        self.start()

    @property
    def node(self) -> tuple[str, int]:
        """The proxy's address as `loadgen.client.Client` takes it."""
        return self.host, self.port

    @property
    def url(self) -> str:
        """The proxy's address as redis-py takes that of a server."""
        return f"redis://{self.host}:{self.port}"

    # ── Toxics ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def toxics(self) -> list[str]:
        """The names of the toxics that are there."""
        return self._process.toxics

    def add(
        self, kind: str, *, name: str = "", stream: str = "downstream", toxicity: float = 1.0, **attributes: int
    ) -> str:
        """Add a toxic, such as `add("latency", latency=100, jitter=20)`; return its name, `KIND_STREAM` by default.

        `stream` is "downstream", from the server to clients, or "upstream". `toxicity` is the share of connections that
        the toxic is on. Raises ValueError.
        """
        name = self._process.add(kind, name=name, stream=stream, toxicity=toxicity, attributes=attributes)
        self._note(f"{self.host} has the toxic {name}: {_words(kind, toxicity, attributes)}")
        return name

    def change(self, name: str, *, toxicity: float | None = None, **attributes: int) -> None:
        """Change some attributes of a toxic, or its toxicity: it hands on at once what it holds. Raises ValueError."""
        self._process.change(name, toxicity, attributes)
        self._note(f"the toxic {name} of {self.host} is changed: {_words('', toxicity, attributes)}")

    def remove(self, name: str) -> None:
        """Remove a toxic: what waits there goes on at once. Raises ValueError."""
        self._process.remove(name)
        self._note(f"the toxic {name} of {self.host} is removed")

    def effects(self) -> dict[str, int]:
        """Return how often toxics took effect since the first start, by their kinds."""
        found: dict[str, int] = {}
        for process in self._processes:
            for kind, count in process.effects().items():
                found[kind] = found.get(kind, 0) + count
        return found

    # ── The process ───────────────────────────────────────────────────────────────────────────────────────────────────

    def disable(self) -> None:
        """Accept no connections any more, and end those that there are. The toxics stay."""
        self._process.stop()
        self._note(f"the proxy {self.host} is disabled")

    def enable(self) -> None:
        """Accept connections again."""
        self._process.start()
        self._note(f"the proxy {self.host} is enabled")

    def start(self) -> None:
        """Start the process, without toxics. Nothing happens where it runs."""
        if not self.runs:
            self.runs = True
            ground = self._net.host(self.host).ground()
            self._processes.append(WorldProxy(ground, self.host, self.port, self._upstream, self._seed))

    def kill(self) -> None:
        """Kill the process: its kernel ends its connections."""
        if self.runs:
            self.runs = False
            self._net.kill(self._net.host(self.host))

    @property
    def _process(self) -> WorldProxy:
        return self._processes[-1]


def processes_of(proxy: Proxy) -> list[WorldProxy]:
    """Return the processes of a proxy, for loadgen's own scenarios."""
    return proxy._processes


def _words(kind: str, toxicity: float | None, attributes: Mapping[str, int]) -> str:
    share = [] if toxicity is None or (kind and toxicity == 1.0) else [f"toxicity {toxicity:g}"]
    return ", ".join([*[kind] * bool(kind), *(f"{name} {value}" for name, value in attributes.items()), *share])
