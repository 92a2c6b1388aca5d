"""The types of toxics, a file each. No sockets and no clock: a toxic is told the time."""

from __future__ import annotations

from loadgen.faults.proxy.chain.toxics.bandwidth import Bandwidth
from loadgen.faults.proxy.chain.toxics.behaviour import Behaviour
from loadgen.faults.proxy.chain.toxics.cut import Cut
from loadgen.faults.proxy.chain.toxics.latency import Latency
from loadgen.faults.proxy.chain.toxics.limit_data import LimitData
from loadgen.faults.proxy.chain.toxics.noop import Noop
from loadgen.faults.proxy.chain.toxics.reset_peer import ResetPeer
from loadgen.faults.proxy.chain.toxics.slicer import Slicer
from loadgen.faults.proxy.chain.toxics.slow_close import SlowClose
from loadgen.faults.proxy.chain.toxics.timeout import Timeout

TYPES: dict[str, type[Behaviour]] = {
    row.name: row for row in (Latency, Bandwidth, SlowClose, Timeout, ResetPeer, Slicer, LimitData, Noop, Cut)
}
"""By the name of the API. `cut` is loadgen's own; the others are Toxiproxy's."""

IDLE = Noop()
"""The behaviour of a toxic on a connection that it is not on, and of a link's first stub."""
