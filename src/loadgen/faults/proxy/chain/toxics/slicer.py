"""`slicer`: cuts chunks into small pieces, with a delay between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.chunk import NEVER, Chunk
from loadgen.faults.proxy.chain.toxics.behaviour import US, Attribute, Behaviour, end_on

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub


class Slicer(Behaviour):
    """Each chunk is halved, at a place that varies by `size_variation`, until pieces are about `average_size` bytes.

    `delay` follows each piece, the last one too. `stub.pieces` are those of the first chunk that have not gone, and
    `stub.until_ns` is the time at which the next one goes.
    """

    name = "slicer"
    go_name = "SlicerToxic"
    takes = (
        Attribute("average_size", "bytes", "int"),
        Attribute("size_variation", "bytes", "int"),
        Attribute("delay", "µs", "int"),
    )
    __slots__ = ()

    def begin(self, stub: Stub, now_ns: int) -> None:
        stub.until_ns = now_ns

    def step(self, stub: Stub, now_ns: int) -> bool:
        moved = False
        while True:
            if now_ns < stub.until_ns:
                stub.wake_ns = stub.until_ns
                return moved
            if not stub.pieces:
                if not stub.queue:
                    return end_on(stub) or moved
                self._slice(stub)
            if not stub.after.has_room():
                return moved
            stub.after.put(stub.pieces.popleft())
            if not stub.pieces:
                stub.queue.popleft()
            stub.until_ns = now_ns + max(self._values["delay"], 0) * US
            moved = True

    def interrupt(self, stub: Stub) -> bool:
        if stub.pieces:
            rest = b"".join(piece.data for piece in stub.pieces)
            stub.after.put(Chunk(rest, stub.queue.popleft().at_ns))
            stub.pieces.clear()
        stub.until_ns = NEVER
        return True

    def _slice(self, stub: Stub) -> None:
        chunk = stub.queue[0]
        stub.pieces = deque(
            Chunk(chunk.data[start:end], chunk.at_ns) for start, end in self._cuts(stub, 0, len(chunk.data))
        )
        if len(stub.pieces) > 1:
            stub.take_effect()

    def _cuts(self, stub: Stub, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the bounds of each piece. A draw that leaves nothing of a half is repeated."""
        average, variation = self._values["average_size"], self._values["size_variation"]
        length = end - start
        if length < 2 or length - average <= variation:
            yield start, end
            return
        middle = start + length // 2
        if variation > 0:
            half = middle
            middle = start
            while not start < middle < end:
                middle = half + stub.draws.below("size", 2 * variation) - variation
        yield from self._cuts(stub, start, middle)
        yield from self._cuts(stub, middle, end)
