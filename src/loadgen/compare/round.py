"""A round of a comparison, and the events of a comparison that goes on. Values; no I/O."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.compare.candidate import Candidate
from loadgen.events import Event


@dataclass(frozen=True, slots=True)
class Round:
    """Every candidate restarted, filled alike and measured in slices that mirror each other in time."""

    number: int
    """From 1."""
    order: tuple[int, ...]
    """The candidates in the order of the slices, such as (0, 1, 1, 0, 1, 0, 0, 1)."""
    values: tuple[Mapping[str, float], ...]
    """By candidate, its metrics: throughput per second, percentiles and CPU per request in ns, memory in bytes."""
    doubts: tuple[str, ...] = ()
    """Why percentiles of a candidate are in part the generator's, one sentence each."""
    late: tuple[tuple[str, ...], ...] = ()
    """By candidate, the metrics that are left out of `values` because of these doubts; empty: none of any."""
    repeated: int = 0
    """How many slices were measured again, because the host had taken a CPU away."""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RoundEnded(Event):
    """A round of how many at most."""

    round: Round
    candidates: tuple[Candidate, ...]
    max_rounds: int
    gate: bool = False
    """It is a round of a gate, whose answer is one verdict."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(frozen=True, slots=True)
class ContestBegan(Event):
    """Who is going to be compared. The first one; what they call themselves is not known yet."""

    candidates: tuple[Candidate, ...]
    """The first is the one that the others are held against."""
    max_rounds: int
    gate: bool = False
    """As in a RoundEnded."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""
