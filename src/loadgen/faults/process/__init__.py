"""Faults of the process layer: a server's process is killed, stopped or limited, or its clock jumps."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.faults.disk.orders import Order
from loadgen.faults.layer import LayerFaults
from loadgen.faults.process.descriptors import DescriptorLimit
from loadgen.faults.process.kill import Kill
from loadgen.faults.process.memory import OutOfMemory
from loadgen.faults.process.pause import Pause
from loadgen.faults.process.pressure import MemoryPressure
from loadgen.faults.process.quota import CpuQuota
from loadgen.target.server import ManagedServer


class ProcessFaults(LayerFaults):
    """The interpreter of the process layer."""

    def __init__(self, servers: Sequence[ManagedServer]) -> None:
        super().__init__(
            servers,
            {
                "kill": Kill,
                "pause": Pause,
                "cpu_quota": CpuQuota,
                "oom": OutOfMemory,
                "fd_limit": DescriptorLimit,
                "memory_pressure": MemoryPressure,
                "clock_jump": Order,
            },
        )
