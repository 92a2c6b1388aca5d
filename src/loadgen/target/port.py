"""Loopback ports: one that is free, whether one is taken, and by whom. It listens for a moment at most."""

from __future__ import annotations

import contextlib
import errno
import socket
from dataclasses import dataclass

import psutil


def free(host: str) -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


def is_taken(host: str, port: int) -> bool:
    """Whether a server could not listen there, as somebody else does."""
    try:
        # SO_REUSEADDR, which is set here: connections that are being forgotten are in nobody's way.
        socket.create_server((host, port)).close()
    except OSError as error:
        # Ports that only some may use are for the server to try.
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
    """Who listens there; None where the system does not say."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            address, listens = connection.laddr, connection.status == psutil.CONN_LISTEN
            if listens and address and address.port == port and connection.pid:
                process = psutil.Process(connection.pid)
                return Listener(process.pid, process.name(), process.create_time())
    return None
