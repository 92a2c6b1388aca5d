"""A server stopped by SIGSTOP, and resumed at the end of the fault."""

from __future__ import annotations

from pathlib import Path

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.target.server import ManagedServer


class Pause:
    """A server that the scheduler runs no more. It counts 1 once the system reports the process as stopped."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        self._server = server
        if server.has_ended():
            raise FaultError("the server is down.")
        server.pause()
        # The keeper has waited for the stop. Where there is a /proc, the process itself is looked at, too.
        self._stopped = _state(server.pid) in ("T", "")

    def effects(self) -> int:
        return int(self._stopped)

    def end(self) -> None:
        self._server.resume()


def _state(pid: int) -> str:
    """Return the state of a process by proc_pid_stat(5); empty where the system has no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
