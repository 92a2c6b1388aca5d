"""A round of a comparison, and the events of a comparison in progress. Values; no I/O."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.compare.candidate import Candidate
from loadgen.events import Event
from loadgen.reason import Reason


@dataclass(frozen=True, slots=True)
class Round:
    """One round: every candidate restarted, filled alike and measured in slices that mirror each other in time."""

    number: int
    """The number of the round, from 1."""
    order: tuple[int, ...]
    """The candidates in the order of the slices, such as (0, 1, 1, 0, 1, 0, 0, 1)."""
    values: tuple[Mapping[str, float], ...]
    """By candidate, the metrics: throughput per second, percentiles and CPU per request in ns, memory in bytes."""
    doubts: tuple[Reason, ...] = ()
    """Why percentiles of a candidate are in part the generator's, one sentence each."""
    late: tuple[tuple[str, ...], ...] = ()
    """By candidate, the metrics that are left out of `values` because of these doubts; empty when none is."""
    repeated: int = 0
    """The number of slices that were measured again, because the host had taken a CPU away."""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RoundEnded(Event):
    """The end of a round, of `max_rounds` at most."""

    round: Round
    candidates: tuple[Candidate, ...]
    max_rounds: int
    gate: bool = False
    """True for a round of a gate, whose answer is one verdict."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(frozen=True, slots=True)
class ContestBegan(Event):
    """The beginning of a comparison, and its first event. The candidates' identities are not known yet."""

    candidates: tuple[Candidate, ...]
    """The others are compared with the first."""
    max_rounds: int
    gate: bool = False
    """As in a RoundEnded."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""
