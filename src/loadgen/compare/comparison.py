"""A comparison's words: metrics, candidates, rounds, and the answer for each metric. Values; no I/O.

How rounds are run is for `rounds` to know, how answers follow from them for `stats.sequential`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loadgen.compare.shape import Shape
from loadgen.events import Ending, Event
from loadgen.percentiles import COMPARED
from loadgen.severity import Severity
from loadgen.stats.sequential import Shift


@dataclass(frozen=True, slots=True)
class Metric:
    """One number per server and round."""

    name: str
    """In files and records: throughput, p50, p99, p999, server_cpu, rss."""
    label: str
    """For people."""
    unit: str
    """per_s, ns or bytes."""
    higher_is_better: bool = False
    loop: str = ""
    """The slices that it is taken from: closed or open; empty: either."""

    @property
    def noun(self) -> str:
        """As the subject of a sentence: "p99 response time"."""
        return f"{self.label} time" if self.label.endswith(" response") else self.label


METRICS = {
    metric.name: metric
    for metric in (
        Metric("throughput", "throughput", "per_s", higher_is_better=True, loop="closed"),
        *(Metric(name, f"{label} response", "ns", loop="open") for name, label, _ in COMPARED),
        Metric("server_cpu", "server CPU/req", "ns", loop="open"),
        Metric("rss", "server memory", "bytes"),
    )
}
"""In the order in which they are shown."""


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


AGAIN = 3
"""One in so many slices of a round may be measured again."""


MOST_NOISE = 0.08
"""Unless a gate is told otherwise."""


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


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the things compared."""

    name: str
    """A server file's stem, an endpoint, a program's name, or a result file's name."""
    kind: str
    """server, endpoint or results."""
    identity: str = ""
    """Name and version in the server's own words."""
    host: str = ""
    """Of results: the fingerprint of the machine that they were taken on; empty when they do not say."""
    taken: str = ""
    """Of results: when, ISO 8601."""
    shape: Shape = field(default_factory=Shape)
    """Of the load that it is measured under; of results, as far as they say."""


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


class GateAnswer(StrEnum):
    """What a gate says."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    """A metric is unclear after the most rounds allowed, or it never came so far."""
    REFUSED = "REFUSED"
    """This host is too noisy to judge a metric on, and no other is worse."""
    ERROR = "ERROR"
    """It could not be run to its end: a server did not start, died or failed."""


_GATED = {
    GateAnswer.PASS: Severity.GOOD,
    GateAnswer.FAIL: Severity.BREACHED,
    GateAnswer.INCONCLUSIVE: Severity.UNKNOWN,
    GateAnswer.REFUSED: Severity.UNKNOWN,
    GateAnswer.ERROR: Severity.COULD_NOT_RUN,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of a candidate, B, against the first, A. Changes are shares: -0.05 is 5 % less than A's."""

    metric: str
    """A name in METRICS."""
    answer: Shift
    effect: float | None
    """Hodges and Lehmann's estimate of B / A - 1; None when there is nothing to estimate it from."""
    ci_low: float | None
    ci_high: float | None
    """Its confidence interval."""
    p: float | None
    """Exact, of the test that the rule applies: one-sided for a gate, two-sided for a comparison; not yet corrected for
    the number of metrics, which the answer is."""
    rounds: int
    """From how many."""
    threshold: float
    """The change that matters, as a share."""
    a: float | None
    b: float | None
    """Medians over the rounds, in the metric's unit."""
    noise: float | None
    """σ of the rounds' differences, as a share."""
    more_rounds: int | None = None
    """Where the answer is unclear: how many more it would probably take; None where that cannot be said."""
    why: str = ""
    """Where the answer is unclear, what keeps it from being clear, in a sentence."""
    level: float | None = None
    """Where the answer is unclear, the p that would have been needed to find a change; None where there is no p."""
    took_s: float = 0.0
    """How long its rounds took."""


@dataclass(frozen=True, slots=True)
class Compared(Ending):
    """How a comparison of two ended. Printed also when it was cut short."""

    a: Candidate
    b: Candidate
    rows: tuple[Row, ...]
    """In the order of METRICS; empty when no round ended."""
    settings: ComparisonSettings
    confidence: float
    """Of the intervals, such as 0.9."""
    paired: bool
    """Whether both ran in the same rounds; otherwise at least one is a stored result, and the answer is weaker."""
    seed: int
    rate_per_s: float = 0.0
    """The offered rate of the open-loop slices; 0 where there were none."""
    values: tuple[tuple[Mapping[str, float], ...], tuple[Mapping[str, float], ...]] = ((), ())
    """Of A and of B: each round's metrics."""
    host: str = ""
    """The fingerprint of this machine."""
    version: str = ""
    notes: tuple[str, ...] = ()
    """What to know about it, one sentence each."""
    failure: str = ""
    """Why it could not run to its end, in a sentence; empty when it did."""
    refused: str = ""
    """Why metrics cannot be judged on this host, in a sentence; empty when all can."""
    interrupted: bool = False
    took_s: float = 0.0
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def verdict(self) -> GateAnswer:
        """The answer of a gate: one metric that is worse is enough to fail it, and all must be clear to pass it."""
        answers = {row.answer for row in self.rows}
        if self.failure:
            return GateAnswer.ERROR
        if self.interrupted or not answers:
            return GateAnswer.INCONCLUSIVE
        if Shift.WORSE in answers:
            return GateAnswer.FAIL
        if self.refused:
            return GateAnswer.REFUSED
        return GateAnswer.INCONCLUSIVE if Shift.UNCLEAR in answers else GateAnswer.PASS

    @property
    def severity(self) -> Severity:
        if self.interrupted:
            return Severity.INTERRUPTED
        if self.settings.one_sided or self.failure:
            return _GATED[self.verdict]
        # It is no matter of right and wrong who is better: any answer is one.
        return Severity.GOOD if any(row.answer is not Shift.UNCLEAR for row in self.rows) else Severity.UNKNOWN


@dataclass(frozen=True, slots=True)
class NoiseFound(Ending):
    """What `--aa` found: a thing compared with itself."""

    candidate: Candidate
    host: str
    rounds: int
    noise: Mapping[str, float]
    """By metric: σ of the rounds' differences, as a share."""
    false_alarms: Mapping[str, float]
    """By metric: how often a gate's rule would call the thing worse than itself, from resampled rounds; and, under
    "any", how often it would do so of one metric or more."""
    interrupted: bool = False
    failure: str = ""
    took_s: float = 0.0
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def severity(self) -> Severity:
        holds = {Severity.INTERRUPTED: self.interrupted, Severity.COULD_NOT_RUN: self.failure}
        return Severity.gravest(severity for severity, why in holds.items() if why)
