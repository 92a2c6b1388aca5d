"""The proxies before the nodes of a bench: which address leads to which node through which proxy.

With several groups of callers, proxy (g - 1) × nodes + n stands before node n for group g.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from loadgen.faults.interpreter import FaultError
from loadgen.faults.proxy import cost
from loadgen.faults.proxy.api import address
from loadgen.faults.proxy.client import ProxyApi, ProxyApiError
from loadgen.faults.proxy.interpreter import ProxyInterpreter
from loadgen.faults.proxy.managed import ManagedProxy
from loadgen.plan import Endpoint
from loadgen.reason import Code, Reason
from loadgen.server_plan import HOST


@dataclass(frozen=True, slots=True)
class Proxies:
    """Proxies before some nodes, or none."""

    nodes: tuple[Endpoint, ...]
    """The nodes themselves."""
    addresses: Mapping[int, Endpoint] = field(default_factory=dict)
    """The address of each proxy, by its number."""
    names: Mapping[int, str] = field(default_factory=dict)
    """The name of each proxy in the API, by its number."""
    api: ProxyApi | None = None
    """The API of the process that the proxies are in; None without proxies."""

    def group(self, number: int) -> tuple[Endpoint, ...]:
        """Return the addresses by which a group of callers reaches the nodes; `number` is from 0."""
        first = 1 + number * len(self.nodes)
        return tuple(self.addresses.get(first + index, node) for index, node in enumerate(self.nodes))

    def by_node(self) -> dict[str, Endpoint]:
        """Return what the first group of callers reaches each node by: the proxy before it, or the node itself."""
        return dict(zip(map(str, self.nodes), self.group(0), strict=True))

    def interpreter(self) -> ProxyInterpreter:
        """Return the interpreter of the proxy layer on these proxies. There must be one."""
        assert self.api is not None, "there are proxies"
        return ProxyInterpreter(self.api, self.names)

    def cost(self) -> Reason:
        """Measure what a proxy adds, before there is a load, and return that as a remark on the results."""
        assert self.api is not None, "there are proxies"
        try:
            words = f"before the load, a proxy {cost.measure(self.api)}"
        except ProxyApiError as error:
            words = str(error).removesuffix(".")
        return Reason(Code.PROXY_COST, words)


def in_managed(
    managed: ManagedProxy, nodes: tuple[Endpoint, ...], wanted: Iterable[int], *, beside_nodes: bool = False
) -> Proxies:
    """Make the proxies of these numbers in a process of ours: on loopback, or at the address of each one's node.

    Raises ProxyApiError.
    """
    names = {number: f"node-{number}" for number in wanted}
    addresses = dict[int, Endpoint]()
    for number, name in names.items():
        node = _behind(nodes, number)
        addresses[number] = managed.create(name, node, host=node.address if beside_nodes else HOST)
    return Proxies(nodes, addresses, names, managed.api)


@contextlib.contextmanager
def in_toxiproxy(api: ProxyApi, nodes: tuple[Endpoint, ...], wanted: Iterable[int]) -> Iterator[Proxies]:
    """Use the proxies of a running Toxiproxy, and make those that are missing; what was made is deleted on exit.

    A proxy that listens on a node's own port stands before it already. Raises ProxyApiError, and FaultError when a
    proxy that is there has toxics of somebody else.
    """
    there = {address.split(str(proxy["listen"]))[1]: (name, proxy) for name, proxy in api.proxies().items()}
    names, addresses = dict[int, str](), dict[int, Endpoint]()
    with contextlib.ExitStack() as made:
        for number in wanted:
            node = _behind(nodes, number)
            name, proxy = there.get(node.port, ("", {}))
            if name:
                if proxy["toxics"]:
                    raise FaultError(
                        f"The proxy {name} of the Toxiproxy at {api.url} has toxics already: remove them, by POST "
                        f"{api.url}/reset."
                    )
                names[number], addresses[number] = name, node
                continue
            names[number] = name = f"loadgen-node-{number}"
            listen = api.create(name, address.joined(api.host, 0), address.joined(node.address, node.port))
            made.callback(api.delete, name)
            addresses[number] = Endpoint(api.host, address.split(listen)[1], api.host)
        yield Proxies(nodes, addresses, names, api)


def _behind(nodes: tuple[Endpoint, ...], number: int) -> Endpoint:
    """Return the node behind a proxy."""
    return nodes[(number - 1) % len(nodes)]
