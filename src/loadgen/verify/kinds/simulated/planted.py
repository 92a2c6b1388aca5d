"""The faults that a seed plants in the built-in servers of a case of the engine, as `loadgen serve` can be told to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadgen.server._faults import Faults
from loadgen.units import NS_PER_MS, NS_PER_US
from loadgen.verify.tape import Tape

DELAYS, ERRORS, CLOSES, SLOW = range(4)
WORDS = (
    "server delays its replies",
    "server answers with errors",
    "server closes after some requests",
    "server reads slowly",
)
"""What can be planted. A freeze is a pause of the host; a black hole is what a partition is, without an end."""

SHARE = 0.3
"""Of the seeds, those in which servers have some of them."""

SLICE_NS = 10 * NS_PER_MS
"""The time that a slow reader waits between two reads; `_faults.pyx` has it."""


@dataclass(frozen=True, slots=True)
class Planted:
    """What every server of a case has planted in it, from its start to its end; a value of 0 is not planted."""

    delay_ns: int = 0
    jitter_ns: int = 0
    error_rate: float = 0.0
    close_after: int = 0
    read_bytes_per_s: int = 0

    @classmethod
    def drawn(cls, tape: Tape) -> Planted:
        if not tape.chance(SHARE, "faults are planted in servers"):
            return cls()
        chosen = 1 + tape.below((1 << len(WORDS)) - 1, "faults that are planted")
        has = [bool(chosen >> word & 1) for word in range(len(WORDS))]
        return cls(
            delay_ns=tape.choice((1, 20), "planted delay, in µs") * NS_PER_US if has[DELAYS] else 0,
            jitter_ns=tape.choice((0, 50), "planted jitter, in µs") * NS_PER_US if has[DELAYS] else 0,
            error_rate=tape.choice((0.01, 0.3), "planted share of errors") if has[ERRORS] else 0.0,
            close_after=tape.choice((100, 20), "requests after which a server closes") if has[CLOSES] else 0,
            read_bytes_per_s=tape.choice((1_000_000, 100_000), "bytes/s that a server reads") if has[SLOW] else 0,
        )

    @property
    def is_none(self) -> bool:
        return self == Planted()

    def faults(self, seed: int) -> Faults | None:
        """Return the faults of one server's process; None without any."""
        if self.is_none:
            return None
        return Faults(
            delay_ns=self.delay_ns,
            jitter_ns=self.jitter_ns,
            error_rate=self.error_rate,
            close_after=self.close_after,
            read_bytes_per_s=self.read_bytes_per_s,
            seed=seed,
        )

    @property
    def slice_ns(self) -> int:
        """The time by which a slow reader makes a round trip longer, on an idle connection."""
        return 2 * SLICE_NS if self.read_bytes_per_s else 0

    def least_ns(self, requests: int, connections: int, round_trip_ns: int) -> int:
        """About the time by which so many requests on so many connections take longer."""
        served_ns = requests * (self.delay_ns + self.jitter_ns)
        if not self.close_after:
            return served_ns
        # A connection that has answered is opened again at once, and greeted.
        closes = -(-requests // (self.close_after * connections))
        return served_ns + closes * 3 * round_trip_ns

    def narrowed(self, bytes_per_s: int) -> int:
        """Return the most bytes/s of a stream, which carries `bytes_per_s` without these faults."""
        return min(bytes_per_s, self.read_bytes_per_s or bytes_per_s)

    def reached(self, faults: Iterable[Faults | None]) -> dict[str, int]:
        """Return how often each had its effect, or for those that always do, whether it was planted."""
        found = [each for each in faults if each is not None]
        counts = (
            int(self.delay_ns > 0),
            sum(each.refused for each in found),
            sum(each.closed for each in found),
            int(self.read_bytes_per_s > 0),
        )
        return {f"planted: {word}": count for word, count in zip(WORDS, counts, strict=True)}

    def __str__(self) -> str:
        parts = {
            f"delays of {self.delay_ns / NS_PER_US:g} µs + up to {self.jitter_ns / NS_PER_US:g} µs": self.delay_ns,
            f"{self.error_rate:.0%} errors": self.error_rate,
            f"a close after {self.close_after} requests": self.close_after,
            f"reads of {self.read_bytes_per_s} bytes/s": self.read_bytes_per_s,
        }
        return ", ".join(part for part, planted in parts.items() if planted)
