"""The events of a stress test: its beginning, the end of each load, and its end. Values; no I/O."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.events import Ending, Event, Result
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.units import NS_PER_S
from loadgen.verify.case import Verdict
from loadgen.verify.stress.shape import Shape

NOTHING_MEASURED = Reason(Code.NOTHING_JUDGED, "no load was put on", Severity.UNKNOWN)

_VERDICTS = {Severity.GOOD: Verdict.PASS, Severity.FAILED: Verdict.FAIL, Severity.BREACHED: Verdict.FAIL}
"""By severity, the verdict on a load; every other severity leaves it untold."""


@dataclass(frozen=True, slots=True)
class StressBegan(Event):
    """The beginning of a stress test."""

    shapes: tuple[Shape, ...]
    version: str
    options: Mapping[str, str]
    """What all loads have in common, in words: their length, mix and loop."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Stressed(Event):
    """The end of the load of one shape. Its result has been an event of its own before."""

    shape: Shape
    seed: int
    took_ns: int
    """The time from the server's start to its end."""
    replay: str
    """The command that puts on this load again."""
    identity: str = ""
    """Name and version of the server in its own words."""
    result: Result | None = None
    """None for a load that was not put on."""
    memory_bytes: int | None = None
    """The most resident memory of a server that loadgen started, else what the server says it uses. None: not known."""
    skipped: str = ""
    """Why the load was not put on, on purpose."""
    failure: str = ""
    """Why the load could not be put on."""
    wall_s: float = field(default_factory=time.time)

    @property
    def severity(self) -> Severity:
        if self.failure:
            return Severity.COULD_NOT_RUN
        return self.result.severity if self.result is not None else Severity.GOOD

    @property
    def verdict(self) -> Verdict:
        return Verdict.SKIPPED if self.skipped else _VERDICTS.get(self.severity, Verdict.UNTOLD)

    @property
    def throughput_per_s(self) -> float | None:
        return self.result.throughput_per_s if self.result is not None else None

    @property
    def in_flight_per_key(self) -> float | None:
        """The mean number of requests under way on each key, by Little's law: throughput × mean service time / keys.

        Above 1, requests of several connections are on the same key at the same time.
        """
        if self.result is None:
            return None
        service = self.result.measured.latency(clock="service")
        return self.result.throughput_per_s * service.mean / NS_PER_S / self.shape.keys if service.count else None


@dataclass(frozen=True, slots=True)
class StressEnded(Ending):
    """The end of a stress test."""

    rows: tuple[Stressed, ...]
    """The loads that ended, in order."""
    version: str
    host: str
    """The fingerprint of this machine."""
    took_ns: int
    interrupted: bool = False
    wall_s: float = field(default_factory=time.time)

    @property
    def counts(self) -> Counter[Verdict]:
        return Counter(row.verdict for row in self.rows)

    @property
    def identity(self) -> str:
        return ", ".join(dict.fromkeys(row.identity for row in self.rows if row.identity))

    @property
    def doubts(self) -> tuple[Reason, ...]:
        """The reasons why this is no pass, apart from those of each load."""
        nothing = not self.interrupted and all(row.verdict is Verdict.SKIPPED for row in self.rows)
        return (NOTHING_MEASURED,) * nothing

    @property
    def severity(self) -> Severity:
        return Severity.gravest(
            [
                *[Severity.INTERRUPTED] * self.interrupted,
                *(doubt.severity for doubt in self.doubts),
                *(row.severity for row in self.rows),
            ]
        )
