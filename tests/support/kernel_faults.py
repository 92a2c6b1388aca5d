"""Real servers in surroundings of their own, faults with their kinds' defaults, and a client that looks on."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from loadgen.faults.fault import Fault, Value
from loadgen.faults.kinds import KINDS, needs_of
from loadgen.faults.needs import missing
from loadgen.faults.surroundings import surroundings_for
from loadgen.server_plan import ServerPlan, loopback
from loadgen.target.server import ManagedServer

_USER = ("-u", "nobody") if os.geteuid() == 0 else ()
MEMCACHED = ServerPlan(
    "memcached",
    ("memcached", "-l", "{host}", "-p", "{port}", "-U", "0", "-t", "1", *_USER),
    loopback("memcache"),
    stop_timeout_ns=200_000_000,
)
REDIS = ServerPlan(
    "redis",
    (
        *("redis-server", "--bind", "{host}", "--port", "{port}", "--dir", "{dir}", "--protected-mode", "no"),
        *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
    ),
    loopback("resp"),
    stop_timeout_ns=200_000_000,
)


def fault(kind: str, seed: int = 0, **parameters: Value) -> Fault:
    """A fault on every node; the parameters that are not given are the kind's defaults."""
    row = KINDS[kind]
    assert parameters.keys() <= row.defaults().keys()
    return Fault(kind, row.layer, parameters=row.defaults() | parameters, seed=seed)


def server_for(kinds: Iterable[str], plan: ServerPlan = MEMCACHED) -> ManagedServer:
    """A server on which faults of these kinds can come; skips the test where this machine does not allow them."""
    kinds = tuple(kinds)
    if lacks := missing(needs_of(kinds)):
        pytest.skip("; ".join(map(str, lacks)))
    return ManagedServer(replace(plan, surroundings=surroundings_for(kinds)))


@dataclass
class Seen:
    """What a client saw that asked one question after the other, on one connection as long as it held."""

    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """By the name of the exception."""
    latencies_s: list[float] = field(default_factory=list)

    def quantile_s(self, share: float) -> float:
        return sorted(self.latencies_s)[int(share * (len(self.latencies_s) - 1))]


def ask_for(server: ManagedServer, duration_s: float, timeout_s: float = 0.3) -> Seen:
    """Asks the server, from outside of its namespace, for so long."""
    question, answer = (
        (b"mn\r\n", b"MN\r\n") if server.plan.target.protocol == "memcache" else (b"PING\r\n", b"+PONG\r\n")
    )
    seen, connection, end = Seen(), None, time.monotonic() + duration_s
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            if connection is None:
                connection = socket.create_connection((server.host, server.port), timeout=timeout_s)
            connection.sendall(question)
            if (said := connection.recv(100)) != answer:
                raise ConnectionResetError(f"answered {said!r}")
            seen.answered += 1
            seen.latencies_s.append(time.monotonic() - began)
        except OSError as error:
            seen.errors[type(error).__name__] += 1
            if connection is not None:
                connection.close()
            connection = None
            time.sleep(0.01)
    if connection is not None:
        connection.close()
    return seen


def answers_again(server: ManagedServer, within_s: float = 5.0) -> bool:
    """True as soon as the server answers a new connection."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if ask_for(server, 0.01).answered:
            return True
    return False
