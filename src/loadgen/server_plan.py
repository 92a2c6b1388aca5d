"""The plan of a managed server: a frozen value, resolved from `[target.server]` or made by a program.

This module knows neither TOML nor processes. Times are int nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath

from loadgen.errors import UsageError
from loadgen.plan import Endpoint, Target
from loadgen.protocol import PROTOCOLS, Dialect
from loadgen.surroundings import SHARED, Surroundings

HOST = "127.0.0.1"
"""The address that managed servers listen on: loopback. A server in a network namespace has an address of its own."""


BUS_DISTANCE = 10_000
"""The port of a node's bus in a Redis Cluster, above that for clients (redis.io, Redis cluster specification)."""


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """A Redis Cluster of started servers. Its nodes are numbered from 1: the masters first, then the replicas.

    The masters share the slots evenly, in their order. Replica i follows master i, counted round.
    """

    masters: int
    replicas_per_master: int = 0

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of the nodes by their roles at the start: "master 1", …, "replica 1", …."""
        replicas = self.masters * self.replicas_per_master
        return (
            *(f"master {number + 1}" for number in range(self.masters)),
            *(f"replica {number + 1}" for number in range(replicas)),
        )


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """A server that loadgen starts, watches and ends; with a cluster, each of its nodes."""

    name: str
    """The server's name in outputs: the server file's stem, or the program's name."""
    command: tuple[str, ...]
    """The program and its arguments, in which `{host}`, `{port}` and `{dir}` stand for the server's address and for a
    fresh folder of its own, and `{socket}` for the path of a Unix socket in it. A program named `loadgen` is this very
    loadgen."""
    target: Target
    """The server as a target: its address on loopback, and the protocol and credentials that it is checked with."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables added to this process's own environment; `{port}` and so on are replaced here too."""
    files: tuple[tuple[str, str], ...] = ()
    """Names and texts of files written into the fresh folder first; `{port}` and so on are replaced here too."""
    build: tuple[str, ...] = ()
    """The command that is run in this process's current folder when the program does not exist; empty: none."""
    build_timeout_ns: int = 1_800_000_000_000
    """The longest that the build may take."""
    cwd: str = ""
    """The folder that the server is started in; empty: its fresh folder."""
    ready_timeout_ns: int = 60_000_000_000
    """The longest that the server may take until it answers."""
    stop_timeout_ns: int = 5_000_000_000
    """The longest that the server may take to end after SIGTERM, before SIGKILL."""
    cpus: tuple[int, ...] = ()
    """The CPUs that the server is pinned to; empty: not pinned."""
    log: str = ""
    """The file that standard output and error are appended to; empty: a file that is deleted with the fresh folder."""
    log_patterns: tuple[str, ...] = ()
    """Regular expressions that mark a line of the log as an error, besides the built-in ones."""
    surroundings: Surroundings = SHARED
    """The namespaces, limits and libraries that the server is started in."""
    cluster: ClusterPlan | None = None
    """The cluster that servers of this plan form; None: there is one server."""
    bus_distance: int = 0
    """The distance from the port to a second one that the server listens on; 0: none."""

    @property
    def nodes(self) -> tuple[ServerPlan, ...]:
        """The plan of each server: of each node of the cluster in its order, or this plan alone.

        Nodes have ports in a row where a port is given, and a log each.
        """
        if self.cluster is None:
            return (self,)
        return tuple(
            replace(
                self,
                name=f"{self.name}, {role}",
                target=replace(self.target, endpoints=(Endpoint(HOST, self.port and self.port + place, HOST),)),
                log=_log_of(self.log, role),
                cluster=None,
                bus_distance=BUS_DISTANCE,
            )
            for place, role in enumerate(self.cluster.roles)
        )

    @property
    def by_socket(self) -> bool:
        """True when the server is told the path of a Unix socket, by which it is reached then."""
        texts = (*self.command, *(value for _, value in self.env), *(text for _, text in self.files))
        return any("{socket}" in text for text in texts)

    @property
    def port(self) -> int:
        """The port that the server is to listen on; 0: a free port."""
        return self.target.endpoints[0].port


def _log_of(log: str, role: str) -> str:
    """Return the log of a node: "server-master-1.log" for "server.log"."""
    path = PurePath(log)
    return str(path.with_name(f"{path.stem}-{role.replace(' ', '-')}{path.suffix}")) if log else ""


def loopback(protocol: str, port: int = 0) -> Target:
    """Return the target of a managed server that asks for no password. Port 0: a free port."""
    return Target(protocol, (Endpoint(HOST, port, HOST),))


def builtin(protocol: str = "resp", *options: str, name: str = "loadgen serve") -> ServerPlan:
    """Return the plan of the built-in server, with further arguments of `loadgen serve`."""
    if PROTOCOLS[protocol].dialect not in (None, Dialect.TEXT):
        raise UsageError(
            f'The built-in server speaks memcache by its text protocol only, not "{protocol}": name a memcached by '
            '--server memcached, or set target.protocol to "memcache".'
        )
    command = ("loadgen", "serve", "--host", "{host}", "--port", "{port}", "--protocol", PROTOCOLS[protocol].wire)
    return ServerPlan(name, (*command, *options), loopback(protocol))
