"""The intervals of a run, gathered by the phase of the load that they lie in. Values; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from loadgen.events import PhaseCounted
from loadgen.plan import LoadPhase
from loadgen.snapshot import Snapshot


class ByPhase:
    """What each phase came to, as its intervals are told one after the other."""

    def __init__(self, phases: Sequence[LoadPhase]) -> None:
        self._phases = phases
        self._ends_ns = list(accumulate(phase.length_ns for phase in phases))
        self._sums = [Snapshot() for _ in phases]
        self._lengths_ns = [0] * len(phases)

    def add(self, interval: Snapshot, from_ns: int, length_ns: int) -> None:
        """Counts an interval that begins so long after the window does, if it lies within one phase."""
        begin_ns = 0
        for place, end_ns in enumerate(self._ends_ns):
            if begin_ns <= from_ns and from_ns + length_ns <= end_ns:
                self._sums[place] += interval
                self._lengths_ns[place] += length_ns
            begin_ns = end_ns

    def counted(self) -> tuple[PhaseCounted, ...]:
        """Every phase in its order; one that no interval lies in has counts of nothing."""
        return tuple(map(PhaseCounted, self._phases, self._lengths_ns, self._sums))
