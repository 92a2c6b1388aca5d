"""The monotonic clock of one simulated machine."""

from __future__ import annotations

from dataclasses import dataclass

_PER_UNIT = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LocalClock:
    """A clock that leads the world's by an offset, and gains on it evenly."""

    offset_ns: int = 0
    gain_ppb: int = 0
    """Nanoseconds in a second; 100,000 is as far as the clock of a computer is off."""

    def at(self, world_ns: int) -> int:
        """Return what the clock shows at a time of the world."""
        return self.offset_ns + world_ns + world_ns * self.gain_ppb // _PER_UNIT

    def world(self, local_ns: int) -> int:
        """Return the first time of the world at which the clock shows a time."""
        since_ns = local_ns - self.offset_ns
        guess_ns = since_ns * _PER_UNIT // (_PER_UNIT + self.gain_ppb) - 1
        while self.at(guess_ns) < local_ns:
            guess_ns += 1
        return guess_ns
