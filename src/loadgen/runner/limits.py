"""Limits that a plan's connections would run into: this machine's ports, and the connections that a server takes.

They are looked up before the first connection is opened. The limit on open files is a worker's own.
"""

from __future__ import annotations

from loadgen.errors import TargetError
from loadgen.host.ports import outgoing_ports
from loadgen.judge import diagnosis
from loadgen.plan import Plan
from loadgen.protocol import Wire
from loadgen.target.talk.clients import connected

_NAMES = {Wire.RESP: "maxclients", Wire.MEMCACHE: "its option -c"}

MANY = 1000
"""The number of connections to one server from which the server is asked how many it takes. Every default is above,
and a server that takes fewer turns the first ones away in its own words."""


def check(plan: Plan, machines: int = 1) -> None:
    """Raise TargetError, with the remedy, when a server cannot have as many connections as the plan has.

    `machines` is the number of machines that the connections come from, in equal parts.
    """
    for place, endpoint in enumerate(plan.target.endpoints):
        wanted = diagnosis.planned_connections(plan, place) + sum(own.idle[place] for own in plan.workers if own.idle)
        where = diagnosis.address(endpoint)
        if not endpoint.path and (
            words := too_few_ports(-(-wanted // machines), len(plan.wire.life.source_addresses) or 1, where)
        ):
            raise TargetError(words)
        found = connected(plan.target, endpoint) if wanted > MANY else None
        if found is None or found.limit is None:
            continue
        # The question had a connection of its own, which is closed by now.
        others, name = found.connections - 1, _NAMES[plan.target.speaks.wire]
        if words := too_many_clients(wanted, others, found.limit, where, name):
            raise TargetError(words)


def too_few_ports(wanted: int, sources: int, where: str) -> str:
    """Return why this machine has too few ports for connections to one server; empty when they suffice."""
    ports = outgoing_ports()
    if ports is None or wanted <= ports * sources:
        return ""
    needed = -(-wanted // ports)
    have = "1 address of this machine has" if sources == 1 else f"{sources} addresses of this machine have"
    return (
        f"{wanted:,} connections to {where} need as many ports, and {have} {ports * sources:,}: name {needed} "
        "addresses in connection.source_addresses, or widen net.ipv4.ip_local_port_range."
    )


def too_many_clients(wanted: int, there: int, limit: int, where: str, name: str) -> str:
    """Return that a server takes too few connections; empty when it takes `wanted` more than are `there`."""
    if wanted + there <= limit:
        return ""
    others = f", of which {there:,} are taken" if there else ""
    return (
        f"{where} takes {limit:,} connections ({name}){others}, and the load has {wanted:,}: raise that limit, or open "
        "fewer connections."
    )
