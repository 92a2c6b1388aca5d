"""`timeout`: drops everything, and closes the connection after a time without data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.toxics.behaviour import MS, Attribute, Behaviour, end_on

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub


class Timeout(Behaviour):
    """Every chunk is dropped, and starts the time anew; a `timeout` of 0 never ends.

    The removal of the toxic closes the connection, because the protocol on it would be broken. `stub.until_ns` is the
    time of the end.
    """

    name = "timeout"
    go_name = "TimeoutToxic"
    takes = (Attribute("timeout", "ms"),)
    __slots__ = ()

    def begin(self, stub: Stub, now_ns: int) -> None:
        stub.until_ns = now_ns + self._values["timeout"] * MS

    def step(self, stub: Stub, now_ns: int) -> bool:
        dropped = len(stub.queue)
        if dropped:
            stub.queue.clear()
            stub.take_effect(dropped)
            self.begin(stub, now_ns)
        if self._values["timeout"] > 0:
            if now_ns >= stub.until_ns:
                stub.close()
                return True
            stub.wake_ns = stub.until_ns
        return end_on(stub) or dropped > 0

    def on_removed(self, stub: Stub) -> None:
        stub.close()
