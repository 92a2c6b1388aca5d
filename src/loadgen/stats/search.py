"""The saturation search: the highest offered rate at which response time still meets its limits, as an interval.

A pure state machine: it asks for probes, is fed what they observed, and ends in an answer. It does no I/O, reads no
clock and draws no random number, so the same trials give the same answer. How a trial is judged is `stats.trial`'s.

The method is that of MLRsearch and Shivam et al. (USENIX ATC 2008), rough far away and precise near the answer:

1. A closed-loop burst says what the server can do at all, X̂. The first rate tried is 0.6·X̂.
2. A rate is measured for 2 s, and longer, up to 40 s, for as long as its verdict is open (`trial.judge`).
3. The next rate is where 1/x_q, as a line through what was seen near the limit (a secant, while that is two rates),
   reaches the limit: for M/M/1 it is exactly linear in the rate. It is moved 1.5 % to the further side and kept 10 %
   inside the bracket; where the line says nothing, the bracket is halved.
4. When the bracket is narrow enough, the rate that all trials together point to must pass 2 of 3 fresh trials, or it
   steps down by 1 to 2 %, and by more when it fails again.

Without limits the knee is searched: the last rate that achieves 99 % of what is offered with a p99 of at most three
times that at 0.3·X̂. A rate at which the generator fell behind says nothing of the server: it bounds the search, under
that name.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from loadgen.stats.trial import NO_LIMIT_NS, Judgement, Limit, RateVerdict, Trial, judge

ANY_RATE_PER_S = 1e8
"""The `max_rate` that means that none was set (cachecannon's default)."""

# X̂ is what a closed loop achieves; an SLO is met up to a fair part of it, and the line through 1/x_q needs some load.
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
# So far beyond the guess, on the side that is still far, to have the answer between two probes and not on one.
_NUDGE = 0.015
_INSIDE = 0.10
# A climb never goes further at once: beyond, a server is buried in a backlog that spoils what follows.
_MOST_GROWTH = 4.0
# Points whose quantile is within this factor of its limit lie near enough for 1/x_q to be a line.
_NEAR_FACTOR = 3.0
# A confirmation that fails moves the answer down to where the line says: by at least 1 %, at most 2 % at first, and at
# most twice as much each time it fails again, up to a half, to follow a server that starts afresh much slower.
_LEAST_STEP_DOWN = 0.01
_STEP_DOWN = 0.02
_MOST_STEPS_DOWN = 8
_CONFIRMATIONS = 3


class Purpose(StrEnum):
    """Why a probe is asked for."""

    BURST = "burst"
    """A closed loop, to see what the server can do at all. Its rate is 0."""
    BASE = "base"
    """A low rate whose p99 the knee is measured by."""
    CLIMB = "climb"
    """No rate has failed yet, or none has passed."""
    REFINE = "refine"
    """Between a rate that passed and one that failed."""
    CONFIRM = "confirm"
    """The answer's lower end again, on a fresh start."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A trial that is asked for."""

    purpose: Purpose
    rate_per_s: float
    length_s: float
    """How long is to be measured in all: a probe that continues the last one includes what that has measured."""
    settle_s: float
    """How long to offer the rate before measuring begins, also when it continues."""
    block_s: float
    limits: tuple[Limit, ...]
    """What exceedances and quantiles are to be counted for, in this order."""
    continues: bool = False
    """It is at the rate of the last probe, and the trial to report is the two merged."""
    fresh: bool = False
    """Begin on new connections (and a restarted server, where it is ours): each start settles differently."""


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
    """Which side of the bracket the rate went to. An INCONCLUSIVE one goes to where its estimate lies."""


class Outcome(StrEnum):
    """How a search ended."""

    FOUND = "found"
    GENERATOR_LIMITED = "generator-limited"
    """The generator gave out before the server did: the server's limit is above `lo_per_s`, and unknown."""
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

    Its ends rest on rates that were judged and are no confidence bounds. Simulated on M/M/1 and M/D/1 at p99, the lower
    end has a bias of under 1 % and a standard deviation of under 2 %; the truth lies between the ends in half of the
    searches, and within 3 % of them in nearly all.
    """

    outcome: Outcome
    lo_per_s: float
    """The highest rate known to pass; 0 when none did."""
    hi_per_s: float | None
    """The lowest rate above it at which the server failed; None when it failed at none."""
    confirmed: bool
    """`lo_per_s` passed 2 of 3 fresh trials."""
    reason: str
    steps: tuple[Step, ...]
    capacity_per_s: float
    """What the closed-loop burst achieved; 0 when there was none."""
    spent_s: float
    """Time measured and settled, over all probes."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What to search for and how long to look: cachecannon's keys, each with its meaning in the sequential method.

    The bounds of each are those of its key, which the configuration holds.
    """

    limits: tuple[Limit, ...] = ()
    """`slo`: all of them must pass. None: the knee is searched."""
    start_rate_per_s: float = 1000.0
    """The first rate tried when no burst has said better; and, while nothing passes, how far down the search goes."""
    step_multiplier: float = 1.05
    """The least factor of the first step up while nothing has failed; each further one is squared, up to 4."""
    sample_window_s: float = 5.0
    """The scale of all lengths: the closed-loop burst is 0.6 of it (3 s), a first look 0.4 (2 s), the longest look 8
    (40 s), a confirmation 1.6 (8 s)."""
    drain_window_s: float = 0.5
    """How long a changed rate is offered before it is measured."""
    stop_after_failures: int = 3
    """How many rates may fail in a row, with none passed, before the search gives up."""
    max_rate_per_s: float = ANY_RATE_PER_S
    """No rate above it is tried. Setting it also skips the closed-loop burst, which keeps to no rate."""
    min_throughput_ratio: float = 0.9
    """The least share of the offered rate that must be achieved for a rate to pass; at least 0.99 for the knee."""
    bisect_tolerance: float = 0.05
    """How narrow the bracket must be to end the search, as a share of its lower end."""
    max_bisect_steps: int = 8
    """The most rates tried inside the bracket."""


@dataclass(slots=True)
class _Bracket:
    """What is known of where the answer lies."""

    lo: float = 0.0
    """The highest rate that passed."""
    fail: float = math.inf
    """The lowest rate at which the server failed."""
    ceiling: float = math.inf
    """The lowest rate that the generator could not keep up."""
    ceiling_reason: str = ""
    points: list[tuple[float, float, float]] = field(default_factory=list)
    """Rate, how far the worst quantile is below its limit (1/x_q in units of the limit's), seconds measured."""

    @property
    def top(self) -> float:
        return min(self.fail, self.ceiling)


class Search:
    """One saturation search. `next(None)` gives the first probe; `next(trial)` the one after it, or the answer."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._steps: list[Step] = []
        self._spent_s = 0.0
        self._capacity_per_s = 0.0
        self._limits = settings.limits
        self._min_throughput_ratio = settings.min_throughput_ratio
        self._bracket = _Bracket()
        self._asked: Generator[Probe, Trial, SearchAnswer] = self._search()
        self._answer: SearchAnswer | None = None
        self._begun = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rates judged so far, in the order in which they were tried."""
        return tuple(self._steps)

    def next(self, last_trial: Trial | None) -> Probe | SearchAnswer:
        """Take what the last probe observed, and say what is to be done next. After the answer, it stays the answer.

        Raises ValueError when a trial is missing, or when there was no probe for it.
        """
        if self._answer is not None:
            return self._answer
        if self._begun is (last_trial is None):
            raise ValueError("a search begins with no trial, and each of its probes is followed by one")
        self._begun = True
        try:
            return self._asked.send(last_trial) if last_trial is not None else next(self._asked)
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
                reason = f"every rate that was tried failed, down to {bracket.fail:,.0f}/s"
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
        """Turn the knee into a limit, three times the p99 of a low rate. The answer where that is the end already."""
        self._limits = (Limit(0.99, NO_LIMIT_NS),)
        rate = _KNEE_BASE_SHARE * self._capacity_per_s or min(
            self._settings.start_rate_per_s, self._settings.max_rate_per_s
        )
        step, trial = yield from self._try(Purpose.BASE, rate)
        if step.judgement.verdict is RateVerdict.GENERATOR_LIMITED:
            reason = f"the generator fell behind at the base rate of {rate:,.0f}/s: {step.judgement.why}"
            return self._end(Outcome.GENERATOR_LIMITED, 0.0, False, reason)
        if trial.failed:
            return self._end(Outcome.NEVER_PASSED, 0.0, False, f"at the base rate of {rate:,.0f}/s {trial.failed}")
        if not trial.x_ns[0]:
            reason = f"the base rate of {rate:,.0f}/s has no p99: more than 1 % of its requests had no good reply"
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
        """The bracket is narrow enough; rates less than 1/s apart are one (cachecannon's rule)."""
        width = self._bracket.top - self._bracket.lo
        return width <= max(self._settings.bisect_tolerance * self._bracket.lo, 1.0)

    def _inside(self) -> float:
        """The next rate inside the bracket."""
        lo, hi = self._bracket.lo, self._bracket.top
        guess = self._guess()
        if guess is None or not lo < guess < hi:
            return (lo + hi) / 2
        guess *= 1 + _NUDGE if hi - guess > guess - lo else 1 - _NUDGE
        margin = _INSIDE * (hi - lo)
        return min(max(guess, lo + margin), hi - margin)

    def _conclude(self) -> Generator[Probe, Trial, SearchAnswer]:
        """Confirm the lower end, stepping down from it for as long as it does not hold."""
        bracket = self._bracket
        rate, failed = self._lower_end(), math.inf
        for refuted in range(_MOST_STEPS_DOWN + 1):
            verdict = yield from self._confirm(rate)
            if verdict is RateVerdict.PASS:
                return self._end(*self._outcome(rate))
            if verdict is RateVerdict.GENERATOR_LIMITED:
                reason = f"the generator fell behind again and again while {rate:,.0f}/s was confirmed"
                return self._end(Outcome.GENERATOR_LIMITED, self._held(failed), False, reason)
            # Three short trials can fail by chance, so the upper end is a step above the rate that failed them.
            bracket.fail = min(bracket.fail, rate * (1 + _LEAST_STEP_DOWN), self._settings.max_rate_per_s)
            failed, rate = rate, self._lower(rate, _STEP_DOWN * 2**refuted)
        reason = f"rates that had passed did not pass 2 of 3 fresh trials, down to {failed:,.0f}/s"
        return self._end(Outcome.UNCONFIRMED, self._held(failed), False, reason)

    def _held(self, below: float) -> float:
        """The highest rate that has passed at all, below one that did not hold."""
        below = min(below, self._bracket.fail)
        passed = (step.rate_per_s for step in self._steps if step.passed and step.purpose is not Purpose.BASE)
        return max((rate for rate in passed if rate < below), default=0.0)

    def _lower_end(self) -> float:
        """The rate to confirm: where the line through all trials has it, which owes less to luck than the last pass."""
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
        """PASS when 2 of 3 fresh trials pass; the third is spared when two agree. What the generator spoilt is none."""
        needed = _CONFIRMATIONS // 2 + 1
        passed = failed = spoilt = 0
        while passed < needed and failed < needed:
            step, trial = yield from self._try(Purpose.CONFIRM, rate)
            if step.judgement.verdict is RateVerdict.GENERATOR_LIMITED:
                spoilt += 1
                if spoilt > _CONFIRMATIONS:
                    return RateVerdict.GENERATOR_LIMITED
                continue
            self._learn(rate, trial)
            passed, failed = passed + step.passed, failed + (not step.passed)
        return RateVerdict.PASS if passed >= needed else RateVerdict.FAIL

    def _outcome(self, lo: float) -> tuple[Outcome, float, bool, str]:
        bracket, settings = self._bracket, self._settings
        if bracket.top == math.inf:
            return Outcome.NEVER_FAILED, lo, True, f"the server passed at max_rate, {settings.max_rate_per_s:,.0f}/s"
        if bracket.ceiling < bracket.fail:
            return Outcome.GENERATOR_LIMITED, lo, True, self._generator_reason()
        if not self._narrow():
            reason = f"max_bisect_steps ({settings.max_bisect_steps}) were spent before the interval was narrow enough"
            return Outcome.WIDE, lo, True, reason
        return Outcome.FOUND, lo, True, f"{lo:,.0f}/s passed 2 of 3 fresh trials, and {bracket.fail:,.0f}/s is too much"

    def _generator_reason(self) -> str:
        return f"the generator reached its limit at {self._bracket.ceiling:,.0f}/s: {self._bracket.ceiling_reason}"

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
        """Judge a rate and move the bracket by it. One that the generator spoilt is tried again to be believed."""
        bracket = self._bracket
        for _ in range(2):
            step, trial = yield from self._try(purpose, rate)
            if step.judgement.verdict is not RateVerdict.GENERATOR_LIMITED:
                break
        else:
            bracket.ceiling, bracket.ceiling_reason = rate, step.judgement.why
            return False
        self._learn(rate, trial)
        if step.passed:
            bracket.lo = rate
        else:
            bracket.fail = rate
        return step.passed

    def _learn(self, rate: float, trial: Trial) -> None:
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
        """Where the line through the points near the limit meets it; None when they show no such line."""
        near = [p for p in self._bracket.points if 1 / _NEAR_FACTOR <= p[1] <= _NEAR_FACTOR]
        one_sided = len({margin >= 1 for _, margin, _ in near}) == 1
        if one_sided and self._capacity_per_s > max(rate for rate, _, _ in near):
            # A server at its capacity has no margin left: the end of the line that the burst has seen.
            near.append((self._capacity_per_s, 0.0, max(length_s for _, _, length_s in near)))
        return _crossing(near)


def _crossing(points: Sequence[tuple[float, float, float]]) -> float | None:
    """The rate at which the weighted least-squares line through (rate, margin) falls to a margin of 1."""
    # A quantile's error is a share of it, and so is its inverse's: a far margin is known less well.
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
