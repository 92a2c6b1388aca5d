"""Toxics as a number draws them: their strength, their stream, their share of connections, and a change on the way.

0 is the simplest: the first strength, on what the server sends, on every connection, without a change. A toxic in which
chunks wait may be removed at such a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Attributes = Mapping[str, int]

STRENGTHS: Mapping[str, tuple[Attributes, ...]] = {
    "latency": (
        {"latency": 10, "jitter": 0},
        {"latency": 1, "jitter": 0},
        {"latency": 100, "jitter": 50},
        {"latency": 20, "jitter": 20},
    ),
    "bandwidth": ({"rate": 100}, {"rate": 1000}, {"rate": 10}, {"rate": 1}),
    "slow_close": ({"delay": 10}, {"delay": 1}, {"delay": 100}, {"delay": 1000}),
    "timeout": ({"timeout": 10}, {"timeout": 0}, {"timeout": 100}, {"timeout": 1000}),
    "reset_peer": ({"timeout": 10}, {"timeout": 0}, {"timeout": 100}, {"timeout": 1000}),
    "slicer": (
        {"average_size": 20, "size_variation": 0, "delay": 0},
        {"average_size": 20, "size_variation": 10, "delay": 100},
        {"average_size": 100, "size_variation": 90, "delay": 10_000},
        {"average_size": 1000, "size_variation": 1, "delay": 1},
    ),
    "limit_data": ({"bytes": 100}, {"bytes": 0}, {"bytes": 1000}, {"bytes": 10_000}),
    "cut": ({"bytes": 100}, {"bytes": 1}, {"bytes": 1000}, {"bytes": 10_000}),
}
"""By type, attributes in the units of Toxiproxy's API."""

NUMBERS = 64
"""The number of doses of one type."""

HOLDING = frozenset({"latency", "bandwidth", "slicer"})
"""The types in which chunks wait."""
HELD = 3
"""The chunks of one connection that wait when a toxic ends early: one on which it works, and two behind that."""


@dataclass(frozen=True, slots=True)
class Dose:
    """One toxic, from its beginning to its removal."""

    kind: str
    number: int
    """Below NUMBERS."""

    @property
    def strength(self) -> int:
        return self.number & 3

    @property
    def stream(self) -> str:
        return "upstream" if self.number >> 2 & 1 else "downstream"

    @property
    def toxicity(self) -> float:
        # Of a timeout that is drawn anew, bytes would follow those that it has dropped.
        return 0.5 if self.number >> 3 & 1 and self.kind != "timeout" else 1.0

    @property
    def attributes(self) -> Attributes:
        return STRENGTHS[self.kind][self.strength]

    @property
    def changes(self) -> tuple[float | None, Attributes] | None:
        """The toxicity, None for the same, and the attributes that change halfway; None for no change."""
        what = self.number >> 4
        if not what:
            return None
        attributes = STRENGTHS[self.kind][(self.strength + 1) % 4] if what & 1 else {}
        toxicity = 1.5 - self.toxicity if what & 2 and self.kind != "timeout" else None
        return toxicity, attributes

    @property
    def ends_full(self) -> bool:
        """True when the toxic is removed as soon as HELD chunks wait, if not before."""
        return self.kind in HOLDING and self.number >> 4 == 3

    def __str__(self) -> str:
        attributes = ", ".join(f"{name} {value}" for name, value in self.attributes.items())
        share = "" if self.toxicity == 1.0 else f", on {self.toxicity:.0%} of connections"
        how = f"{', changed' * bool(self.changes)}{f', until {HELD} chunks wait' * self.ends_full}"
        return f"{self.kind} on its {self.stream} stream, {attributes}{share}{how}"
