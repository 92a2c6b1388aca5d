"""Service level objectives: what a result must meet, and whether it does. Values and pure functions.

Only a good reply meets an objective: a request that failed exceeds every latency, however soon it did.

It knows snapshots; what a breach leads to (an exit status, a red line) is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from loadgen.percentiles import PERCENTILES
from loadgen.snapshot import LEAST_BEYOND, Histogram, Snapshot, Tally
from loadgen.units import NS_PER_S


class Unit(StrEnum):
    """What an objective's limit, and what is measured for it, are in."""

    NS = "ns"
    COUNT = "count"
    SHARE = "share"
    """A fraction, 0 to 1."""
    PER_S = "per_s"


@dataclass(frozen=True, slots=True)
class Objective:
    """One line of `[slo]`: `metric` must not exceed `limit`, or, where it ends in `_min`, not fall below it."""

    metric: str
    """One of PERCENTILES, of response time, where `max` is the exact one; or `errors`, `timeouts`, `hit_rate_min`,
    `throughput_min`."""
    limit: float
    unit: Unit
    command: str = ""
    """The command whose requests are meant, such as `get`; empty for all of the mix."""

    @property
    def is_floor(self) -> bool:
        return self.metric.endswith("_min")


class Attainment(StrEnum):
    """Whether an objective is met."""

    MET = "met"
    BREACHED = "breached"
    UNKNOWN = "unknown"
    """There was nothing to measure it by, or what is still unanswered could turn it into a breach."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An objective held against what was measured."""

    objective: Objective
    measured: float | None
    """In the objective's unit; None when there was nothing to measure."""
    answer: Attainment
    is_lower_bound: bool = False
    """The latency rests on requests that were not answered: the true one is at least this."""
    has_few_samples: bool = False
    """Fewer than 100 samples lie beyond the percentile."""
    failed: float = 0.0
    """The share of requests that failed, where the percentile lies among them, so that `measured` is None."""


def check(objectives: Iterable[Objective], measured: Snapshot, duration_ns: int) -> tuple[Evaluation, ...]:
    """Each objective held against what was measured in a window of this length, in their order."""
    return tuple(
        _check_latency(objective, measured)
        if objective.metric in PERCENTILES
        else _check_count(objective, _measure(objective, measured, duration_ns))
        for objective in objectives
    )


_TABLE_END_NS = 2**36
"""From here on samples share one counter, the overflow: all it says of a quantile is that it is not below."""


def _check_latency(objective: Objective, measured: Snapshot) -> Evaluation:
    q, command = PERCENTILES[objective.metric].quantile, objective.command or "all"
    good, rank, requests = ranked(measured, q, command)
    if not requests:
        return Evaluation(objective, None, Attainment.UNKNOWN)
    if rank > good.count:
        return Evaluation(objective, None, Attainment.BREACHED, failed=(requests - good.count) / requests)
    of_good = _middle(rank, good)
    value, is_lower_bound = good.quantile(of_good), good.is_lower_bound(of_good)
    least = value if q == 1 else _least_equivalent(value)
    if least > objective.limit:
        answer = Attainment.BREACHED
    elif is_lower_bound or value > max(objective.limit, _TABLE_END_NS):
        answer = Attainment.UNKNOWN
    else:
        answer = Attainment.MET
    return Evaluation(objective, value, answer, is_lower_bound, q < 1 and requests - rank < LEAST_BEYOND)


def ranked(measured: Snapshot, q: float, command: str = "all") -> tuple[Histogram, int, int]:
    """The good replies' response times, which of them in rising order is the quantile, and of how many requests it is.

    Requests that failed rank behind all good ones, so the quantile may lie beyond these. The unfinished stand among
    them, at the age that they reached.
    """
    good = measured.good_latency(command)
    requests = good.count + measured.tally(command).failed
    # In integers, to nine decimals of q, as a histogram ranks.
    return good, max(1, -(-round(q * 1_000_000_000) * requests // 1_000_000_000)), requests


def response_ns(measured: Snapshot, q: float, command: str = "all") -> int | None:
    """The response time that the fraction q of all requests had a good reply within; None where fewer had one."""
    good, rank, _ = ranked(measured, q, command)
    return good.quantile(_middle(rank, good)) if rank <= good.count else None


def _middle(rank: int, histogram: Histogram) -> float:
    """A fraction whose quantile has this rank: half a rank below it, as the quantile's own rank is rounded up."""
    return (rank - 0.5) / histogram.count


def exceeding(measured: Snapshot, limit_ns: int, command: str = "") -> tuple[int, int]:
    """How many requests a limit on response time holds for, and how many of them exceeded it for certain.

    Those that failed are among the latter. The unfinished are where the age that they reached exceeds the limit.
    """
    good, failed = measured.good_latency(command or "all"), measured.tally(command or "all").failed
    return good.count + failed, good.above(limit_ns) + failed


def _least_equivalent(value_ns: int) -> int:
    """The least that a quantile of `value_ns` can be in truth.

    A quantile is its counter's largest value (`highest_equivalent` in _histogram.pxd), up to 0.1 % above the truth: of
    1 ms it is 1000447 ns. An objective is breached only where the whole counter lies above the limit, so that rounding
    alone breaches none; what exceeds a limit by less than 0.1 % may be met. The values of a counter agree in their
    leading 11 bits.
    """
    shift = max(0, value_ns.bit_length() - 11)
    return min(value_ns >> shift << shift, _TABLE_END_NS)


def _check_count(objective: Objective, value: float | None) -> Evaluation:
    if value is None:
        return Evaluation(objective, None, Attainment.UNKNOWN)
    is_met = value >= objective.limit if objective.is_floor else value <= objective.limit
    return Evaluation(objective, value, Attainment.MET if is_met else Attainment.BREACHED)


def _measure(objective: Objective, measured: Snapshot, duration_ns: int) -> float | None:
    """What an objective that is no latency is about, in its unit; None when there was nothing to measure."""
    tally = measured.tally(objective.command or "all")
    match objective.metric:
        case "errors":
            return _count(tally.not_ok, tally, objective.unit)
        case "timeouts":
            return _count(tally.timeouts, tally, objective.unit)
        case "hit_rate_min":
            return measured.hit_rate
        case "throughput_min":
            # Which of one command's good replies came within the window, and which with the drain, is not told apart.
            good = tally.ok if objective.command else measured.ok_in_time
            return good * NS_PER_S / duration_ns if duration_ns > 0 else None
    raise ValueError(f'there is no metric "{objective.metric}"')


def _count(part: int, tally: Tally, unit: Unit) -> float | None:
    if not tally.planned:
        return None
    return part / tally.planned if unit is Unit.SHARE else part
