"""The bench: the nodes of a load or a trial, with everything that the faults on them need.

A bench is a `target.servers.Servers` in kind: nodes that others run are there already, managed nodes are started in the
surroundings that their faults need, and proxies are put before the nodes that a fault of the proxy layer is on. This
file does not know the load.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from loadgen.errors import UsageError
from loadgen.events import Progress
from loadgen.faults.disk import DiskFaults
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.interpreter import FaultError, Interpreter
from loadgen.faults.kinds import needs_of
from loadgen.faults.layer import LayerFaults
from loadgen.faults.needs import missing
from loadgen.faults.net import NetFaults
from loadgen.faults.node import Node, OnNodes
from loadgen.faults.operator import Operator
from loadgen.faults.operator_thread import OperatorThread
from loadgen.faults.process import ProcessFaults
from loadgen.faults.proxies import Proxies, in_managed, in_toxiproxy
from loadgen.faults.proxy.client import ProxyApi
from loadgen.faults.proxy.managed import ManagedProxy
from loadgen.faults.surroundings import surroundings_for
from loadgen.plan import Endpoint, Target
from loadgen.reason import Reason
from loadgen.server_plan import ServerPlan
from loadgen.target import cluster
from loadgen.target.server import ManagedServer
from loadgen.usage import WatchedServer

_ON_SERVERS: dict[Layer, Callable[[tuple[ManagedServer, ...]], LayerFaults]] = {
    Layer.NET: NetFaults,
    Layer.PROCESS: ProcessFaults,
    Layer.DISK: DiskFaults,
}
"""The interpreters of the layers whose faults take servers of our own."""


@dataclass(frozen=True, slots=True)
class BenchUp:
    """A bench whose nodes answer."""

    endpoints: tuple[Endpoint, ...]
    """The address of each node, or of the proxy before it: those of the first group of callers."""
    groups: tuple[tuple[Endpoint, ...], ...]
    """The same for each group of callers."""
    server: WatchedServer | None
    """The server that loadgen started, where it is the only node, or all nodes of a cluster; else None."""
    servers: tuple[ManagedServer, ...]
    """The servers that loadgen started, by node; empty where the nodes were given."""
    proxies: Proxies
    """The proxies before the nodes."""
    seeds: tuple[Endpoint, ...]
    """The nodes that can be asked for all others, where they are a cluster that loadgen started; else empty."""
    faults: tuple[Fault, ...]
    """The bench's faults, each with the numbers of the nodes or proxies that it is on."""
    operator: OperatorThread
    """Carries out the steps of the faults, which are numbered as in `faults`."""
    notes: tuple[Reason, ...] = ()
    """Remarks on the results of a load: the cost of the proxies before the nodes."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Nodes, and the faults that are to come over them. One of `given` and `managed` is empty.

    With several groups of callers, each group has a proxy of its own before each node. Node n of group g has the number
    (g - 1) × nodes + n in the faults of the proxy layer; the faults of other layers are on nodes.
    """

    given: tuple[Endpoint, ...] = ()
    """Nodes that others run."""
    managed: tuple[ServerPlan, ...] = ()
    """Nodes that loadgen starts."""
    faults: tuple[Fault, ...] = ()
    groups: int = 1
    toxiproxy: str = ""
    """The URL of a running Toxiproxy, or `loadgen proxy`, in which the proxies are to be; empty: one is started."""
    beside_nodes: bool = False
    """True: started proxies listen at the addresses of their nodes, which are this machine's; False: on loopback."""
    forms: ServerPlan | None = None
    """The plan of the cluster that the managed nodes form, in its order; None: they know nothing of each other."""

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return len(self.given) or len(self.managed)

    @property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs to which started servers are pinned; empty for none."""
        return tuple(sorted({cpu for plan in self.managed for cpu in plan.cpus}))

    @property
    def layers(self) -> frozenset[Layer]:
        """The layers that the faults are of."""
        return frozenset(fault.layer for fault in self.faults)

    def check(self) -> None:
        """Refuse faults that cannot be carried out here, before anything is started.

        Raises UsageError for a node that is not there, FaultError for what this machine or these nodes do not allow.
        """
        for number, fault in enumerate(self.faults, 1):
            most = self._most(fault)
            if beyond := [node for node in fault.on if not 1 <= node <= most]:
                nodes = f"there {'is 1 node' if most == 1 else f'are {most} nodes'}"
                raise UsageError(f"[[fault]] {number}, {fault}: {nodes}, and no node {beyond[0]}; correct its `on`.")
            if self.given and fault.layer is not Layer.PROXY:
                raise FaultError(
                    f"[[fault]] {number}, {fault}: loadgen did not start this server, and a fault of the "
                    f"{fault.layer} layer takes a server that it did; describe the server in [target.server], or name "
                    "it by --server."
                )
            if lacks := missing(needs_of([fault.kind])):
                raise FaultError(
                    f"[[fault]] {number}, {fault}: this machine lacks what the fault needs: "
                    f"{'; '.join(map(str, lacks))}."
                )

    @contextlib.contextmanager
    def up(self, emit: Callable[[Progress], None]) -> Iterator[BenchUp]:
        """Bring up the nodes and what stands before them on entry, and end the faults and all of that on exit.

        `emit` receives the time spent waiting for servers. Raises as `check` does, and ServerError.
        """
        self.check()
        with contextlib.ExitStack() as stack:
            faults = tuple(map(self._on_nodes, self.faults))
            surroundings = surroundings_for({fault.kind for fault in faults})
            surroundings = replace(surroundings, routed=surroundings.netns and self.forms is not None)
            servers = tuple(
                stack.enter_context(ManagedServer(replace(plan, surroundings=surroundings), emit))
                for plan in self.managed
            )
            stack.callback(cluster.begin_stop, servers)
            if self.forms is not None:
                cluster.form(replace(self.forms, surroundings=surroundings), servers, emit)
            endpoints = self.given or tuple(each.endpoint for each in servers)
            nodes = tuple(map(Node, servers))
            interpreters: dict[Layer, Interpreter] = {
                layer: OnNodes(stack.enter_context(of_layer(servers)), nodes)
                for layer, of_layer in _ON_SERVERS.items()
                if layer in self.layers
            }
            before = Proxies(endpoints)
            if Layer.PROXY in self.layers:
                wanted = {node for fault in faults if fault.layer is Layer.PROXY for node in fault.on}
                before = stack.enter_context(self._proxies(endpoints, sorted(wanted), emit))
                interpreters[Layer.PROXY] = before.interpreter()
            seeds = endpoints if self.forms is not None else ()
            operator = OperatorThread(Operator(faults, interpreters), seeds)
            stack.callback(operator.finish)
            groups = tuple(before.group(number) for number in range(self.groups))
            yield BenchUp(
                endpoints=groups[0],
                groups=groups,
                server=cluster.Group(self.forms.name, nodes) if self.forms is not None else _only(nodes),
                servers=servers,
                proxies=before,
                seeds=seeds,
                faults=faults,
                operator=operator,
                notes=(before.cost(),) if before.api is not None else (),
            )

    @contextlib.contextmanager
    def _proxies(
        self, endpoints: tuple[Endpoint, ...], wanted: Iterable[int], emit: Callable[[Progress], None]
    ) -> Iterator[Proxies]:
        """Put a proxy before each of these nodes, in a process of ours or in the Toxiproxy at `toxiproxy`."""
        if self.toxiproxy:
            with in_toxiproxy(ProxyApi(self.toxiproxy), endpoints, wanted) as proxies:
                yield proxies
            return
        seed = next(fault.seed for fault in self.faults if fault.layer is Layer.PROXY)
        with ManagedProxy(seed, emit) as managed:
            yield in_managed(managed, endpoints, wanted, beside_nodes=self.beside_nodes)

    def _on_nodes(self, fault: Fault) -> Fault:
        """Return the fault with the number of each node that it is on, and their roles where they have some."""
        on = fault.nodes(self._most(fault))
        roles = self.forms.cluster.roles if self.forms is not None and self.forms.cluster is not None else ()
        return replace(fault, on=on, roles=tuple(roles[node - 1] for node in on) if roles else ())

    def _most(self, fault: Fault) -> int:
        """Return the highest number that a node of the fault may have."""
        return self.nodes * (self.groups if fault.layer is Layer.PROXY else 1)


def _only(nodes: tuple[Node, ...]) -> Node | None:
    return nodes[0] if len(nodes) == 1 else None


def bench_of(target: Target, managed: ServerPlan | None, faults: tuple[Fault, ...]) -> Bench:
    """Return the bench of a target: the managed server or cluster, if there is one, else the target's endpoints."""
    if managed is None:
        return Bench(given=target.endpoints, faults=faults)
    return Bench(managed=managed.nodes, faults=faults, forms=managed if managed.cluster is not None else None)
