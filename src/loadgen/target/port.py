"""Loopback ports: find a free port, check a port, and name its listener. Listens for a moment at most."""

from __future__ import annotations

import contextlib
import errno
import random
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""The first and the last of the ports that Linux gives to outgoing connections."""

_LEAST = 10_000
"""Below are ports of well-known services."""

MOST = 65_535
"""The highest port."""

_ATTEMPTS = 100

_DRAWS = random.SystemRandom()
"""Its draws differ between processes that begin with the same seed."""


def free(host: str, distance: int = 0) -> int:
    """Return a TCP port on which no process listens at this moment, nor on the port at this distance above.

    On Linux, it is none of those that outgoing connections get: one of these may be taken while a server that was
    killed is not yet started again.
    """
    try:
        end = int(_OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        end = 0
    # Where outgoing connections begin so low, those above are all that is left.
    end = end - distance if end - distance > _LEAST else MOST - distance if distance else end
    for _ in range(_ATTEMPTS if end > _LEAST else 0):
        port = _DRAWS.randrange(_LEAST, end)
        if not is_taken(host, port) and not (distance and is_taken(host, port + distance)):
            return port
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


def is_taken(host: str, port: int) -> bool:
    """True when another process listens on the port, so that a server could not."""
    try:
        # create_server sets SO_REUSEADDR, so that connections in TIME_WAIT do not count as a listener.
        socket.create_server((host, port)).close()
    except OSError as error:
        # Privileged ports are for the server to try.
        return error.errno == errno.EADDRINUSE
    return False


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens on a port."""

    pid: int
    name: str
    began_s: float
    """Unix time."""

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def listener(port: int) -> Listener | None:
    """Return the process that listens on the port; None when there is none or the system does not say."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            address, listens = connection.laddr, connection.status == psutil.CONN_LISTEN
            if listens and address and address.port == port and connection.pid:
                process = psutil.Process(connection.pid)
                return Listener(process.pid, process.name(), process.create_time())
    return None
