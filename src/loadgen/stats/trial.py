"""The observations at one offered rate, and the verdict on whether they meet the limits.

This file knows counts and their confidence bounds. It does not choose the next rate, and it measures nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

NO_LIMIT_NS = 2**63 - 1
"""The limit of a quantile that is wanted but not judged: no int64 latency exceeds it."""

# One-sided 95 % of the normal distribution; `_student` widens it where blocks are few.
_Z = 1.64
# Neighbouring blocks are summed until about this many are left: near saturation a queue's state is correlated over many
# service times, and correlated blocks make the standard error too small.
_MOST_BATCHES = 20
# Slow requests are clustered: a delay hits every request queued behind it. A pass must be sure enough even when slow
# requests come this many at a time. Simulated on M/M/1: below 8 rates pass by luck, and 12 costs a fifth more time.
_CLUSTER = 8
# A rate is hopeless when this share of its requests exceeds a limit, or 1.5 × the share allowed where that is more.
_HOPELESS_SHARE = 0.20
# A backlog that takes four times the longest limit to serve will not be served in time.
_HOPELESS_LIMITS = 4
# A shortfall of this many requests may be those in flight at the two ends of the window.
_IN_FLIGHT = 10


@dataclass(frozen=True, slots=True)
class Limit:
    """The response time that a quantile must not exceed."""

    quantile: float
    """Between 0 and 1, both excluded."""
    limit_ns: int
    command: str = ""
    """The command whose requests are meant; empty for all commands."""

    def __str__(self) -> str:
        name = f"p{self.quantile * 100:.10g}".replace(".", "")
        return f"{self.command} {name}" if self.command else name


@dataclass(frozen=True, slots=True)
class Block:
    """A short stretch of a trial: by limit, the requests intended in it, and how many exceeded the limit.

    Timeouts, lost requests and requests still unanswered when the wait for them ended count as exceeding.
    """

    requests: tuple[int, ...]
    exceeding: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """The observations at one rate since its probe began, with continued parts merged."""

    length_s: float
    """The measured time, without the wait before it."""
    offered_per_s: float
    achieved_per_s: float
    """Good replies received per second of the measured time."""
    blocks: tuple[Block, ...] = ()
    x_ns: tuple[int, ...] = ()
    """By limit, the response time at its quantile: from merged counts, never a mean of percentiles."""
    backlog: int = 0
    """Requests due and unanswered at the end of the measured time."""
    limited_by: str = ""
    """The reason why the generator, not the server, spoilt the trial; empty when it did not."""
    failed: str = ""
    """The reason when more of the trial's requests failed than may; empty when they did not."""


class RateVerdict(StrEnum):
    """The verdict of a trial on its rate."""

    PASS = "PASS"
    FAIL = "FAIL"
    GENERATOR_LIMITED = "GENERATOR-LIMITED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Exceedance:
    """The share of requests that exceeded a limit, and the bounds of the true share (one-sided 95 % each)."""

    limit: Limit
    ratio: float
    low: float
    high: float

    @property
    def allowed(self) -> float:
        """The share that may exceed the limit: 0.01 for a p99."""
        return 1 - self.limit.quantile

    @property
    def verdict(self) -> RateVerdict:
        """PASS or FAIL when both bounds are on one side of the share allowed."""
        if self.high < self.allowed:
            return RateVerdict.PASS
        return RateVerdict.FAIL if self.low > self.allowed else RateVerdict.INCONCLUSIVE

    def __str__(self) -> str:
        ratio, low, high = (f"{100 * share:.3f} %" for share in (self.ratio, self.low, self.high))
        allowed = f"{100 * self.allowed:.3g} %"
        return f"{self.limit}: {ratio} of requests exceed the limit ({low} to {high}; {allowed} may)"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the exceedances that it rests on, and the reason in words."""

    verdict: RateVerdict
    exceedances: tuple[Exceedance, ...]
    why: str

    @property
    def leans_to_pass(self) -> bool:
        """True when, by the point estimates alone, no limit is exceeded by more than the share allowed."""
        return all(e.ratio <= e.allowed for e in self.exceedances)


def judge(trial: Trial, limits: Sequence[Limit], min_throughput_ratio: float) -> Judgement:
    """Judge a trial: the trial passes only when every limit passes, and fails when one limit fails.

    With y_b = exceeding − (1 − q)·requests for block b, a limit passes when ȳ + 1.64·SE < 0 and fails when
    ȳ − 1.64·SE > 0; in between the verdict is INCONCLUSIVE and more should be measured. SE is that of batch means, with
    Student's t, and at least that of independent requests at the limit (of clusters of them for a pass), so that a p99
    is not passed on 50 requests of which none exceeded. A trial in which too many requests failed has failed, whatever
    its limits are. GENERATOR_LIMITED outranks all other verdicts: the server was not tested.
    """
    exceedances = tuple(_exceedance(trial.blocks, i, limit) for i, limit in enumerate(limits))
    if trial.limited_by:
        return Judgement(RateVerdict.GENERATOR_LIMITED, exceedances, trial.limited_by)
    failure = trial.failed or hopeless(trial, limits) or _shortfall(trial, min_throughput_ratio)
    if failure:
        return Judgement(RateVerdict.FAIL, exceedances, failure)
    for verdict in (RateVerdict.FAIL, RateVerdict.INCONCLUSIVE):
        decisive = [e for e in exceedances if e.verdict is verdict]
        if decisive:
            return Judgement(verdict, exceedances, "; ".join(map(str, decisive)))
    return Judgement(RateVerdict.PASS, exceedances, "; ".join(map(str, exceedances)))


def hopeless(trial: Trial, limits: Sequence[Limit]) -> str:
    """Return the reason to end a trial early, as the server has failed already; empty when it should go on."""
    longest_s = max((limit.limit_ns for limit in limits), default=NO_LIMIT_NS) / 1e9
    if trial.backlog > max(_IN_FLIGHT, trial.offered_per_s * _HOPELESS_LIMITS * longest_s):
        return f"the backlog of {trial.backlog} requests takes over {_HOPELESS_LIMITS} times the longest limit to serve"
    for i, limit in enumerate(limits):
        requests = sum(block.requests[i] for block in trial.blocks)
        exceeding = sum(block.exceeding[i] for block in trial.blocks)
        share = max(_HOPELESS_SHARE, 1.5 * (1 - limit.quantile))
        if requests > _IN_FLIGHT and exceeding > share * requests:
            told, most = (f"{100 * part:.0f} %" for part in (exceeding / requests, share))
            return f"{limit}: {told} of requests exceed the limit, and the step ends early above {most}"
    return ""


def _shortfall(trial: Trial, min_throughput_ratio: float) -> str:
    missing = (min_throughput_ratio * trial.offered_per_s - trial.achieved_per_s) * trial.length_s
    if missing <= 0 or (trial.offered_per_s - trial.achieved_per_s) * trial.length_s <= _IN_FLIGHT:
        return ""
    ratio = trial.achieved_per_s / trial.offered_per_s
    # Rounded down, so that a shortfall does not look like enough.
    achieved, least = math.floor(10_000 * ratio) / 100, 100 * min_throughput_ratio
    return f"{achieved:.2f} % of the offered rate was achieved, and {least:.6g} % is the least that passes"


def _exceedance(blocks: Sequence[Block], index: int, limit: Limit) -> Exceedance:
    allowed = 1 - limit.quantile
    requests = sum(block.requests[index] for block in blocks)
    if not requests:
        return Exceedance(limit, 0.0, 0.0, 1.0)
    per_batch = math.ceil(len(blocks) / _MOST_BATCHES)
    batches = [blocks[at : at + per_batch] for at in range(0, len(blocks) - per_batch + 1, per_batch)]
    ys = [sum(block.exceeding[index] - allowed * block.requests[index] for block in batch) for batch in batches]
    between, width = 0.0, _Z
    if len(ys) > 1:
        mean = sum(ys) / len(ys)
        # The blocks that do not fill a batch are left out of the sum and counted in again here.
        between = sum((y - mean) ** 2 for y in ys) / (len(ys) - 1) * len(blocks) / per_batch
        width = _student(len(ys) - 1)
    ratio = sum(block.exceeding[index] for block in blocks) / requests
    # At the limit itself n independent requests vary by n·q·(1 − q); dependent ones vary more, never less.
    independent = requests * allowed * (1 - allowed)
    below = width * math.sqrt(max(between, independent))
    # When few requests exceeded, their variance is small as well, and luck would look like certainty. If the true share
    # were the share allowed, the variance would be larger by the ratio of the two shares.
    at_limit = between * max(1.0, allowed / max(ratio, 1 / requests))
    above = max(width * math.sqrt(at_limit), _Z * math.sqrt(_CLUSTER * independent))
    return Exceedance(limit, ratio, max(0.0, ratio - below / requests), min(1.0, ratio + above / requests))


def _student(degrees: int) -> float:
    """Return Student's t at the same tail as `_Z`: the first term of Abramowitz & Stegun 26.7.5."""
    return _Z + (_Z**3 + _Z) / (4 * degrees)
