"""`slow_close`: delays the close of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.chunk import NEVER
from loadgen.faults.proxy.chain.toxics.behaviour import MS, Attribute, Behaviour

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub


class SlowClose(Behaviour):
    """The end of the stream is handed on after `delay`; chunks pass at once. `stub.until_ns` is the time of the end."""

    name = "slow_close"
    go_name = "SlowCloseToxic"
    takes = (Attribute("delay", "ms"),)
    __slots__ = ()

    def step(self, stub: Stub, now_ns: int) -> bool:
        moved = False
        while stub.queue and stub.after.has_room():
            stub.hand_on()
            moved = True
        if stub.queue or not stub.input_ended:
            return moved
        if stub.until_ns == NEVER:
            stub.until_ns = now_ns + max(self._values["delay"], 0) * MS
            stub.take_effect()
        if now_ns < stub.until_ns:
            stub.wake_ns = stub.until_ns
            return moved
        stub.close()
        return True
