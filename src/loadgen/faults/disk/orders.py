"""Faults that the library in a server carries out: slow fsyncs, failing calls, a read-only disk, a jumping clock."""

from __future__ import annotations

from collections.abc import Mapping

from loadgen.faults.disk.notes import Notes, Number
from loadgen.faults.fault import Fault
from loadgen.target.server import ManagedServer

_WHOLE = 1 << 32


def _orders(fault: Fault) -> Mapping[Number, int]:
    """Return the numbers to set for a fault."""
    match fault.kind:
        case "slow_fsync":
            return {Number.FSYNC_DELAY_NS: int(fault.parameters["delay"])}
        case "io_error":
            share = round(float(fault.parameters["probability"]) * _WHOLE)
            return {Number.SEED: fault.seed % (1 << 64), Number.FAIL_SHARE: share}
        case "clock_jump":
            sign = -1 if fault.parameters["towards"] == "back" else 1
            return {Number.CLOCK_SHIFT_NS: sign * int(fault.parameters["jump"])}
        case _:
            return {Number.READ_ONLY: 1}


COUNTERS = {
    "slow_fsync": Number.DELAYED,
    "io_error": Number.FAILED,
    "read_only": Number.REFUSED,
    "clock_jump": Number.CLOCK_READ,
}
"""The number that counts the effects of each kind."""


class Order:
    """An order to the library, which counts the calls on which it took effect."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        self._notes = Notes.of(server)
        self._counter = COUNTERS[fault.kind]
        self._before = self._notes[self._counter]
        self._numbers = _orders(fault)
        for number, value in self._numbers.items():
            self._notes[number] = value

    def effects(self) -> int:
        return self._notes[self._counter] - self._before

    def end(self) -> None:
        for number in self._numbers:
            self._notes[number] = 0
