"""Mutants of the proxy: toxics, and links that they are chained in, with one defect."""

from __future__ import annotations

from itertools import islice
from typing import Any

from loadgen.faults.proxy.chain.chunk import NEVER
from loadgen.faults.proxy.chain.stub import Stub
from loadgen.faults.proxy.chain.toxics.bandwidth import Bandwidth
from loadgen.faults.proxy.chain.toxics.latency import Latency
from loadgen.faults.proxy.chain.toxics.slicer import Slicer
from loadgen.faults.proxy.chain.toxics.slow_close import SlowClose
from loadgen.verify.mutants.mutant import Mutant, Where

TOXICS = "engine_toxics"

_slice, _take, _close = Slicer._slice, Bandwidth._take, Stub.close


def _swapped(self: Slicer, stub: Stub) -> None:
    """Cut a chunk, and put its second piece before the first."""
    _slice(self, stub)
    stub.pieces.rotate(-1)


def _second_at_once(self: Latency, stub: Stub) -> int:
    """Return no delay for a chunk that others wait behind."""
    return 0 if len(stub.queue) > 1 else self.attributes()["latency"] * 1_000_000


def _faster(self: Bandwidth, stub: Stub, now_ns: int) -> None:
    """Begin with a chunk, for which less time is owed than its bytes take."""
    _take(self, stub, now_ns)
    stub.until_ns -= (stub.until_ns - now_ns) // 4


def _kept_open(self: Stub) -> None:
    """End the output. Of a `slow_close`, the next stub is not told."""
    if isinstance(self.toxic.behaviour, SlowClose):
        self.closed = True
        self.wake_ns = NEVER
    else:
        _close(self)


def _emptied(self: Stub) -> None:
    """Hand on the first of the chunks that wait where a toxic is removed, and drop the others."""
    for _ in islice(self.queue.copy(), 1):
        self.hand_on()
    self.queue.clear()


def _row(name: str, breaks: str, *patches: tuple[object, str, Any]) -> Mutant:
    return Mutant(name, breaks, Where.PROXY, TOXICS, patches)


MUTANTS = (
    _row("slicer swaps pieces", "the first piece of a chunk that is sliced comes last", (Slicer, "_slice", _swapped)),
    _row(
        "slow_close never closes",
        "a connection that ends under the toxic is never closed",
        (Stub, "close", _kept_open),
    ),
    _row(
        "latency lets through",
        "a chunk that others wait behind is not delayed",
        (Latency, "_delay_ns", _second_at_once),
    ),
    _row("bandwidth too wide", "a chunk is held back for three quarters of its time", (Bandwidth, "_take", _faster)),
    _row(
        "removal drops",
        "of the chunks that wait at a toxic, its removal lets only the first go on",
        (Stub, "flush", _emptied),
    ),
)
