"""The offset of another process's monotonic clock from ours, measured by exchanges. This file reads no clock.

Monotonic clocks count from an arbitrary instant: the processes of one machine share the instant, two machines do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DRIFT_PPM = 200
"""Two clocks drift apart by less: the crystal of a computer is off by up to 100 parts in a million."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Bounds on the lead of the other clock over ours; negative where the other clock is behind.

    The other process reads its clock after we sent the request and before we receive the answer, so one exchange gives
    two bounds.
    """

    least_ns: int
    most_ns: int
    may_be_ours: bool = True
    """The other process may have our clock, and has it when the bounds allow 0. False: it is surely another one."""

    @classmethod
    def of_exchange(cls, asked_ns: int, clock_ns: int, answered_ns: int, may_be_ours: bool = True) -> ClockOffset:
        """Return the bounds from one exchange: `asked_ns` and `answered_ns` by our clock, `clock_ns` by the other."""
        return cls(clock_ns - answered_ns, clock_ns - asked_ns, may_be_ours)

    def aged(self, age_ns: int) -> ClockOffset:
        """Return the bounds that hold so long after they were measured."""
        drift_ns = drift(age_ns)
        return replace(self, least_ns=self.least_ns - drift_ns, most_ns=self.most_ns + drift_ns)

    def __and__(self, other: ClockOffset) -> ClockOffset:
        """Return the bounds common to both; where the clocks' drift has left none, return the narrower bounds."""
        least_ns, most_ns = max(self.least_ns, other.least_ns), min(self.most_ns, other.most_ns)
        if least_ns <= most_ns:
            return replace(self, least_ns=least_ns, most_ns=most_ns)
        return min(self, other, key=lambda offset: offset.most_ns - offset.least_ns)

    @property
    def is_ours(self) -> bool:
        """True when the other process has our clock, as two processes of one machine have."""
        return self.may_be_ours and self.least_ns <= 0 <= self.most_ns

    @property
    def error_ns(self) -> int:
        """The bound on the error of `ns`: 0 where the clocks are one, else half the distance of the bounds."""
        return 0 if self.is_ours else (self.most_ns - self.least_ns + 1) // 2

    @property
    def ns(self) -> int:
        """The offset: exactly 0 where the clocks are one, else the middle of the bounds."""
        return 0 if self.is_ours else (self.least_ns + self.most_ns) // 2


def drift(age_ns: int) -> int:
    """Return the most that two clocks drift apart in a time, in ns."""
    return -(-age_ns * DRIFT_PPM // 1_000_000)
