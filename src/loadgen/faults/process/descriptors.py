"""The file descriptors of a server, limited so that it can accept no further connection."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.target.apart import tool
from loadgen.target.server import ManagedServer
from loadgen.target.talk.conversation import connected

# From include/net/tcp_states.h.
_LISTEN = "0A"

_ACCEPT_TIMEOUT_S = 1.0
_INTERVAL_S = 0.001


class DescriptorLimit:
    """A server whose connections go on, and which has no descriptor for another, also when one closes.

    It counts the connections that wait for the server to accept them.

    The kernel takes a connection out of the listener's queue only after it has found a descriptor for it: what lies in
    the queue of a server that has none left is what could not be accepted. A connection that its client closes stays
    there. The most that was found at once is counted.

    A connection of the fault's own is open while the fault lasts: memcached, which has stopped listening for want of
    descriptors, listens again only when a connection closes.
    """

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        self._server = server
        self._most = 0
        if server.has_ended():
            raise FaultError("the server is down.")
        pid = server.pid
        self._connection = _accepted(server)
        try:
            self._before = _soft_limit(pid)
            _set(pid, str(_limit(_descriptors(pid, server.port), int(fault.parameters["spare"]))))
        except OSError as error:
            self._connection.close()
            raise FaultError(f"the descriptors of process {pid} could not be limited ({error}).") from None
        self._pid = pid

    def effects(self) -> int:
        self._most = max(self._most, self._waiting())
        return self._most

    def end(self) -> None:
        try:
            if self._server.pid == self._pid and not self._server.has_ended():
                _set(self._pid, self._before)
        except OSError as error:
            raise FaultError(f"the limit of process {self._pid} could not be raised again ({error}).") from None
        finally:
            self._connection.close()
        with contextlib.suppress(FaultError):
            # A server that has stopped listening needs a moment: without it, the next connects would be lost for 1 s.
            _accepted(self._server).close()

    def _waiting(self) -> int:
        """Return the length of the listener's queue."""
        return waiting(self._pid, self._server.port)


def _accepted(server: ManagedServer) -> socket.socket:
    """Return a connection that the server has accepted, or at least has had the time to. Raises FaultError."""
    try:
        connection = connected(server.endpoint, _ACCEPT_TIMEOUT_S)
    except OSError as error:
        raise FaultError(f"the server accepts no connection ({error}).") from None
    deadline = time.monotonic() + _ACCEPT_TIMEOUT_S
    while waiting(server.pid, server.port) and time.monotonic() < deadline:
        time.sleep(_INTERVAL_S)
    return connection


def _descriptors(pid: int, port: int) -> set[int]:
    """Return the descriptors that a process has open for other things than connections to its port."""
    connections = {f"socket:[{each.inode}]" for each in _sockets(pid) if each.port == port and each.state != _LISTEN}
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        # A descriptor may be closed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if str(path.readlink()) not in connections:
                found.add(int(path.name))
    return found


def _soft_limit(pid: int) -> str:
    """Return the soft limit by proc_pid_limits(5): a number, or "unlimited"."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[3] for line in lines if line.startswith("Max open files"))


def _set(pid: int, soft_limit: str) -> None:
    """Set the soft limit, as the process's own user: only that user may, and who has CAP_SYS_RESOURCE (prlimit(2)).

    The hard limit stays, so that the soft one can be raised again. Raises OSError.
    """
    command = [tool("prlimit"), "--pid", str(pid), f"--nofile={soft_limit}:"]
    own = {
        line.split()[0]: int(line.split()[1])
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith(("Uid:", "Gid:"))
    }
    if os.geteuid() == 0 and own["Uid:"] != 0:
        ran = subprocess.run(command, capture_output=True, text=True, user=own["Uid:"], group=own["Gid:"])
    else:
        ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise OSError(ran.stderr.strip())


def _limit(taken: set[int], spare: int) -> int:
    """Return the number below which so many descriptors are free: the system gives out the lowest free one."""
    number = 0
    while spare or number in taken:
        spare -= number not in taken
        number += 1
    return number


def waiting(pid: int, port: int) -> int:
    """Return the connections that wait to be accepted on a port, in the network namespace of a process.

    For a listener, `rx_queue` is the length of its queue. 0 when the process is gone.
    """
    return sum(each.queued for each in _sockets(pid) if each.port == port and each.state == _LISTEN)


@dataclass(frozen=True, slots=True)
class _Socket:
    port: int
    state: str
    queued: int
    inode: str


def _sockets(pid: int) -> Iterator[_Socket]:
    """Yield the TCP sockets in the network namespace of a process, by tcp and tcp6 of proc_net(5)."""
    for name in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, _, state, queues, _, _, _, _, inode = line.split()[:10]
            yield _Socket(int(local.rpartition(":")[2], 16), state, int(queues.partition(":")[2], 16), inode)
