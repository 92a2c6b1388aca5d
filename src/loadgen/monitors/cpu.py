"""CPU time until a time. Values; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CpuTime:
    """The CPU time that something has used until a time; `now - before` is the time in between."""

    at_ns: int
    """Monotonic time; in a difference, its length."""
    cpu_ns: int

    def __sub__(self, before: CpuTime) -> CpuTime:
        return CpuTime(self.at_ns - before.at_ns, self.cpu_ns - before.cpu_ns)

    @property
    def share(self) -> float:
        """The number of CPUs kept busy, for a difference; 1.0 is one CPU."""
        return self.cpu_ns / self.at_ns if self.at_ns > 0 else 0.0
