"""`latency`: delays each chunk, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.chunk import NEVER, Chunk
from loadgen.faults.proxy.chain.toxics.behaviour import MS, Attribute, Behaviour, end_on

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub


class Latency(Behaviour):
    """Each chunk waits `latency` ± `jitter` from its arrival, less what it has waited behind others.

    The stub reads on while chunks wait. A chunk's delay is drawn when the chunk before it has gone. `stub.until_ns` is
    the time at which the first chunk goes, `stub.sleep_ns` the time that it waits.
    """

    name = "latency"
    go_name = "LatencyToxic"
    takes = (Attribute("latency", "ms"), Attribute("jitter", "ms"))
    buffered = 1024
    __slots__ = ()

    def step(self, stub: Stub, now_ns: int) -> bool:
        moved = False
        while stub.queue:
            chunk = stub.queue[0]
            if stub.until_ns == NEVER:
                stub.sleep_ns = self._delay_ns(stub) - (now_ns - chunk.at_ns)
                stub.until_ns = now_ns + max(stub.sleep_ns, 0)
                if stub.sleep_ns > 0:
                    stub.take_effect()
            if now_ns < stub.until_ns:
                stub.wake_ns = stub.until_ns
                return moved
            if not stub.after.has_room():
                return moved
            self._send(stub)
            moved = True
        return end_on(stub) or moved

    def interrupt(self, stub: Stub) -> bool:
        if stub.queue and stub.until_ns != NEVER:
            self._send(stub)
        return True

    def _send(self, stub: Stub) -> None:
        chunk = stub.queue.popleft()
        stub.until_ns = NEVER
        stub.after.put(Chunk(chunk.data, chunk.at_ns + stub.sleep_ns))

    def _delay_ns(self, stub: Stub) -> int:
        delay, jitter = self._values["latency"], self._values["jitter"]
        if jitter > 0:
            delay += stub.draws.below("jitter", 2 * jitter) - jitter
        return delay * MS
