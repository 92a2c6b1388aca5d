"""Loopback ports: find a free port, check a port, and name its listener. Listens for a moment at most."""

from __future__ import annotations

import contextlib
import errno
import socket
from dataclasses import dataclass

import psutil


def free(host: str) -> int:
    """Return a TCP port on which no process listens at this moment."""
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
