"""How a comparison's rounds are run and judged. Values; no I/O.

How rounds are run is for `rounds` to know, how answers follow from them for `stats.sequential`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Idle(StrEnum):
    """What becomes of the servers that we started while another one is measured."""

    RUN = "run"
    """They go on, and are watched: where one uses a CPU all the same, all are run alone."""
    STOP = "stop"
    """They are stopped by SIGSTOP, and go on by SIGCONT."""
    ALONE = "alone"
    """There are none: each server has its part of the round for itself, started and ended in it."""


class Awake(StrEnum):
    """Where CPUs of the load and of the servers are kept from sleeping while servers are measured."""

    VM = "vm"
    """In a virtual machine, whose CPUs sleep long and wake up late."""
    ALWAYS = "always"
    NEVER = "never"


MOST_NOISE = 0.08
"""Unless a gate is told otherwise."""

MOST_FAILED = 0.001
"""Of requests in a slice, unless [verdict] failures says otherwise: how fast a failure is says nothing."""


@dataclass(frozen=True, slots=True)
class ComparisonSettings:
    """How rounds are run and judged, from `[compare]` or `[gate]`."""

    thresholds: Mapping[str, float]
    """By metric, the change that matters, as a share: 0.05 for 5 %. Those named here are judged, and no others. How an
    answer follows from it, `stats.sequential.Rule` says."""
    one_sided: bool
    """A gate asks only whether the candidate is worse; a comparison, whether it is better or worse."""
    slice_ns: int = 250_000_000
    """How long one stretch of load on one server is measured."""
    settle_ns: int = 100_000_000
    """How long it goes on before it is measured."""
    slices: int = 12
    """How many stretches each server has in a round, of each kind of load; an even number."""
    rate_per_s: float = 0.0
    """The offered rate at which latency is compared; 0: `load_share` of what the first candidate reaches."""
    load_share: float = 0.4
    max_rounds: int = 20
    noise: float = MOST_NOISE
    """Where σ of a metric's differences between rounds is above it (for a threshold of 5 %, and in proportion for
    others), a gate gives the metric up as soon as the rounds left are too few for an answer by plan."""
    idle: Idle = Idle.RUN
    awake: Awake = Awake.VM
