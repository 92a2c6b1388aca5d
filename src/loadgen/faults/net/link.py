"""A server's network link taken down."""

from __future__ import annotations

import time
from pathlib import Path

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.faults.net.filters import check
from loadgen.target.apart import INTERFACE
from loadgen.target.server import ManagedServer

_CARRIER_TIMEOUT_S = 2.0
_INTERVAL_S = 0.005


class LinkDown:
    """The server's end of the veth pair, down. It counts the losses of the carrier that the host's end has seen."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        check(server)
        self._server = server
        self._counter = Path("/sys/class/net", server.outer_interface, "carrier_down_count")
        self._before = self._losses()
        server.inside("ip", "link", "set", INTERFACE, "down")

    def effects(self) -> int:
        return self._losses() - self._before

    def end(self) -> None:
        self._server.inside("ip", "link", "set", INTERFACE, "up")
        # The kernel reports the carrier a moment later: until then, packets are dropped.
        deadline = time.monotonic() + _CARRIER_TIMEOUT_S
        while self._state() != "up" and time.monotonic() < deadline:
            time.sleep(_INTERVAL_S)

    def _state(self) -> str:
        return (self._counter.parent / "operstate").read_text().strip()

    def _losses(self) -> int:
        try:
            return int(self._counter.read_text())
        except OSError as error:
            raise FaultError(f"{self._counter} could not be read ({error.strerror}).") from None
