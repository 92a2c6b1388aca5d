"""`bandwidth`: limits the rate of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.chunk import NEVER, Chunk
from loadgen.faults.proxy.chain.toxics.behaviour import MS, Attribute, Behaviour, end_on

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub

PIECE_NS = 100 * MS
"""A chunk that takes longer is sent in pieces of this time."""


class Bandwidth(Behaviour):
    """Each chunk waits for its length divided by `rate`, in KB (1,000 bytes) per second; a rate of 0 never ends.

    Nothing is buffered: the sender is held up. `stub.sleep_ns` is the time still owed for the first chunk, which is
    below 0 when a chunk was late; `stub.started_ns` is the beginning of the wait until `stub.until_ns`.
    """

    name = "bandwidth"
    go_name = "BandwidthToxic"
    takes = (Attribute("rate", "KB/s"),)
    __slots__ = ()

    def step(self, stub: Stub, now_ns: int) -> bool:
        moved = False
        while stub.queue:
            if stub.started_ns == NEVER:
                self._take(stub, now_ns)
            rate = self._values["rate"]
            if rate <= 0:
                return moved
            if now_ns < stub.until_ns:
                stub.wake_ns = stub.until_ns
                return moved
            if not stub.after.has_room():
                return moved
            self._send(stub, now_ns, rate * 100)
            moved = True
        return end_on(stub) or moved

    def interrupt(self, stub: Stub) -> bool:
        if stub.queue and stub.started_ns != NEVER:
            stub.hand_on()
        return True

    def _take(self, stub: Stub, now_ns: int) -> None:
        """Begin with the first chunk."""
        rate, length = self._values["rate"], len(stub.queue[0].data)
        stub.sleep_ns = stub.sleep_ns + length * MS // rate if rate > 0 else 0
        if rate <= 0 or stub.sleep_ns > 0:
            stub.take_effect()
        self._wait(stub, now_ns, PIECE_NS if length > rate * 100 else stub.sleep_ns)

    def _wait(self, stub: Stub, now_ns: int, for_ns: int) -> None:
        stub.started_ns = now_ns
        stub.until_ns = now_ns + max(for_ns, 0)

    def _send(self, stub: Stub, now_ns: int, piece_bytes: int) -> None:
        """Hand on the first chunk, or the piece of it whose time has come."""
        chunk = stub.queue[0]
        if len(chunk.data) > piece_bytes:
            stub.after.put(Chunk(chunk.data[:piece_bytes], chunk.at_ns))
            stub.queue[0] = Chunk(chunk.data[piece_bytes:], chunk.at_ns)
            stub.sleep_ns -= PIECE_NS
            rest = len(chunk.data) - piece_bytes
            self._wait(stub, now_ns, PIECE_NS if rest > piece_bytes else stub.sleep_ns)
        else:
            # A wait that was too long is made good by the next one.
            stub.sleep_ns -= now_ns - stub.started_ns
            stub.started_ns = stub.until_ns = NEVER
            stub.hand_on()
