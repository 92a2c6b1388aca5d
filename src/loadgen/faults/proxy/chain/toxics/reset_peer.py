"""`reset_peer`: resets the connection a time after its first data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.chunk import NEVER
from loadgen.faults.proxy.chain.toxics.behaviour import MS, Attribute, Behaviour

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub


class ResetPeer(Behaviour):
    """The first chunk, or the end of the stream, starts the `timeout`, after which the connection is closed.

    Nothing passes. The close is a reset (RST) on a connection that was made while the toxic was there, and the end of
    the stream on an older one. A wait that has begun cannot be interrupted. `stub.until_ns` is the time of the reset.
    """

    name = "reset_peer"
    go_name = "ResetToxic"
    takes = (Attribute("timeout", "ms"),)
    resets = True
    __slots__ = ()

    def step(self, stub: Stub, now_ns: int) -> bool:
        if stub.until_ns == NEVER:
            if not (stub.queue or stub.input_ended):
                return False
            if stub.queue:
                stub.queue.popleft()
            stub.until_ns = now_ns + max(self._values["timeout"], 0) * MS
        if now_ns < stub.until_ns:
            stub.wake_ns = stub.until_ns
            return False
        stub.take_effect()
        stub.close()
        return True

    def interrupt(self, stub: Stub) -> bool:
        return stub.until_ns == NEVER
