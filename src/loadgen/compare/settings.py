"""The settings of a comparison's rounds and answers. Values; no I/O.

`rounds` applies the settings to the rounds, `stats.sequential` to the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Idle(StrEnum):
    """The treatment of the servers that loadgen started while another server is measured."""

    RUN = "run"
    """Idle servers run on, and are watched: when one uses a CPU all the same, every server is run alone."""
    STOP = "stop"
    """Idle servers are stopped by SIGSTOP, and resumed by SIGCONT."""
    ALONE = "alone"
    """There are no idle servers: each server is started and ended in a part of the round of its own."""


class Awake(StrEnum):
    """The machines on which CPUs of the load and of the servers are kept from sleeping while servers are measured."""

    VM = "vm"
    """Virtual machines, whose CPUs sleep long and wake up late."""
    ALWAYS = "always"
    NEVER = "never"


MOST_NOISE = 0.08
"""The default of `ComparisonSettings.noise`."""

MOST_FAILED = 0.001
"""The share of a slice's requests that may fail, if [verdict] failures is not set: a failure has no response time."""


@dataclass(frozen=True, slots=True)
class ComparisonSettings:
    """The settings of rounds and answers, from `[compare]` or `[gate]`."""

    thresholds: Mapping[str, float]
    """By metric, the change that matters, as a share: 0.05 for 5 %. Only the metrics named here are judged, by
    `stats.sequential.Rule`."""
    one_sided: bool
    """True for a gate, which finds only worse candidates; False for a comparison, which finds better ones too."""
    slice_ns: int = 250_000_000
    """The measured length of a slice of load on one server."""
    settle_ns: int = 100_000_000
    """The length of the load before the measured slice."""
    slices: int = 12
    """The number of slices of each server in a round, for each kind of load; an even number."""
    rate_per_s: float = 0.0
    """The offered rate at which latency is compared; 0: `load_share` of what the first candidate reaches."""
    load_share: float = 0.4
    max_rounds: int = 20
    noise: float = MOST_NOISE
    """The limit on σ of a metric's differences between rounds, for a threshold of 5 %, and in proportion for others.
    Above this limit, a gate gives the metric up as soon as the rounds left are too few for an answer by plan."""
    idle: Idle = Idle.RUN
    awake: Awake = Awake.VM
