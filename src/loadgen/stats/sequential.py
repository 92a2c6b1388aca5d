"""A sequential test of B against A: better, worse or the same, judged at a few looks while rounds come in.

This file knows the differences d = ln(bad_B / bad_A) of each round, by metric: above 0 where B is worse, whichever way
the metric is good (for throughput, bad is the time per request). It does not know how rounds are run, nor when a run is
interrupted. Comparisons, simulations (`benchmark/simulations.py`) and resampled false alarms all go through `Suite`.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Generic, TypeVar

from loadgen.stats.ranks import RankTest
from loadgen.stats.signed_rank import SignedRank

Key = TypeVar("Key", bound=Hashable)
"""The key of a judged metric: its name, or a pair of things and its name."""


class Shift(StrEnum):
    """The shift of B against A."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    """A change as large as the threshold is ruled out; by a one-sided rule, a change for the worse."""
    UNCLEAR = "unclear"


# With fewer rounds one disturbed round has too much weight.
_FIRST_LOOK = 8
_ALPHAS = (0.02, 0.02, 0.03)
_ALPHA_OF_ONE_LOOK = 0.05
# A look that comes sooner after another adds too little evidence for its share of α.
_LEAST_BETWEEN_LOOKS = 2
_POWER = 0.9
# The spread of fewer differences is too uncertain.
LEAST_FOR_NOISE = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """The times of the looks, and the evidence that is enough for an answer.

    The threshold is the change that matters. B is the SAME where the confidence interval of the shift lies within the
    threshold: a change that matters is ruled out, however much the rounds differ. B is WORSE where three conditions
    hold: p, the probability of as much evidence without a shift, is at most the look's α, corrected by Holm's method
    for the number of judged metrics; the estimated shift is nearer to the threshold than to none, beyond `least_share`
    of it; and the interval does not rule the threshold out. Else B is UNCLEAR, and more rounds are wanted until the
    last look. So with more rounds, the boundary between SAME and WORSE lies nearer to the threshold.

    A one-sided rule, a gate's, looks for WORSE only, and reports SAME for a change for the better. A two-sided rule
    spends α on both directions alike, and reports SAME where the bounds on either side lie within the threshold.

    A threshold t is a share of the bad quantity: its bounds are ±ln(1 + t), its least shift is ln(1 + least_share · t).
    """

    looks: tuple[int, ...] = (8, 14, 20)
    """The numbers of rounds after which to look."""
    alphas: tuple[float, ...] = _ALPHAS
    """α by look. Holm's guarantee is the sum; looks at the same rounds, and `least_share`, keep the error lower."""
    one_sided: bool = True
    pass_confidence: float = 0.95
    """The confidence of each bound by itself."""
    least_share: float = 0.5
    most_noise: float = math.inf
    """The largest σ of a metric's rounds, in thresholds. Above it, a metric is given up unless the rounds that are left
    are planned to be enough for an answer."""

    def __post_init__(self) -> None:
        if not self.looks or list(self.looks) != sorted(set(self.looks)) or len(self.looks) != len(self.alphas):
            raise ValueError(f"looks rise, and each has an alpha: {self.looks}, {self.alphas}")

    @classmethod
    def within(cls, max_rounds: int, metrics: int, *, one_sided: bool, most_noise: float = math.inf) -> Rule:
        """Return the rule for so many judged metrics and at most so many rounds; the last round is always a look.

        The first look is at 8 rounds, or as soon after as differences that all have one sign are enough for α shared
        among all metrics; the second is halfway to the last. Where that leaves too little room there is one look, at
        `max_rounds`, with an α of 5 %. Below `least_rounds` the rule cannot find a difference, only SAME or UNCLEAR;
        below 5 rounds it cannot find SAME either, as no bound has a confidence of 95 %.
        """
        first = max(_FIRST_LOOK, _fewest_rounds(_ALPHAS[0], metrics, one_sided))
        if max_rounds < first + 2 * _LEAST_BETWEEN_LOOKS:
            return cls((max_rounds,), (_ALPHA_OF_ONE_LOOK,), one_sided, most_noise=most_noise)
        return cls((first, (first + max_rounds) // 2, max_rounds), _ALPHAS, one_sided, most_noise=most_noise)

    @property
    def confidence(self) -> float:
        """The confidence of the interval that decides on SAME: 0.9 where each of the two bounds has 0.95."""
        return 2 * self.pass_confidence - 1

    def alpha(self, rounds: int) -> float:
        """Return α of the look at so many rounds: between looks, of the look before; before the first, of the first."""
        return self.alphas[max(0, bisect_right(self.looks, rounds) - 1)]

    def p(self, found: RankTest) -> float:
        """Return p of the test that the rule applies."""
        return found.p_greater if self.one_sided else found.p


def least_rounds(metrics: int, *, one_sided: bool) -> int:
    """Return the fewest rounds with which a rule of `Rule.within` for so many judged metrics can find a difference."""
    return _fewest_rounds(_ALPHA_OF_ONE_LOOK, metrics, one_sided)


def _fewest_rounds(alpha: float, metrics: int, one_sided: bool) -> int:
    """Return the fewest rounds at which the least p, of differences with one sign, is within alpha / metrics."""
    return math.ceil(math.log2((1 if one_sided else 2) * metrics / alpha))


def judge(
    evidence: Mapping[Key, RankTest],
    thresholds: Mapping[Key, float],
    rule: Rule,
    decided: Mapping[Key, Shift] | None = None,
) -> dict[Key, Shift]:
    """Return the answer of one look for each of `thresholds`, which are the judged metrics, as shares.

    An answer that an earlier look decided stays. A metric without evidence is UNCLEAR, and α is still shared with it.
    The look is that of the metric with the most rounds.
    """
    before = {name: answer for name, answer in (decided or {}).items() if answer is not Shift.UNCLEAR}
    judged = {name: evidence[name] for name in thresholds if name in evidence}
    shifted = _shifted(judged, len(thresholds), rule, before)
    answers = dict.fromkeys(thresholds, Shift.UNCLEAR)
    for name, found in judged.items():
        answers[name] = _answer(found, thresholds[name], rule, name in shifted)
    return answers | before


def _shifted(judged: Mapping[Key, RankTest], metrics: int, rule: Rule, before: Mapping[Key, Shift]) -> set[Key]:
    """Return the metrics that have a shift: Holm's step-down (Scand. J. Statist. 6, 1979), at one of several looks.

    A shift found at an earlier look stays, and leaves its α to the other metrics (Ye et al., Statist. Med. 32, 2013).
    """
    alpha = rule.alpha(max((found.rounds for found in judged.values()), default=0))
    shifted = {name for name, answer in before.items() if answer in (Shift.BETTER, Shift.WORSE)}
    for name in sorted(judged.keys() - shifted, key=lambda name: rule.p(judged[name])):
        if rule.p(judged[name]) > alpha / (metrics - len(shifted)):
            break
        shifted.add(name)
    return shifted


def _answer(found: RankTest, threshold: float, rule: Rule, shifted: bool) -> Shift:
    limit, least = math.log1p(threshold), math.log1p(rule.least_share * threshold)
    below, above = found.upper(rule.pass_confidence) < limit, found.lower(rule.pass_confidence) > -limit
    if below and (rule.one_sided or above):
        return Shift.SAME
    if shifted and found.estimate > least and not below:
        return Shift.WORSE
    if shifted and found.estimate < -least and not above:
        # Only a two-sided p is small on this side.
        return Shift.BETTER
    return Shift.UNCLEAR


def more_rounds(found: RankTest, threshold: float, rule: Rule) -> int | None:
    """Return the rounds that an answer would probably still need, at least 1; None from fewer than 3 rounds.

    R = ((z_confidence + z_0.90) · σ / gap)² in all. The gap is the distance between the estimated shift and the bound
    that decides: the threshold, for SAME, or the least shift that is WORSE or BETTER, whichever is further. Without a
    shift the gap is ln(1 + threshold). The plan uses the normal distribution, for one metric.
    """
    if found.rounds < 3:
        return None
    size = found.estimate if rule.one_sided else abs(found.estimate)
    gap = max(math.log1p(threshold) - size, size - math.log1p(rule.least_share * threshold))
    normal = NormalDist()
    z = normal.inv_cdf(rule.pass_confidence) + normal.inv_cdf(_POWER)
    return max(1, math.ceil((z * found.spread / gap) ** 2) - found.rounds)


class Suite(Generic[Key]):
    """A comparison in progress: rounds end one after the other, and the rule's looks judge it.

    `thresholds` are the judged metrics. A caller that has the evidence sets `rounds` and calls `look`; where all of the
    evidence is differences of pairs, `add` keeps the differences.
    """

    def __init__(self, thresholds: Mapping[Key, float], rule: Rule) -> None:
        self.thresholds = thresholds
        self.rule = rule
        self.rounds = 0
        self.answers = dict.fromkeys(thresholds, Shift.UNCLEAR)
        """The answers of the last look, by judged metric."""
        self.grounds: dict[Key, RankTest] = {}
        """The evidence at the look that gave an answer; for a metric without an answer, at the last look."""
        self.level = rule.alphas[0] / max(1, len(thresholds))
        """The largest p with which the last look would have found a shift of a further metric."""
        self.given_up: set[Key] = set()
        """The metrics too noisy to be answered by the rounds that are left."""
        self._differences: dict[Key, list[float]] = {name: [] for name in thresholds}
        self._pending = set(thresholds)

    @property
    def finished(self) -> bool:
        """True when no look is left, or each metric has its answer, has no evidence, or is given up."""
        return self.rounds >= self.rule.looks[-1] or not self._pending

    def add(self, differences: Mapping[Key, float]) -> None:
        """Add a round's differences, by metric, and look when the rule says so. A metric may miss from a round."""
        for name, row in self._differences.items():
            if name in differences:
                row.append(differences[name])
        self.rounds += 1
        if self.is_look:
            self.look({name: SignedRank(row) for name, row in self._differences.items() if row})

    @property
    def is_look(self) -> bool:
        """True when the rule has a look after the rounds so far."""
        return self.rounds in self.rule.looks

    def look(self, evidence: Mapping[Key, RankTest]) -> None:
        """Judge the rounds so far, and update the answers."""
        unclear = {name for name, answer in self.answers.items() if answer is Shift.UNCLEAR}
        self.answers = judge(evidence, self.thresholds, self.rule, self.answers)
        self.grounds |= {name: found for name, found in evidence.items() if name in unclear}
        left = {name for name in unclear if self.answers[name] is Shift.UNCLEAR}
        shifted = sum(answer in (Shift.BETTER, Shift.WORSE) for answer in self.answers.values())
        self.level = self.rule.alpha(self.rounds) / max(1, len(self.thresholds) - shifted)
        self.given_up = {name for name in left & evidence.keys() if self._is_hopeless(name, evidence[name])}
        self._pending = left & evidence.keys() - self.given_up

    def _is_hopeless(self, name: Key, found: RankTest) -> bool:
        if found.rounds < LEAST_FOR_NOISE or found.spread <= self.rule.most_noise * self.thresholds[name]:
            return False
        more = more_rounds(found, self.thresholds[name], self.rule)
        return more is None or more > self.rule.looks[-1] - self.rounds


def false_alarms(
    rounds: Sequence[Mapping[str, float]], thresholds: Mapping[str, float], rule: Rule, seed: int, suites: int = 1000
) -> dict[str, float]:
    """Return how often the rule finds a difference between a thing and itself, given such rounds: shares of suites.

    The shares are by judged metric, and under "any" for one or more of them. A one-sided rule finds WORSE, a two-sided
    rule WORSE or BETTER: either is a false alarm. Each suite draws whole rounds, with replacement, as the metrics of a
    round depend on each other. The signs of a round are turned or not at random, all together, as either of two equal
    things may be called B. Few rounds have few kinds of noise.
    """
    if not rounds:
        raise ValueError("false alarms are resampled from rounds, and there are none")
    chance = random.Random(seed)
    alarms = dict.fromkeys([*thresholds, "any"], 0)
    for _ in range(suites):
        suite = Suite(thresholds, rule)
        while not suite.finished:
            drawn, sign = chance.choice(rounds), chance.choice((-1, 1))
            suite.add({name: sign * difference for name, difference in drawn.items()})
        found = [name for name, answer in suite.answers.items() if answer in (Shift.BETTER, Shift.WORSE)]
        for name in [*found, *["any"] * bool(found)]:
            alarms[name] += 1
    return {name: count / suites for name, count in alarms.items()}
