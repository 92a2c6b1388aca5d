"""The offset of another process's monotonic clock from ours, measured by exchanges. This file reads no clock.

Monotonic clocks count from an arbitrary instant: the processes of one machine share the instant, two machines do not.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Bounds on the lead of the other clock over ours; negative where the other clock is behind.

    The other process reads its clock after we sent the request and before we receive the answer, so one exchange gives
    two bounds.
    """

    least_ns: int
    most_ns: int

    @classmethod
    def of_exchange(cls, asked_ns: int, clock_ns: int, answered_ns: int) -> ClockOffset:
        """Return the bounds from one exchange: `asked_ns` and `answered_ns` by our clock, `clock_ns` by the other."""
        return cls(clock_ns - answered_ns, clock_ns - asked_ns)

    def __and__(self, other: ClockOffset) -> ClockOffset:
        """Return the bounds common to both; where the clocks' drift has left none, return the narrower bounds."""
        least_ns, most_ns = max(self.least_ns, other.least_ns), min(self.most_ns, other.most_ns)
        if least_ns <= most_ns:
            return ClockOffset(least_ns, most_ns)
        return min(self, other, key=lambda offset: offset.most_ns - offset.least_ns)

    @property
    def error_ns(self) -> int:
        """The bound on the error of `ns`: 0 where the clocks are one, else half the distance of the bounds."""
        return 0 if self.ns == 0 else (self.most_ns - self.least_ns + 1) // 2

    @property
    def ns(self) -> int:
        """The offset: exactly 0 where the bounds allow 0, as for two processes of one machine; else their middle."""
        return 0 if self.least_ns <= 0 <= self.most_ns else (self.least_ns + self.most_ns) // 2
