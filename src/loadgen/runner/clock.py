"""How far another process's monotonic clock is from ours, by what was asked and answered. It reads no clock itself.

Monotonic clocks count from an arbitrary instant: on one machine from the same one, on two machines not.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Bounds on how far the other clock is ahead of ours; below 0 where the other clock is behind.

    Whoever answers reads the clock after it was asked and before the answer is here, so one exchange gives two bounds.
    """

    least_ns: int
    most_ns: int

    @classmethod
    def of_exchange(cls, asked_ns: int, clock_ns: int, answered_ns: int) -> ClockOffset:
        """By one exchange: asked and answered by our clock, `clock_ns` by the other."""
        return cls(clock_ns - answered_ns, clock_ns - asked_ns)

    def __and__(self, other: ClockOffset) -> ClockOffset:
        """The bounds that both give; the narrower ones where clocks that drift have left nothing in common."""
        least_ns, most_ns = max(self.least_ns, other.least_ns), min(self.most_ns, other.most_ns)
        if least_ns <= most_ns:
            return ClockOffset(least_ns, most_ns)
        return min(self, other, key=lambda offset: offset.most_ns - offset.least_ns)

    @property
    def ns(self) -> int:
        """The offset: exactly 0 where the bounds allow it, as for two processes of one machine; else their middle."""
        return 0 if self.least_ns <= 0 <= self.most_ns else (self.least_ns + self.most_ns) // 2
