"""The process that a monitor reads: by its number, by its name, or by the port on which it listens."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

import psutil

from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Endpoint
from loadgen.target.talk.conversation import connected

_EVERYWHERE = ("0.0.0.0", "::")
_CONNECT_TIMEOUT_S = 1.0

Process = tuple[int, float]
"""The number of a process, and the Unix time of its start: another process may get the number."""


def process_of(plan: MonitorPlan, under: UnderLoad) -> Callable[[], int]:
    """Return a function that returns the process's number at each call, and raises Unreadable where there is none."""
    if plan.pid:
        return _Numbered(plan.pid).pid
    if plan.process:
        return _Sought(lambda: _named(plan.process), f"no process is named {plan.process}").pid
    if plan.server is None and under.pid is not None:
        return lambda: _managed(under)
    target = plan.server or under.target
    if target is None:
        return _nothing_named
    [endpoint, *_] = target.endpoints
    return _Sought(lambda: _listening(endpoint), f"no process of this host is seen to listen on {endpoint}").pid


class _Numbered:
    """The process of a given number, and no later one of that number."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began_s: float | None = None

    def pid(self) -> int:
        began_s = _began_s(self._pid)
        if began_s is None:
            ended = "there is no process {}" if self._began_s is None else "process {} has ended"
            raise Unreadable(ended.format(self._pid))
        self._began_s = self._began_s or began_s
        if began_s != self._began_s:
            raise Unreadable(f"process {self._pid} has ended, and another one has its number")
        return self._pid


class _Sought:
    """A process that is sought, and sought again when it has ended."""

    def __init__(self, seek: Callable[[], int | None], absent: str) -> None:
        self._seek = seek
        self._absent = absent
        self._found: Process | None = None

    def pid(self) -> int:
        if self._found is None or _began_s(self._found[0]) != self._found[1]:
            self._found = None
            pid = self._seek()
            began_s = _began_s(pid) if pid is not None else None
            if pid is None or began_s is None:
                raise Unreadable(self._absent)
            self._found = pid, began_s
        return self._found[0]


def _nothing_named() -> int:
    raise Unreadable("no process is named, and no server is under load; write pid, process or server")


def _managed(under: UnderLoad) -> int:
    assert under.pid is not None
    if pid := under.pid():
        return pid
    raise Unreadable("the server is not running")


def _began_s(pid: int) -> float | None:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    return None


def _named(name: str) -> int | None:
    """Return the oldest process of a name: that which has started the others, where there are several."""
    processes = psutil.process_iter(["pid", "name", "create_time", "status"])
    found = [
        (each.info["create_time"], int(each.info["pid"]))
        for each in processes
        if each.info["name"] == name and each.info["status"] != psutil.STATUS_ZOMBIE
    ]
    return min(found)[1] if found else None


def _listening(endpoint: Endpoint) -> int | None:
    """Return the process that listens at an address of this host; None where the system names none."""
    if endpoint.path:
        return _listening_at_path(endpoint)
    ours = {address.address for found in psutil.net_if_addrs().values() for address in found}
    if endpoint.address not in ours and not endpoint.address.startswith("127."):
        raise Unreadable(f"{endpoint} is on another host, whose processes cannot be read from here")
    pids = dict[str, int]()
    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp"):
            where = each.laddr
            if each.status == psutil.CONN_LISTEN and each.pid and where and where.port == endpoint.port:
                pids[where.ip] = int(each.pid)
    return next((pids[ip] for ip in (endpoint.address, *_EVERYWHERE) if ip in pids), None)


def _listening_at_path(endpoint: Endpoint) -> int | None:
    """Return the process that listens at a Unix socket: Linux names it to who connects (SO_PEERCRED of unix(7))."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    with contextlib.suppress(OSError), connected(endpoint, _CONNECT_TIMEOUT_S) as connection:
        pid, _, _ = struct.unpack(
            "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        )
        return pid or None
    return None
