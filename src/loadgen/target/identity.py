"""Which server it is that answers, in its own words: what a reader of the results wants to know first."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

from loadgen.plan import Endpoint, Plan

# A server that does not say who it is within this time is measured all the same.
PATIENCE_S = 1.0

# Servers that speak RESP call themselves redis for compatibility; what they are stands in a field of their own.
RESP_NAMES = {
    "loadgen_version": "loadgen serve",
    "dragonfly_version": "dragonfly",
    "valkey_version": "valkey",
    "redis_version": "redis",
}


def identify(plan: Plan) -> str:
    """The name and version of the server at each endpoint, such as `redis 7.0.15`; empty where none says.

    Asks on a connection of its own, once per endpoint: `INFO server`, or memcache's `version`.
    """
    ask = _memcache if plan.protocol == "memcache" else _resp
    names: dict[str, None] = {}
    for endpoint in plan.endpoints:
        with contextlib.suppress(OSError, ValueError):
            names[ask(endpoint, plan)] = None
    return ", ".join(filter(None, names))


def _resp(endpoint: Endpoint, plan: Plan) -> str:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    server = redis.Redis(
        host=endpoint.address,
        port=endpoint.port,
        username=plan.username or None,
        password=plan.password or None,
        protocol=2,
        driver_info=None,
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        info: Mapping[str, object] = server.info("server")
    except redis.RedisError:
        return ""
    finally:
        server.close()
    return next((f"{name} {info[field]}" for field, name in RESP_NAMES.items() if field in info), "")


def _memcache(endpoint: Endpoint, plan: Plan) -> str:
    with socket.create_connection((endpoint.address, endpoint.port), PATIENCE_S) as connection:
        connection.sendall(b"version\r\n")
        word, _, version = connection.recv(200).decode().strip().partition(" ")
    return f"memcached {version}" if word == "VERSION" else ""
