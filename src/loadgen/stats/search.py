"""The saturation search: the highest offered rate at which response time still meets its limits, as an interval.

The search is a pure state machine: it returns probes, is passed their trials, and ends in an answer. It does no I/O,
reads no clock and draws no random number, so the same trials give the same answer. `stats.trial` judges each trial.

The method is that of MLRsearch and Shivam et al. (USENIX ATC 2008), rough far from the answer and precise near it:

1. A closed-loop burst measures the server's capacity, X̂. The first rate tried is 0.6·X̂.
2. A rate is measured for 2 s, and longer, up to 40 s, while its verdict is open (`trial.judge`).
3. The next rate is where 1/x_q reaches the limit, by a line through the points near the limit (a secant, while there
   are two rates): for M/M/1, 1/x_q is exactly linear in the rate. The rate is moved 1.5 % to the further side and kept
   10 % inside the bracket; where there is no such line, the bracket is halved.
4. When the bracket is narrow enough, the rate that all trials together point to must pass 2 of 3 fresh trials. A rate
   that fails is lowered by 1 to 2 %, and by more at each further failure.

Without limits the search is for the knee: the last rate that achieves 99 % of the offered rate, with a p99 of at most
three times the p99 at 0.3·X̂. A rate at which the generator fell behind shows nothing of the server: such a rate bounds
the search as GENERATOR_LIMITED.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from loadgen.stats.trial import NO_LIMIT_NS, Judgement, Limit, RateVerdict, Trial, judge

ANY_RATE_PER_S = 1e8
"""The `max_rate` that stands for no maximum (cachecannon's default)."""

# X̂ is a closed loop's rate. An SLO is met up to a fair part of X̂, and the line through 1/x_q needs some load.
_FIRST_SHARE = 0.6
_KNEE_BASE_SHARE = 0.3
_KNEE_MIN_THROUGHPUT_RATIO = 0.99
_KNEE_FACTOR = 3
# Parts of a sample window: with cachecannon's 5 s, trials of 2 s that extend to 40 s, as in measurement.md (d).
_BURST_WINDOWS = 0.6
_FIRST_LOOK_WINDOWS = 0.4
_LAST_LOOK_WINDOWS = 8.0
_CONFIRM_WINDOWS = 1.6
_BLOCKS_PER_FIRST_LOOK = 8
# A probe whose verdict is open is continued until it has this many times its length.
_EXTENSION = 2.0
# The next rate is this share beyond the guess, on the further side, so that the answer lies between two probes.
_NUDGE = 0.015
_INSIDE = 0.10
# The largest factor of one step up: a larger step leaves the server a backlog that spoils the trials after it.
_MOST_GROWTH = 4.0
# Points whose quantile is within this factor of its limit lie near enough for 1/x_q to be a line.
_NEAR_FACTOR = 3.0
# A failed confirmation moves the answer down towards the line's crossing: by at least 1 %, and at first by at most 2 %.
# Each further failure doubles the most, up to a half, to follow a server that is much slower after a fresh start.
_LEAST_STEP_DOWN = 0.01
_STEP_DOWN = 0.02
_MOST_STEPS_DOWN = 8
_CONFIRMATIONS = 3


class Purpose(StrEnum):
    """The reason for a probe."""

    BURST = "burst"
    """A closed loop that measures the server's capacity. Its rate is 0."""
    BASE = "base"
    """A low rate, whose p99 defines the knee."""
    CLIMB = "climb"
    """No rate has failed yet, or none has passed."""
    REFINE = "refine"
    """The rate lies between a rate that passed and one that failed."""
    CONFIRM = "confirm"
    """The answer's lower end again, on a fresh start."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A trial that the search requests."""

    purpose: Purpose
    rate_per_s: float
    length_s: float
    """The time to measure in all; a probe that continues the last one includes the time already measured."""
    settle_s: float
    """The time for which the rate is offered before measuring begins, also when the probe continues the last one."""
    block_s: float
    limits: tuple[Limit, ...]
    """The limits for which exceedances and quantiles are counted, in this order."""
    continues: bool = False
    """True when the probe continues the last one at the same rate; the trial to report merges the two."""
    fresh: bool = False
    """True to begin on new connections (and a server restarted, if managed): each start settles differently."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the step table: a rate that was judged."""

    purpose: Purpose
    rate_per_s: float
    length_s: float
    offered_per_s: float
    achieved_per_s: float
    judgement: Judgement
    x_ns: tuple[int, ...]
    passed: bool
    """True when the rate became the bracket's lower end. An INCONCLUSIVE rate goes to the side of its estimate."""


class Outcome(StrEnum):
    """The end of a search."""

    FOUND = "found"
    GENERATOR_LIMITED = "generator-limited"
    """The generator reached its limit before the server: the server's limit is above `lo_per_s`, and unknown."""
    NEVER_FAILED = "never failed"
    """The server passed at the highest rate that may be tried."""
    NEVER_PASSED = "never passed"
    WIDE = "wide"
    """The steps ran out before the interval was narrow enough."""
    UNCONFIRMED = "unconfirmed"
    """Rates that had passed failed again and again on fresh starts."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The highest rate that meets the limits, as an interval: never one number.

    The ends rest on rates that were judged and are no confidence bounds. Simulated on M/M/1 and M/D/1 at p99, the lower
    end has a bias of under 1 % and a standard deviation of under 2 %; the truth lies between the ends in half of the
    searches, and within 3 % of them in nearly all.
    """

    outcome: Outcome
    lo_per_s: float
    """The highest rate known to pass; 0 when none did."""
    hi_per_s: float | None
    """The lowest rate above `lo_per_s` at which the server failed; None when the server failed at no rate."""
    confirmed: bool
    """True when `lo_per_s` passed 2 of 3 fresh trials."""
    reason: str
    steps: tuple[Step, ...]
    capacity_per_s: float
    """The rate that the closed-loop burst achieved; 0 when there was no burst."""
    spent_s: float
    """The time measured and settled, over all probes."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """The settings of a search: cachecannon's keys, each with its meaning in the sequential method.

    The configuration holds the bounds of each key.
    """

    limits: tuple[Limit, ...] = ()
    """`slo`: all of the limits must pass. Without limits the search is for the knee."""
    start_rate_per_s: float = 1000.0
    """The first rate tried when there was no burst. While nothing passes, the search goes down to this rate."""
    step_multiplier: float = 1.05
    """The least factor of the first step up while nothing has failed; each further step squares it, up to 4."""
    sample_window_s: float = 5.0
    """The scale of all lengths: the closed-loop burst is 0.6 of it (3 s), a first look 0.4 (2 s), the longest look 8
    (40 s), a confirmation 1.6 (8 s)."""
    drain_window_s: float = 0.5
    """The time for which a changed rate is offered before it is measured."""
    stop_after_failures: int = 3
    """The number of rates that may fail in a row, with none passed, before the search gives up."""
    max_rate_per_s: float = ANY_RATE_PER_S
    """The highest rate that is tried. Setting it also skips the closed-loop burst, which keeps to no rate."""
    min_throughput_ratio: float = 0.9
    """The least share of the offered rate that must be achieved for a rate to pass; at least 0.99 for the knee."""
    bisect_tolerance: float = 0.05
    """The width of the bracket, as a share of its lower end, at which the search ends."""
    max_bisect_steps: int = 8
    """The most rates tried inside the bracket."""


@dataclass(slots=True)
class _Bracket:
    """The rates between which the answer lies, and the points measured so far."""

    lo: float = 0.0
    """The highest rate that passed."""
    fail: float = math.inf
    """The lowest rate at which the server failed."""
    ceiling: float = math.inf
    """The lowest rate that the generator could not sustain."""
    ceiling_reason: str = ""
    points: list[tuple[float, float, float]] = field(default_factory=list)
    """(rate, margin, seconds measured); the margin is the worst quantile's limit / x_q, at least 1 within the limit."""

    @property
    def top(self) -> float:
        return min(self.fail, self.ceiling)


class Search:
    """One saturation search. `next(None)` returns the first probe; `next(trial)` the next probe, or the answer."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._steps: list[Step] = []
        self._spent_s = 0.0
        self._capacity_per_s = 0.0
        self._limits = settings.limits
        self._min_throughput_ratio = settings.min_throughput_ratio
        self._bracket = _Bracket()
        self._probes: Generator[Probe, Trial, SearchAnswer] = self._search()
        self._answer: SearchAnswer | None = None
        self._begun = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rates judged so far, in the order in which they were tried."""
        return tuple(self._steps)

    def next(self, last_trial: Trial | None) -> Probe | SearchAnswer:
        """Take the last probe's trial, and return the next probe or the answer. After the answer, return it again.

        Raises ValueError when a trial is missing, or when there was no probe for the trial.
        """
        if self._answer is not None:
            return self._answer
        if self._begun is (last_trial is None):
            raise ValueError("a search begins with no trial, and each of its probes is followed by one")
        self._begun = True
        try:
            return self._probes.send(last_trial) if last_trial is not None else next(self._probes)
        except StopIteration as end:
            answer: SearchAnswer = end.value
            self._answer = answer
            return answer

    def _search(self) -> Generator[Probe, Trial, SearchAnswer]:
        yield from self._measure_capacity()
        if not self._limits:
            ended = yield from self._measure_base()
            if ended is not None:
                return ended
        yield from self._climb()
        bracket = self._bracket
        if not bracket.lo:
            if bracket.fail <= bracket.ceiling:
                reason = f"every rate that was tried failed, down to {bracket.fail:,.0f} req/s"
                return self._end(Outcome.NEVER_PASSED, 0.0, False, reason)
            return self._end(Outcome.GENERATOR_LIMITED, 0.0, False, self._generator_reason())
        if bracket.top < math.inf:
            yield from self._refine()
        return (yield from self._conclude())

    def _measure_capacity(self) -> Generator[Probe, Trial, None]:
        settings = self._settings
        if settings.max_rate_per_s >= ANY_RATE_PER_S:
            trial = yield self._probe(Purpose.BURST, 0.0, _BURST_WINDOWS * settings.sample_window_s)
            self._spent_s += settings.drain_window_s + trial.length_s
            self._capacity_per_s = min(trial.achieved_per_s, settings.max_rate_per_s)

    def _measure_base(self) -> Generator[Probe, Trial, SearchAnswer | None]:
        """Turn the knee into a limit, three times the p99 of a low rate. Return the answer if the search ends here."""
        self._limits = (Limit(0.99, NO_LIMIT_NS),)
        rate = _KNEE_BASE_SHARE * self._capacity_per_s or min(
            self._settings.start_rate_per_s, self._settings.max_rate_per_s
        )
        step, trial = yield from self._try(Purpose.BASE, rate)
        if step.judgement.verdict is RateVerdict.GENERATOR_LIMITED:
            reason = f"the generator fell behind at the base rate of {rate:,.0f} req/s: {step.judgement.why}"
            return self._end(Outcome.GENERATOR_LIMITED, 0.0, False, reason)
        if trial.failed:
            return self._end(Outcome.NEVER_PASSED, 0.0, False, f"at the base rate of {rate:,.0f} req/s {trial.failed}")
        if not trial.x_ns[0]:
            reason = f"the base rate of {rate:,.0f} req/s has no p99: over 1 % of its requests got no good reply"
            return self._end(Outcome.NEVER_PASSED, 0.0, False, reason)
        self._limits = (Limit(0.99, _KNEE_FACTOR * trial.x_ns[0]),)
        self._min_throughput_ratio = max(self._min_throughput_ratio, _KNEE_MIN_THROUGHPUT_RATIO)
        return None

    def _climb(self) -> Generator[Probe, Trial, None]:
        """Try rates until one has passed and one has not, until none is left to try, or until too many failed."""
        settings, bracket = self._settings, self._bracket
        rate = min(_FIRST_SHARE * self._capacity_per_s or settings.start_rate_per_s, settings.max_rate_per_s)
        # As far down as start_rate, or at least a factor of 10.
        floor = min(settings.start_rate_per_s, rate / 10)
        growth = settings.step_multiplier
        failures = 0
        while True:
            passed = yield from self._try_for_bracket(Purpose.CLIMB, rate)
            if bracket.lo and (bracket.top < math.inf or bracket.lo >= settings.max_rate_per_s):
                return
            if passed:
                guess = self._guess() or 0.0
                rate = max(rate * growth, min(guess * (1 + _NUDGE), rate * _MOST_GROWTH))
                rate = min(rate, settings.max_rate_per_s)
                growth = min(growth * growth, _MOST_GROWTH)
                continue
            failures += 1
            left = settings.stop_after_failures - failures
            if left <= 0:
                return
            guess = self._guess() or 0.0
            rate = max(guess * (1 - _NUDGE), rate * (floor / rate) ** (1 / left)) if left > 1 else floor
            rate = min(rate, bracket.top * (1 - _INSIDE))

    def _refine(self) -> Generator[Probe, Trial, None]:
        for _ in range(self._settings.max_bisect_steps):
            if self._narrow():
                return
            yield from self._try_for_bracket(Purpose.REFINE, self._inside())

    def _narrow(self) -> bool:
        """True when the bracket is narrow enough; rates within 1/s of each other are one (cachecannon's rule)."""
        width = self._bracket.top - self._bracket.lo
        return width <= max(self._settings.bisect_tolerance * self._bracket.lo, 1.0)

    def _inside(self) -> float:
        """Return the next rate inside the bracket."""
        lo, hi = self._bracket.lo, self._bracket.top
        guess = self._guess()
        if guess is None or not lo < guess < hi:
            return (lo + hi) / 2
        guess *= 1 + _NUDGE if hi - guess > guess - lo else 1 - _NUDGE
        margin = _INSIDE * (hi - lo)
        return min(max(guess, lo + margin), hi - margin)

    def _conclude(self) -> Generator[Probe, Trial, SearchAnswer]:
        """Confirm the lower end, stepping down as long as the rate is not confirmed."""
        bracket = self._bracket
        rate, failed = self._lower_end(), math.inf
        for refuted in range(_MOST_STEPS_DOWN + 1):
            verdict = yield from self._confirm(rate)
            if verdict is RateVerdict.PASS:
                return self._end(*self._outcome(rate))
            if verdict is RateVerdict.GENERATOR_LIMITED:
                reason = f"the generator fell behind repeatedly while {rate:,.0f} req/s was being confirmed"
                return self._end(Outcome.GENERATOR_LIMITED, self._highest_passed(failed), False, reason)
            # Three short trials can fail by chance, so the upper end is a step above the rate that failed them.
            bracket.fail = min(bracket.fail, rate * (1 + _LEAST_STEP_DOWN), self._settings.max_rate_per_s)
            failed, rate = rate, self._lower(rate, _STEP_DOWN * 2**refuted)
        reason = f"rates that had passed did not pass 2 of 3 fresh trials, down to {failed:,.0f} req/s"
        return self._end(Outcome.UNCONFIRMED, self._highest_passed(failed), False, reason)

    def _highest_passed(self, below: float) -> float:
        """Return the highest rate that has passed at all, below a rate that was not confirmed; 0 for none."""
        below = min(below, self._bracket.fail)
        passed = (step.rate_per_s for step in self._steps if step.passed and step.purpose is not Purpose.BASE)
        return max((rate for rate in passed if rate < below), default=0.0)

    def _lower_end(self) -> float:
        """Return the rate to confirm: the crossing of the line through all trials, which varies less than one pass."""
        bracket = self._bracket
        guess = self._guess()
        if guess is None or not self._narrow() or bracket.ceiling < bracket.fail or guess >= bracket.fail:
            return bracket.lo
        inside = bracket.fail - _INSIDE * (bracket.fail - bracket.lo)
        return min(max(guess, bracket.lo * (1 - 2 * _STEP_DOWN)), inside)

    def _lower(self, rate: float, most_down: float) -> float:
        least, most = rate * (1 - _LEAST_STEP_DOWN), rate * (1 - min(most_down, 0.5))
        guess = self._guess()
        return most if guess is None else min(max(guess, most), least)

    def _confirm(self, rate: float) -> Generator[Probe, Trial, RateVerdict]:
        """Return PASS when 2 of 3 fresh trials pass; two that agree suffice. Generator-limited trials do not count."""
        needed = _CONFIRMATIONS // 2 + 1
        passed = failed = spoilt = 0
        while passed < needed and failed < needed:
            step, trial = yield from self._try(Purpose.CONFIRM, rate)
            if step.judgement.verdict is RateVerdict.GENERATOR_LIMITED:
                spoilt += 1
                if spoilt > _CONFIRMATIONS:
                    return RateVerdict.GENERATOR_LIMITED
                continue
            self._add_point(rate, trial)
            passed, failed = passed + step.passed, failed + (not step.passed)
        return RateVerdict.PASS if passed >= needed else RateVerdict.FAIL

    def _outcome(self, lo: float) -> tuple[Outcome, float, bool, str]:
        bracket, settings = self._bracket, self._settings
        if bracket.top == math.inf:
            return Outcome.NEVER_FAILED, lo, True, f"the server passed at max_rate ({settings.max_rate_per_s:,.0f}/s)"
        if bracket.ceiling < bracket.fail:
            return Outcome.GENERATOR_LIMITED, lo, True, self._generator_reason()
        if not self._narrow():
            reason = f"max_bisect_steps ({settings.max_bisect_steps}) ran out before the interval was narrow enough"
            return Outcome.WIDE, lo, True, reason
        reason = f"{lo:,.0f} req/s passed 2 of 3 fresh trials, and {bracket.fail:,.0f} req/s is too high"
        return Outcome.FOUND, lo, True, reason

    def _generator_reason(self) -> str:
        return f"the generator reached its limit at {self._bracket.ceiling:,.0f} req/s: {self._bracket.ceiling_reason}"

    def _end(self, outcome: Outcome, lo: float, confirmed: bool, reason: str) -> SearchAnswer:
        hi = self._bracket.fail
        return SearchAnswer(
            outcome,
            lo,
            hi if hi < math.inf else None,
            confirmed,
            reason,
            self.steps,
            self._capacity_per_s,
            self._spent_s,
        )

    def _try_for_bracket(self, purpose: Purpose, rate: float) -> Generator[Probe, Trial, bool]:
        """Judge a rate and move the bracket by it. The ceiling moves only when a rate is generator-limited twice."""
        bracket = self._bracket
        for _ in range(2):
            step, trial = yield from self._try(purpose, rate)
            if step.judgement.verdict is not RateVerdict.GENERATOR_LIMITED:
                break
        else:
            bracket.ceiling, bracket.ceiling_reason = rate, step.judgement.why
            return False
        self._add_point(rate, trial)
        if step.passed:
            bracket.lo = rate
        else:
            bracket.fail = rate
        return step.passed

    def _add_point(self, rate: float, trial: Trial) -> None:
        margin = min(
            (limit.limit_ns / max(1, x) for limit, x in zip(self._limits, trial.x_ns, strict=True)), default=0.0
        )
        self._bracket.points.append((rate, margin, trial.length_s))

    def _try(self, purpose: Purpose, rate: float) -> Generator[Probe, Trial, tuple[Step, Trial]]:
        """Measure a rate for as long as its verdict is open, up to the longest look, and record the step."""
        settings = self._settings
        confirms = purpose is Purpose.CONFIRM
        first_s = settings.sample_window_s * (_CONFIRM_WINDOWS if confirms else _FIRST_LOOK_WINDOWS)
        longest_s = first_s if confirms else settings.sample_window_s * _LAST_LOOK_WINDOWS
        probe = self._probe(purpose, rate, first_s)
        while True:
            trial = yield probe
            judgement = judge(trial, self._limits, self._min_throughput_ratio)
            if judgement.verdict is not RateVerdict.INCONCLUSIVE or probe.length_s >= longest_s:
                break
            length_s = min(probe.length_s * _EXTENSION, longest_s)
            self._spent_s += settings.drain_window_s
            probe = replace(probe, length_s=length_s, continues=True)
        self._spent_s += settings.drain_window_s + trial.length_s
        passed = judgement.verdict is RateVerdict.PASS or (
            judgement.verdict is RateVerdict.INCONCLUSIVE and judgement.leans_to_pass
        )
        step = Step(
            purpose, rate, trial.length_s, trial.offered_per_s, trial.achieved_per_s, judgement, trial.x_ns, passed
        )
        self._steps.append(step)
        return step, trial

    def _probe(self, purpose: Purpose, rate: float, length_s: float) -> Probe:
        settings = self._settings
        block_s = _FIRST_LOOK_WINDOWS * settings.sample_window_s / _BLOCKS_PER_FIRST_LOOK
        fresh = purpose is Purpose.CONFIRM
        return Probe(purpose, rate, length_s, settings.drain_window_s, block_s, self._limits, fresh=fresh)

    def _guess(self) -> float | None:
        """Return the rate at which the line through the points near the limit meets it; None without such a line."""
        near = [p for p in self._bracket.points if 1 / _NEAR_FACTOR <= p[1] <= _NEAR_FACTOR]
        one_sided = len({margin >= 1 for _, margin, _ in near}) == 1
        if one_sided and self._capacity_per_s > max(rate for rate, _, _ in near):
            # A server at its capacity has no margin left: the burst's rate is the end of the line.
            near.append((self._capacity_per_s, 0.0, max(length_s for _, _, length_s in near)))
        return _crossing(near)


def _crossing(points: Sequence[tuple[float, float, float]]) -> float | None:
    """Return the rate at which the weighted least-squares line through (rate, margin) falls to a margin of 1."""
    # The error of a quantile is proportional to the quantile, and so is its inverse's: a large margin weighs less.
    weights = [length_s / max(margin, 1.0) ** 2 for _, margin, length_s in points]
    total = sum(weights)
    if total <= 0:
        return None
    mean_rate = sum(w * rate for w, (rate, _, _) in zip(weights, points, strict=True)) / total
    mean_margin = sum(w * margin for w, (_, margin, _) in zip(weights, points, strict=True)) / total
    spread = sum(w * (rate - mean_rate) ** 2 for w, (rate, _, _) in zip(weights, points, strict=True))
    tilt = sum(
        w * (rate - mean_rate) * (margin - mean_margin) for w, (rate, margin, _) in zip(weights, points, strict=True)
    )
    if spread <= 0 or tilt >= 0:
        return None
    crossing = mean_rate + (1 - mean_margin) * spread / tilt
    return crossing if 0 < crossing < math.inf else None
