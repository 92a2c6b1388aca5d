"""`limit_data`: closes a connection after a number of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.chunk import Chunk
from loadgen.faults.proxy.chain.toxics.behaviour import Attribute, Behaviour, end_on

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub


class LimitData(Behaviour):
    """Exactly `bytes` pass on each connection. `stub.passed` counts them, also over changes of the toxic."""

    name = "limit_data"
    go_name = "LimitDataToxic"
    takes = (Attribute("bytes", "bytes"),)
    __slots__ = ()

    def step(self, stub: Stub, now_ns: int) -> bool:
        moved = False
        while stub.queue and stub.after.has_room():
            chunk = stub.queue.popleft()
            data = chunk.data[: max(self._limit(stub) - stub.passed, 0)]
            if data:
                stub.after.put(Chunk(data, chunk.at_ns))
                stub.passed += len(data)
            moved = True
            if stub.passed >= self._limit(stub):
                stub.take_effect()
                stub.close()
                return True
        return end_on(stub) or moved

    def _limit(self, stub: Stub) -> int:
        return self._values["bytes"]
