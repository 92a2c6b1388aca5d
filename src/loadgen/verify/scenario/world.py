"""The world that a scenario is given: its hosts, its servers, its faults and its draws."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

from loadgen.verify.reply import Reply
from loadgen.verify.scenario.faults import Faults, Server
from loadgen.verify.scenario.memcached import Memcached
from loadgen.verify.scenario.proxy import Proxy
from loadgen.verify.scenario.redis import Redis
from loadgen.verify.scenario.settings import Settings
from loadgen.verify.step import Command
from loadgen.verify.tape import MOST, Tape
from loadgen.verify.world.host import HOST
from loadgen.verify.world.loop import Loop
from loadgen.verify.world.net import Net

T = TypeVar("T")

NS_PER_S = 1_000_000_000


class Machine:
    """A host, on which tasks run."""

    def __init__(self, loop: Loop, net: Net, name: str, started: list[asyncio.Task[Any]]) -> None:
        self.name = name
        self._loop = loop
        self._net = net
        self._started = started

    @property
    def address(self) -> str:
        """The numeric address."""
        return self._net.host(self.name).address

    def run(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task on this host, and return it. What the task starts runs there too.

        A host that was killed is started again by this. A task that fails fails the run, unless its result is taken.
        """
        context = contextvars.copy_context()
        context.run(HOST.set, self._net.host(self.name))
        name = getattr(coroutine, "__name__", "task")
        task = self._loop.create_task(coroutine, name=f"{name} on {self.name}", context=context)
        self._started.append(task)
        return task


class World:
    """One run's world. A scenario is called with it."""

    def __init__(self, net: Net, loop: Loop, tape: Tape, settings: Settings) -> None:
        self.draw = tape
        """Draws of the scenario's own: `world.draw.between(2, 5, "workers")`; 0 and the first are the simplest."""
        self.commands: list[tuple[int, str, str, Command, Reply]] = []
        """Time, host, server, command and reply of each command that a server carried out."""
        self.begun: list[str] = []
        """The faults that were begun."""
        self.started: list[asyncio.Task[Any]] = []
        self._net = net
        self._loop = loop
        self._tape = tape
        self._servers: dict[str, Server] = {}
        self._proxies: dict[str, Proxy] = {}
        self._began_ns = net.world.now_ns
        self.faults = Faults(net, tape, self._servers, self._proxies, self._note_fault)
        self.faults.draw(settings)

    @property
    def now_s(self) -> float:
        """The time since the beginning of the run."""
        return (self._net.now_ns() - self._began_ns) / NS_PER_S

    def host(self, name: str) -> Machine:
        """Return the host of a name, which is made where it is not there. Tasks connect from it, and listen on it."""
        return Machine(self._loop, self._net, self._net.host(name).name, self.started)

    def redis(
        self, name: str = "redis", *, port: int = 6379, fsync: str | None = None, maxmemory_bytes: int | None = None
    ) -> Redis:
        """Start a Redis server on a host of this name.

        `fsync` is "always", "everysec" or "no" for a server with an append-only file, which survives a kill; without
        it, a killed server comes back empty. Raises ValueError where there is a server of this name.
        """
        self._check_free(name)
        self._servers[name] = server = Redis(
            self._net,
            name,
            port,
            self._note_command,
            fsync=fsync,
            maxmemory_bytes=maxmemory_bytes,
        )
        return server

    def memcached(
        self, name: str = "memcached", *, port: int = 11211, memory_bytes: int = 64 << 20, meta: bool = False
    ) -> Memcached:
        """Start a memcached server on a host of this name. Raises ValueError where there is a server of this name.

        With `meta` it speaks the meta commands and no others, and no item is evicted.
        """
        self._check_free(name)
        self._servers[name] = server = Memcached(self._net, name, port, memory_bytes=memory_bytes, meta=meta)
        return server

    def proxy(self, name: str, server: Redis | Memcached | tuple[str, int], *, port: int | None = None) -> Proxy:
        """Start a proxy on a host of this name, before a server or another address (a host's name and a port).

        `port` is the server's own by default. Raises ValueError where there is a server or a proxy of this name.
        """
        self._check_free(name)
        host, behind = server if isinstance(server, tuple) else (server.host, server.port)
        upstream = (self._net.found(host).address, behind)
        seed = self._tape.below(MOST, "seed of a proxy")
        proxy = Proxy(self._net, name, behind if port is None else port, upstream, seed, self._note_fault)
        self._proxies[name] = proxy
        return proxy

    def _check_free(self, name: str) -> None:
        if name in self._servers or name in self._proxies:
            raise ValueError(f"there is a server {name!r} already")

    def _note_fault(self, words: str) -> None:
        self.begun.append(f"{self.now_s:.6f} s  {words}")

    def _note_command(self, host: str, server: str, command: Command, reply: Reply) -> None:
        if command[0].upper() in (b"HELLO", b"CLIENT"):
            return  # A client's greeting, which is the same in every run.
        self.commands.append((self._net.now_ns() - self._began_ns, host, server, command, reply))


def net_of(world: World) -> Net:
    """Return the network under a world, for loadgen's own scenarios."""
    return world._net
