"""The servers of a target, brought up before a load and taken down after it.

Servers stack: given endpoints run already, managed servers are loadgen's own (the built-in one too), and a server that
stands before others, such as a proxy, brings up the others first. This file does not know the load.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from loadgen.events import Progress
from loadgen.plan import Endpoint, Target
from loadgen.server_plan import ServerPlan
from loadgen.target import cluster
from loadgen.usage import StartedServer


@dataclass(frozen=True, slots=True)
class Up:
    """Servers that answer."""

    endpoints: tuple[Endpoint, ...]
    server: StartedServer | None = None
    """The server that loadgen started, or all nodes of the cluster; None when all endpoints were given."""


class Servers(Protocol):
    """Servers that can be brought up."""

    @property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs to which started servers are pinned; empty for none."""

    def up(self, emit: Callable[[Progress], None]) -> contextlib.AbstractContextManager[Up]:
        """Start the servers on entry, which returns when they answer, and end the started ones on exit.

        `emit` receives the time spent waiting. Raises ServerError.
        """


@dataclass(frozen=True, slots=True)
class GivenEndpoints:
    """Servers that others run: nothing is started, watched or ended."""

    endpoints: tuple[Endpoint, ...]

    @property
    def cpus(self) -> tuple[int, ...]:
        return ()

    @contextlib.contextmanager
    def up(self, emit: Callable[[Progress], None]) -> Iterator[Up]:
        yield Up(self.endpoints)


@dataclass(frozen=True, slots=True)
class Managed:
    """A server, or the nodes of a cluster, that loadgen starts, watches and ends."""

    plan: ServerPlan

    @property
    def cpus(self) -> tuple[int, ...]:
        return self.plan.cpus

    @contextlib.contextmanager
    def up(self, emit: Callable[[Progress], None]) -> Iterator[Up]:
        with cluster.started(self.plan, emit) as servers:
            yield Up(tuple(each.endpoint for each in servers), cluster.as_one(self.plan, servers))


def servers_of(target: Target, managed: ServerPlan | None) -> GivenEndpoints | Managed:
    """Return the servers of a target: the managed server, if there is one, else the target's endpoints."""
    return GivenEndpoints(target.endpoints) if managed is None else Managed(managed)
