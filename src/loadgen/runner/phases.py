"""The intervals of a run, summed by phase of the load. Values; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from loadgen.events import PhaseCounted
from loadgen.plan import LoadPhase
from loadgen.snapshot import Snapshot


class ByPhase:
    """The counts of each phase, summed from its intervals."""

    def __init__(self, phases: Sequence[LoadPhase]) -> None:
        self._phases = phases
        self._ends_ns = list(accumulate(phase.length_ns for phase in phases))
        self._sums = [Snapshot() for _ in phases]
        self._lengths_ns = [0] * len(phases)

    def add(self, interval: Snapshot, from_ns: int, length_ns: int) -> None:
        """Add an interval that begins `from_ns` after the window begins, if the interval lies within one phase."""
        begin_ns = 0
        for place, end_ns in enumerate(self._ends_ns):
            if begin_ns <= from_ns and from_ns + length_ns <= end_ns:
                self._sums[place] += interval
                self._lengths_ns[place] += length_ns
            begin_ns = end_ns

    def counted(self) -> tuple[PhaseCounted, ...]:
        """Return every phase in order; a phase without an interval has counts of zero."""
        return tuple(map(PhaseCounted, self._phases, self._lengths_ns, self._sums))
