"""What a comparison comes to: a row for each metric, and how it ended. Values; no I/O."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loadgen.compare.candidate import Candidate
from loadgen.compare.settings import ComparisonSettings
from loadgen.events import Ending
from loadgen.reason import Reason, words_of
from loadgen.severity import Severity
from loadgen.stats.sequential import Shift


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
    reasons: tuple[Reason, ...] = ()
    """Why it could not run to its end, and why metrics cannot be judged on this host."""
    notes: tuple[Reason, ...] = ()
    """What to know about it."""
    interrupted: bool = False
    took_s: float = 0.0
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def failure(self) -> str:
        """Why it could not run to its end, in a sentence; empty when it did."""
        return words_of(self.reasons, Severity.COULD_NOT_RUN)

    @property
    def refused(self) -> str:
        """Why metrics cannot be judged on this host, in a sentence; empty when all can."""
        return words_of(self.reasons, Severity.UNKNOWN)

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
    reasons: tuple[Reason, ...] = ()
    """Why it could not run to its end; empty when it did."""
    took_s: float = 0.0
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def failure(self) -> str:
        """As in a Compared."""
        return words_of(self.reasons, Severity.COULD_NOT_RUN)

    @property
    def severity(self) -> Severity:
        said = (reason.severity for reason in self.reasons)
        return Severity.gravest([*[Severity.INTERRUPTED] * self.interrupted, *said])
