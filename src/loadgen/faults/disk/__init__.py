"""Faults of the disk layer: the files that a server writes."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.faults.disk.crash import BitFlip, CrashMidWrite, PowerCut, TornTail
from loadgen.faults.disk.full import DiskFull
from loadgen.faults.disk.orders import COUNTERS, Order
from loadgen.faults.layer import LayerFaults
from loadgen.target.server import ManagedServer


class DiskFaults(LayerFaults):
    """The interpreter of the disk layer."""

    def __init__(self, servers: Sequence[ManagedServer]) -> None:
        super().__init__(
            servers,
            {
                **dict.fromkeys(COUNTERS, Order),
                "disk_full": DiskFull,
                "power_cut": PowerCut,
                "torn_tail": TornTail,
                "bit_flip": BitFlip,
                "crash_mid_write": CrashMidWrite,
            },
        )
