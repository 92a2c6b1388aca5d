"""A server killed by SIGKILL, and started again at the end of the fault, with its data or without."""

from __future__ import annotations

from loadgen.faults.fault import Fault
from loadgen.target.server import ManagedServer


class Kill:
    """A server that is down. It counts 1 once the server's process is gone."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        self._server = server
        self._empty = fault.parameters.get("data") == "gone"
        self._killed = not server.has_ended()
        server.kill()

    def effects(self) -> int:
        return int(self._killed)

    def end(self) -> None:
        # Another fault may have started the server already.
        if self._server.has_ended():
            self._server.restart(empty=self._empty)
