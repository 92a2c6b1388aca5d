"""How long a failed job waits before its next attempt. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from loadgen.units import NS_PER_S


class Growth(StrEnum):
    """How the wait grows with the attempts."""

    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class Backoff:
    """The waits between the attempts of a job. Times are in ns."""

    growth: Growth = Growth.EXPONENTIAL
    initial_ns: int = NS_PER_S
    longest_ns: int = 60 * NS_PER_S
    jitter: float = 0.1
    """The most that a wait differs from its nominal length, either way, as a share of that."""

    def nominal_ns(self, failures: int) -> int:
        """Return the wait after so many failures, from 1, without jitter."""
        match self.growth:
            case Growth.FIXED:
                wait_ns = self.initial_ns
            case Growth.LINEAR:
                wait_ns = self.initial_ns * failures
            case Growth.EXPONENTIAL:
                # Beyond 63 doublings every wait is the longest.
                wait_ns = self.initial_ns << min(failures - 1, 63)
        return min(wait_ns, self.longest_ns)

    def wait_ns(self, failures: int, draw: float) -> int:
        """Return the wait after so many failures, from 1. `draw` is uniform in [0, 1)."""
        return round(self.nominal_ns(failures) * (1.0 + self.jitter * (2.0 * draw - 1.0)))
