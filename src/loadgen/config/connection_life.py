"""The rules between keys on the life of connections, and between them and this machine.

As in `contradictions`, each rule yields Problems that name the keys involved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address

from loadgen.config.document.problem import Problem
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.schema import Config
from loadgen.host.ports import MOST_PORTS, is_own_address
from loadgen.protocol import PROTOCOLS, Wire
from loadgen.server_address import parse_endpoint

_PROTOCOL = ("target", "protocol")
_ENDPOINTS = ("target", "endpoints")
_TRACKING = ("target", "tracking")
_NOLOOP = ("target", "tracking_noloop")
_CONNECTIONS = ("connection", "connections")
_IDLE = ("connection", "idle")
_SOURCES = ("connection", "source_addresses")
_EVERY = ("connection", "reconnect_every")
_BY = ("connection", "reconnect_by")


def _only_resp3_tracks(config: Config) -> Iterator[Problem]:
    target = config.target
    if target.tracking != "off" and not PROTOCOLS[target.protocol].begins_with_hello:
        yield Problem(
            (_TRACKING, _PROTOCOL),
            ProblemCode.RESP3_ONLY,
            f'is for RESP3, in which a server pushes the names of keys, and the protocol is "{target.protocol}"; set '
            'target.protocol to "resp3" (-3), or leave tracking out',
        )
    if target.tracking_noloop and target.tracking == "off":
        yield Problem(
            (_NOLOOP, _TRACKING),
            ProblemCode.NEVER_USED,
            'is an option of tracking, which is "off"; set target.tracking to "on" or "bcast"',
        )


def _something_is_reset(config: Config) -> Iterator[Problem]:
    if config.connection.reconnect_by != "reset":
        return
    if PROTOCOLS[config.target.protocol].wire is not Wire.RESP:
        yield Problem(
            (_BY, _PROTOCOL),
            ProblemCode.RESP_ONLY,
            'is "reset", a command that memcache does not have; write "close"',
        )
    if config.connection.reconnect_every == 0:
        yield Problem(
            (_BY, _EVERY),
            ProblemCode.NEVER_USED,
            'is "reset", and no connection\'s life ends; set connection.reconnect_every, such as 100 or "5s"',
        )


def _sources_are_here(config: Config) -> Iterator[Problem]:
    sources = config.connection.source_addresses
    for index, source in enumerate(sources):
        if source in sources[:index]:
            yield Problem((_SOURCES,), ProblemCode.TWICE, f'names "{source}" twice; name each address once')
        elif not is_own_address(source):
            yield Problem(
                (_SOURCES,),
                ProblemCode.ABSENT_ADDRESS,
                f"names {source}, which is no address of this machine; add it (ip address add {source} dev …), or name "
                "addresses that `ip address` shows",
            )


def _sources_reach_the_servers(config: Config) -> Iterator[Problem]:
    """Yield a problem for numeric endpoints of a version of IP in which there is no source address."""
    sources = {ip_address(source).version for source in config.connection.source_addresses}
    if sources and _has_sockets_only(config):
        yield Problem(
            (_SOURCES, _ENDPOINTS),
            ProblemCode.NEVER_USED,
            "names addresses that connections come from, and a Unix socket has none; leave it out",
        )
        return
    for endpoint in config.target.endpoints if sources else ():
        with suppress(ValueError):
            address = ip_address(parse_endpoint(endpoint).host)
            if address.version not in sources:
                yield Problem(
                    (_SOURCES, _ENDPOINTS),
                    ProblemCode.ABSENT_ADDRESS,
                    f"names no IPv{address.version} address, from which {endpoint} could be reached; name one",
                )
                return


def _ports_suffice(config: Config) -> Iterator[Problem]:
    if _has_sockets_only(config):
        return
    connection = config.connection
    each = -(-(connection.connections + connection.idle) // config.target.servers)
    sources = max(1, len(connection.source_addresses))
    if each > sources * MOST_PORTS:
        needed = -(-each // MOST_PORTS)
        yield Problem(
            (_IDLE if connection.idle else _CONNECTIONS, _SOURCES),
            ProblemCode.FEW_PORTS,
            f"{each} connections to one server need {needed} source addresses, as each has at most {MOST_PORTS} ports; "
            f"name {needed} in connection.source_addresses, or open fewer connections",
        )


def _has_sockets_only(config: Config) -> bool:
    endpoints = config.target.endpoints
    return bool(endpoints) and all(parse_endpoint(endpoint).path for endpoint in endpoints)


RULES: tuple[Callable[[Config], Iterator[Problem]], ...] = (
    _only_resp3_tracks,
    _something_is_reset,
    _sources_are_here,
    _sources_reach_the_servers,
    _ports_suffice,
)
