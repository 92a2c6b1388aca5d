"""An asyncio memcache client: a pool and a breaker for each node, selection, and deadlines on everything.

`_core` and what it is made of are state machines without sockets, clocks and asyncio, which `assembly` puts together;
`_shell` is around them, with sockets and futures.
docs/CLIENT.md is the user's guide.
"""

from __future__ import annotations

from loadgen.client.breaker import Counts, State, Transition
from loadgen.client.client import Client
from loadgen.client.errors import (
    BadKey,
    BreakerOpen,
    CacheError,
    CacheTimeout,
    ClientClosed,
    ConnectionLost,
    ConnectionRefused,
    PoolExhausted,
    ProtocolError,
    RequestError,
    ServerError,
    TooManyProbes,
)
from loadgen.client.meta import Item
from loadgen.client.options import Options
from loadgen.client.pool import PoolStats
from loadgen.client.results import Results
from loadgen.client.stats import NodeStats, Stats

__all__ = [
    "BadKey",
    "BreakerOpen",
    "CacheError",
    "CacheTimeout",
    "Client",
    "ClientClosed",
    "ConnectionLost",
    "ConnectionRefused",
    "Counts",
    "Item",
    "NodeStats",
    "Options",
    "PoolExhausted",
    "PoolStats",
    "ProtocolError",
    "RequestError",
    "Results",
    "ServerError",
    "State",
    "Stats",
    "TooManyProbes",
    "Transition",
]
