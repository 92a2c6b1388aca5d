"""The machines of a client put together: breakers and pools into nodes, nodes into a core. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.client._breaker import Breaker
from loadgen.client._core import Core
from loadgen.client._node import Node
from loadgen.client._pool import Pool
from loadgen.client._request import Request
from loadgen.client._text import Text
from loadgen.client.meta import Meta
from loadgen.client.options import Options
from loadgen.client.selection import selector


def assembled(names: Sequence[str], options: Options, now_ns: int) -> Core:
    """Return the machine of a client over nodes that are named `host:port`."""
    protocol: Text | Meta = Meta() if options.protocol == "meta" else Text()
    settings = options.breaker_settings
    nodes = []
    for index, name in enumerate(names):
        breaker = Breaker(settings, now_ns) if settings else None
        pool: Pool[Request] = Pool(options.pool, options.pool_settings, index)
        nodes.append(Node(index, name, options, protocol, breaker, pool, now_ns))
    return Core(nodes, selector(options.selector, names), protocol, options)
