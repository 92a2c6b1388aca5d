"""`cut`, which is loadgen's own: closes a connection at a byte that is drawn for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.faults.proxy.chain.toxics.limit_data import LimitData

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub


class Cut(LimitData):
    """A number of bytes passes that is drawn for each connection: uniform in 1 … 2 × `bytes` − 1, `bytes` in the mean.

    `stub.quota` is the number drawn.
    """

    name = "cut"
    go_name = "CutToxic"
    __slots__ = ()

    def begin(self, stub: Stub, now_ns: int) -> None:
        if stub.quota < 0:
            stub.quota = 1 + stub.draws.below("byte", 2 * max(self._values["bytes"], 1) - 1)

    def _limit(self, stub: Stub) -> int:
        return stub.quota
