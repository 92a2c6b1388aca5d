"""Service level objectives, and the check of a result against them. Values and pure functions.

Only a good reply meets an objective: a failed request exceeds every latency, however soon it failed.

This module reads snapshots. It does not know what a breach leads to, such as an exit status or a red line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from loadgen.percentiles import PERCENTILES
from loadgen.snapshot import LEAST_BEYOND, Histogram, Snapshot, Tally
from loadgen.units import NS_PER_S


class Unit(StrEnum):
    """The unit of an objective's limit and of the value measured for it."""

    NS = "ns"
    COUNT = "count"
    SHARE = "share"
    """A fraction, 0 to 1."""
    PER_S = "per_s"


@dataclass(frozen=True, slots=True)
class Objective:
    """One line of `[slo]`: `metric` must not exceed `limit`; one whose name ends in `_min` must not fall below it."""

    metric: str
    """A percentile of response time, named as in PERCENTILES (`max` is exact); or `errors`, `timeouts`, `hit_rate_min`,
    `throughput_min`."""
    limit: float
    unit: Unit
    command: str = ""
    """The command whose requests count, such as `get`; empty for all of the mix."""

    @property
    def is_floor(self) -> bool:
        return self.metric.endswith("_min")


class Attainment(StrEnum):
    """The answer to an objective."""

    MET = "met"
    BREACHED = "breached"
    UNKNOWN = "unknown"
    """Nothing was measured, or requests that are still unanswered could breach the objective."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An objective compared with what was measured."""

    objective: Objective
    measured: float | None
    """In the objective's unit; None when there was nothing to measure."""
    answer: Attainment
    is_lower_bound: bool = False
    """True when the latency rests on unanswered requests: the true latency is at least `measured`."""
    has_few_samples: bool = False
    """True when fewer than 100 samples lie beyond the percentile."""
    failed: float = 0.0
    """The share of failed requests, where the percentile lies among them, so that `measured` is None."""


def check(objectives: Iterable[Objective], measured: Snapshot, duration_ns: int) -> tuple[Evaluation, ...]:
    """Compare each objective with what was measured in a window of this length; the Evaluations keep the order."""
    return tuple(
        _check_latency(objective, measured)
        if objective.metric in PERCENTILES
        else _check_count(objective, _measure(objective, measured, duration_ns))
        for objective in objectives
    )


TABLE_END_NS = 2**36
"""From here on all samples share the overflow counter, so a quantile in it is known only to be at least this."""


def _check_latency(objective: Objective, measured: Snapshot) -> Evaluation:
    q, command = PERCENTILES[objective.metric].quantile, objective.command or "all"
    good, rank, requests = ranked(measured, q, command)
    if not requests:
        return Evaluation(objective, None, Attainment.UNKNOWN)
    if rank > good.count:
        return Evaluation(objective, None, Attainment.BREACHED, failed=(requests - good.count) / requests)
    of_good = middle(rank, good)
    value, is_lower_bound = good.quantile(of_good), good.is_lower_bound(of_good)
    least = value if q == 1 else least_equivalent(value)
    if least > objective.limit:
        answer = Attainment.BREACHED
    elif is_lower_bound or value > max(objective.limit, TABLE_END_NS):
        answer = Attainment.UNKNOWN
    else:
        answer = Attainment.MET
    return Evaluation(objective, value, answer, is_lower_bound, q < 1 and requests - rank < LEAST_BEYOND)


def ranked(measured: Snapshot, q: float, command: str = "all") -> tuple[Histogram, int, int]:
    """Return the good replies' response times, the quantile's rank among them from the least, and the requests ranked.

    Failed requests rank behind all good ones, so the rank may exceed the number of good replies. Unfinished requests
    are among the good ones, at the age that they reached.
    """
    good = measured.good_latency(command)
    requests = good.count + measured.tally(command).failed
    # In integers, to nine decimals of q, as in Histogram's own quantiles.
    return good, max(1, -(-round(q * 1_000_000_000) * requests // 1_000_000_000)), requests


def response_ns(measured: Snapshot, q: float, command: str = "all") -> int | None:
    """Return the response time within which the fraction q of all requests got a good reply; None where fewer did."""
    good, rank, _ = ranked(measured, q, command)
    return good.quantile(middle(rank, good)) if rank <= good.count else None


def middle(rank: int, histogram: Histogram) -> float:
    """Return a fraction whose quantile has this rank: half a rank less, because a quantile's rank is rounded up."""
    return (rank - 0.5) / histogram.count


def exceeding(measured: Snapshot, limit_ns: int, command: str = "") -> tuple[int, int]:
    """Return how many requests a limit on response time applies to, and how many of them exceeded it for certain.

    A failed request exceeded the limit. An unfinished request did when the age that it reached exceeds the limit.
    """
    good, failed = measured.good_latency(command or "all"), measured.tally(command or "all").failed
    return good.count + failed, good.above(limit_ns) + failed


def least_equivalent(value_ns: int) -> int:
    """Return the least true value that a quantile of `value_ns` can stand for.

    A quantile is its counter's largest value (`highest_equivalent` in _histogram.pxd), up to 0.1 % above the true one:
    1000447 ns for 1 ms. An objective is breached only where the whole counter lies above the limit, so that rounding
    alone breaches none; a value less than 0.1 % above the limit may pass. The values of a counter agree in their
    leading 11 bits.
    """
    shift = max(0, value_ns.bit_length() - 11)
    return min(value_ns >> shift << shift, TABLE_END_NS)


def _check_count(objective: Objective, value: float | None) -> Evaluation:
    if value is None:
        return Evaluation(objective, None, Attainment.UNKNOWN)
    is_met = value >= objective.limit if objective.is_floor else value <= objective.limit
    return Evaluation(objective, value, Attainment.MET if is_met else Attainment.BREACHED)


def _measure(objective: Objective, measured: Snapshot, duration_ns: int) -> float | None:
    """Return the value of a metric that is no latency, in the objective's unit; None when nothing was measured."""
    tally = measured.tally(objective.command or "all")
    match objective.metric:
        case "errors":
            return _count(tally.not_ok, tally, objective.unit)
        case "timeouts":
            return _count(tally.timeouts, tally, objective.unit)
        case "hit_rate_min":
            return measured.hit_rate
        case "throughput_min":
            # A single command's good replies within the window are not counted apart from those in the drain.
            good = tally.ok if objective.command else measured.ok_in_time
            return good * NS_PER_S / duration_ns if duration_ns > 0 else None
    raise ValueError(f'there is no metric "{objective.metric}"')


def _count(part: int, tally: Tally, unit: Unit) -> float | None:
    if not tally.planned:
        return None
    return part / tally.planned if unit is Unit.SHARE else part
