"""A fault as a frozen value: what is done, in which layer, to which nodes, from when and for how long. No I/O.

Configurations and scenarios write faults as `[[fault]]`. An interpreter of the fault's layer carries a fault out: the
proxy, the network namespace, the process or the disk. Times are int nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Layer(StrEnum):
    """The layers in which a fault can happen, each with an interpreter of its own."""

    PROXY = "proxy"
    """Between connections: a proxy that relays bytes. A fault concerns whole connections, never packets."""
    NET = "net"
    """Between hosts: packets, in a network namespace in which the server runs."""
    PROCESS = "process"
    """The server's process: its end, its pauses, its CPU time, memory and descriptors."""
    DISK = "disk"
    """The files that the server writes."""


Value = int | float | str
"""The value of a parameter. Durations are int nanoseconds, shares are between 0 and 1, sizes are bytes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `kinds.KINDS` has the row of its kind, which says what the fault does and which parameters it has."""

    kind: str
    """The name of a row of `kinds.KINDS`, such as `loss`."""
    layer: Layer
    on: tuple[int, ...] = ()
    """The numbers of the nodes, from 1, in the order of the endpoints; empty: every node."""
    at_ns: int = 0
    """The time of the first beginning, from the start of the measure window or of a scenario's fault phase."""
    for_ns: int = 0
    """How long the fault lasts each time; 0: to the end of the window or of the fault phase."""
    every_ns: int = 0
    """The time between one beginning and the next, where the fault is repeated; 0: once."""
    times: int = 1
    """The number of beginnings; 1 without `every_ns`."""
    stagger_ns: int = 0
    """The time from a beginning on one node to that on the next of `on`; 0: on all at once."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    """The kind's own parameters, all of them, with defaults filled in."""
    seed: int = 0
    """The seed of the fault's draws, where it has any."""
    roles: tuple[str, ...] = ()
    """The roles of the nodes in `on`, such as "master 1", where loadgen starts a cluster; empty: nodes have numbers."""

    def nodes(self, count: int) -> tuple[int, ...]:
        """Return the numbers of the nodes that the fault is on, of `count` nodes."""
        return self.on or tuple(range(1, count + 1))

    def __str__(self) -> str:
        """Return the fault in words: "loss (net) on node 1"."""
        numbered = f"node{'s' * (len(self.on) > 1)} {', '.join(map(str, self.on))}"
        where = "every node" if not self.on else ", ".join(self.roles) or numbered
        return f"{self.kind} ({self.layer}) on {where}"

    def place(self, node: int) -> str:
        """Return the name of one of its nodes: "node 1", or "master 1"."""
        roles = dict(zip(self.on, self.roles, strict=False))
        return roles.get(node, f"node {node}")
