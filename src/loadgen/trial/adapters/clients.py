"""The clients that are shipped, as rows, and the plan of a client that the user names."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from loadgen.errors import TargetError, UsageError
from loadgen.trial.plan import ClientPlan


@dataclass(frozen=True, slots=True)
class Row:
    """A client that `[trial] client` names."""

    name: str
    factory: str
    """`module:function`."""
    protocols: tuple[str, ...]
    library: str
    """The module that must be importable."""
    note: str = ""
    """What a reader of its results has to know."""


_ROOM = "loadgen.trial.adapters"
_ONE_EACH = "one client for each node, behind the selection of loadgen"

ROWS = (
    Row("builtin", f"{_ROOM}.builtin:Builtin", ("memcache",), "loadgen.client", "asyncio; pool and breaker per node"),
    Row("pymemcache", f"{_ROOM}.pymemcache:Pymemcache", ("memcache",), "pymemcache", "HashClient, pooled; threads"),
    Row("aiomcache", f"{_ROOM}.aiomcache:Aiomcache", ("memcache",), "aiomcache", f"asyncio; {_ONE_EACH}"),
    Row("redis-py", f"{_ROOM}.redis_like:redis_py", ("resp",), "redis", f"threads; {_ONE_EACH}"),
    Row("valkey-py", f"{_ROOM}.redis_like:valkey_py", ("resp",), "valkey", f"threads; {_ONE_EACH}"),
    Row("coredis", f"{_ROOM}.coredis:Coredis", ("resp",), "coredis", f"asyncio; {_ONE_EACH}"),
)
"""Every client that is shipped, in the order of outputs."""

CLIENTS = {row.name: row for row in ROWS}


def client_named(name: str, options: Mapping[str, str | int | float | bool] | None = None) -> ClientPlan:
    """Return the plan of a client: of a shipped one by its name, of the user's own by `module:factory`.

    Raises UsageError, with the nearest name, when there is no such client.
    """
    if row := _row(name):
        return ClientPlan(row.name, row.factory, options or {})
    module, colon, factory = name.partition(":")
    if colon and all(part.isidentifier() for part in [*module.split("."), *factory.split(".")]):
        return ClientPlan(name, name, options or {})
    near = get_close_matches(name.lower().replace("_", "-")[:80], CLIENTS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the clients are {', '.join(CLIENTS)} and module:factory."
    raise UsageError(f"There is no client {name!r}; {hint}")


def check(client: ClientPlan, protocol: str) -> None:
    """Refuse a client that does not speak a protocol, or whose library is not installed.

    Raises UsageError for the first, TargetError for the second. A client of the user's own is for every protocol.
    """
    row = CLIENTS.get(client.name)
    if row is None:
        return
    if protocol not in row.protocols:
        others = ", ".join(row.name for row in ROWS if protocol in row.protocols)
        raise UsageError(
            f"The client {row.name} speaks {' and '.join(row.protocols)}, and the nodes speak {protocol}; the clients "
            f"for {protocol} are {others}."
        )
    if importlib.util.find_spec(row.library) is None:
        raise TargetError(
            f"The client {row.name} needs the library {row.library}, which is not installed: "
            "pip install 'loadgen[trial]'"
        )


def note(client: ClientPlan) -> str:
    """Return what a reader of the client's results has to know; empty for a client of the user's own."""
    row = CLIENTS.get(client.name)
    return row.note if row else ""


def _row(name: str) -> Row | None:
    return CLIENTS.get(name.lower().replace("_", "-"))
