"""The results of a comparison: a row for each metric, and the ending. Values; no I/O."""

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
    """The answer of a gate."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    """A metric is unclear after the most rounds allowed, or the gate ended before."""
    REFUSED = "REFUSED"
    """This host is too noisy to judge a metric on, and no other metric is worse."""
    ERROR = "ERROR"
    """The gate could not run to its end: a server did not start, died or failed."""


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
    """The confidence interval of the effect."""
    p: float | None
    """The exact p of the rule's test: one-sided for a gate, two-sided for a comparison. The p is not corrected for the
    number of metrics; the answer is."""
    rounds: int
    """The number of rounds that the row rests on."""
    threshold: float
    """The change that matters, as a share."""
    a: float | None
    b: float | None
    """Medians over the rounds, in the metric's unit."""
    noise: float | None
    """σ of the rounds' differences, as a share."""
    more_rounds: int | None = None
    """For an unclear answer, the probable number of further rounds to a clear one; None when that is not known."""
    why: str = ""
    """For an unclear answer, the reason beside the number of rounds, in a sentence."""
    level: float | None = None
    """For an unclear answer, the p that would have been needed to find a change; None when there is no p."""
    took_s: float = 0.0
    """The time that the row's rounds took."""


@dataclass(frozen=True, slots=True)
class Compared(Ending):
    """The ending of a comparison of two candidates, also of one that was cut short."""

    a: Candidate
    b: Candidate
    rows: tuple[Row, ...]
    """In the order of METRICS; empty when no round ended."""
    settings: ComparisonSettings
    confidence: float
    """The confidence of the intervals, such as 0.9."""
    paired: bool
    """True when both ran in the same rounds; otherwise at least one is a stored result, and the answer is weaker."""
    seed: int
    rate_per_s: float = 0.0
    """The offered rate of the open-loop slices; 0 when there were none."""
    values: tuple[tuple[Mapping[str, float], ...], tuple[Mapping[str, float], ...]] = ((), ())
    """Each round's metrics, of A and of B."""
    host: str = ""
    """The fingerprint of this machine."""
    version: str = ""
    reasons: tuple[Reason, ...] = ()
    """Why the comparison could not run to its end, and why metrics cannot be judged on this host."""
    notes: tuple[Reason, ...] = ()
    """Remarks for the reader of the answers."""
    interrupted: bool = False
    took_s: float = 0.0
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def failure(self) -> str:
        """Why the comparison could not run to its end, in a sentence; empty when it did."""
        return words_of(self.reasons, Severity.COULD_NOT_RUN)

    @property
    def refused(self) -> str:
        """Why metrics cannot be judged on this host, in a sentence; empty when all can."""
        return words_of(self.reasons, Severity.UNKNOWN)

    @property
    def verdict(self) -> GateAnswer:
        """The answer of a gate: one worse metric fails the gate, and every metric must be clear to pass."""
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
        # In a comparison, any clear answer is a good ending, whichever candidate is better.
        return Severity.GOOD if any(row.answer is not Shift.UNCLEAR for row in self.rows) else Severity.UNKNOWN


@dataclass(frozen=True, slots=True)
class NoiseFound(Ending):
    """The ending of `--aa`, which compares a candidate with itself."""

    candidate: Candidate
    host: str
    rounds: int
    noise: Mapping[str, float]
    """By metric: σ of the rounds' differences, as a share."""
    false_alarms: Mapping[str, float]
    """By metric: how often a gate's rule would call the candidate worse than itself, from resampled rounds; under
    "any", how often for one metric or more."""
    interrupted: bool = False
    reasons: tuple[Reason, ...] = ()
    """Why the rounds could not run to their end; empty when they did."""
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
