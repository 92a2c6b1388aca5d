"""The servers of a target, to be brought up before a load and taken down after it.

Servers stack: endpoints that are given are there already, managed servers are loadgen's own (the built-in one too), and
whatever is to stand before servers, such as a proxy, brings up those first. What load they are for is not known here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from loadgen.events import Progress
from loadgen.plan import Endpoint, Target
from loadgen.server_plan import ServerPlan
from loadgen.target.server import ManagedServer


@dataclass(frozen=True, slots=True)
class Up:
    """Servers that answer."""

    endpoints: tuple[Endpoint, ...]
    server: ManagedServer | None = None
    """The one that loadgen started, which can be watched; None where all were given."""


class Servers(Protocol):
    """What can be brought up."""

    @property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs that what loadgen starts is pinned to; empty: none."""

    def up(self, emit: Callable[[Progress], None]) -> contextlib.AbstractContextManager[Up]:
        """Entered, the servers answer; left, what was started is gone. `emit` gets how long they are waited for.

        Raises ServerError.
        """


@dataclass(frozen=True, slots=True)
class GivenEndpoints:
    """Servers that somebody else runs: nothing is started, watched or ended."""

    endpoints: tuple[Endpoint, ...]

    @property
    def cpus(self) -> tuple[int, ...]:
        return ()

    @contextlib.contextmanager
    def up(self, emit: Callable[[Progress], None]) -> Iterator[Up]:
        yield Up(self.endpoints)


@dataclass(frozen=True, slots=True)
class Managed:
    """A server that loadgen starts, watches and ends."""

    plan: ServerPlan

    @property
    def cpus(self) -> tuple[int, ...]:
        return self.plan.cpus

    @contextlib.contextmanager
    def up(self, emit: Callable[[Progress], None]) -> Iterator[Up]:
        with ManagedServer(self.plan, emit) as server:
            yield Up((Endpoint(server.host, server.port, server.host),), server)


def servers_of(target: Target, managed: ServerPlan | None) -> GivenEndpoints | Managed:
    """The servers of a target: the managed one, where there is one, in place of the target's endpoints."""
    return GivenEndpoints(target.endpoints) if managed is None else Managed(managed)
