"""The rate of bytes that a server sends, limited by a token bucket (tc-tbf(8))."""

from __future__ import annotations

import json

from loadgen.faults.fault import Fault
from loadgen.faults.net.filters import check
from loadgen.target.apart import INTERFACE
from loadgen.target.server import ManagedServer

# Packets that would wait for longer are dropped, as in a router's queue.
_LONGEST_WAIT = "400ms"


class Throttle:
    """A queue with a rate on the server's end of the veth pair. It counts the packets held back or dropped."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        check(server)
        self._server = server
        rate, burst = fault.parameters["rate"], fault.parameters["burst"]
        bucket = ("tbf", "rate", f"{rate}bps", "burst", f"{burst}b", "latency", _LONGEST_WAIT)
        server.inside("tc", "qdisc", "add", "dev", INTERFACE, "root", *bucket)

    def effects(self) -> int:
        said = self._server.inside("tc", "-s", "-j", "qdisc", "show", "dev", INTERFACE)
        return counted(said)

    def end(self) -> None:
        self._server.inside("tc", "qdisc", "del", "dev", INTERFACE, "root")


def counted(said: str) -> int:
    """Return the packets that tc's JSON says its token buckets have held back or dropped."""
    return sum(each["overlimits"] + each["drops"] for each in json.loads(said) if each["kind"] == "tbf")
