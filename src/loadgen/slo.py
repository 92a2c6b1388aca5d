"""Service level objectives: what a result must meet, and whether it does. Values and pure functions.

It knows snapshots; what a breach leads to (an exit status, a red line) is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from loadgen.snapshot import Snapshot, Tally, has_few_samples
from loadgen.units import NS_PER_S

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "p9999": 0.9999, "max": 1.0}
"""The latencies that can have a limit, as quantiles of response time; `max` is the exact one."""


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
    """One of QUANTILES, `errors`, `timeouts`, `hit_rate_min`, `throughput_min`."""
    limit: float
    unit: Unit
    command: str = ""
    """The command whose requests are meant, such as `get`; empty for all of the mix."""

    @property
    def is_floor(self) -> bool:
        return self.metric.endswith("_min")


class Answer(StrEnum):
    """Whether an objective is met."""

    MET = "met"
    BREACHED = "breached"
    UNKNOWN = "unknown"
    """There was nothing to measure it by, or what is still unanswered could turn it into a breach."""


@dataclass(frozen=True, slots=True)
class Check:
    """An objective held against what was measured."""

    objective: Objective
    measured: float | None
    """In the objective's unit; None when there was nothing to measure."""
    answer: Answer
    is_lower_bound: bool = False
    """The latency rests on requests that were not answered: the true one is at least this."""
    has_few_samples: bool = False
    """Fewer than 100 samples lie beyond the percentile."""


def check(objectives: Iterable[Objective], measured: Snapshot, duration_ns: int) -> tuple[Check, ...]:
    """Each objective held against what was measured in a window of this length, in their order."""
    return tuple(
        _check_latency(objective, measured)
        if objective.metric in QUANTILES
        else _check_count(objective, _measure(objective, measured, duration_ns))
        for objective in objectives
    )


_TABLE_END_NS = 2**36
"""From here on samples share one counter, the overflow: all it says of a quantile is that it is not below."""


def _check_latency(objective: Objective, measured: Snapshot) -> Check:
    q, histogram = QUANTILES[objective.metric], measured.latency(objective.command or "all")
    if not histogram.count:
        return Check(objective, None, Answer.UNKNOWN)
    value, is_lower_bound = histogram.quantile(q), histogram.is_lower_bound(q)
    least = value if q == 1 else _least_equivalent(value)
    if least > objective.limit:
        answer = Answer.BREACHED
    elif is_lower_bound or value > max(objective.limit, _TABLE_END_NS):
        answer = Answer.UNKNOWN
    else:
        answer = Answer.MET
    return Check(objective, value, answer, is_lower_bound, has_few_samples(histogram, q))


def _least_equivalent(value_ns: int) -> int:
    """The least that a quantile of `value_ns` can be in truth.

    A quantile is its counter's largest value (`highest_equivalent` in _histogram.pxd), up to 0.1 % above the truth: of
    1 ms it is 1000447 ns. An objective is breached only where the whole counter lies above the limit, so that rounding
    alone breaches none; what exceeds a limit by less than 0.1 % may be met. The values of a counter agree in their
    leading 11 bits.
    """
    shift = max(0, value_ns.bit_length() - 11)
    return min(value_ns >> shift << shift, _TABLE_END_NS)


def _check_count(objective: Objective, value: float | None) -> Check:
    if value is None:
        return Check(objective, None, Answer.UNKNOWN)
    is_met = value >= objective.limit if objective.is_floor else value <= objective.limit
    return Check(objective, value, Answer.MET if is_met else Answer.BREACHED)


def _measure(objective: Objective, measured: Snapshot, duration_ns: int) -> float | None:
    """What an objective that is no latency is about, in its unit; None when there was nothing to measure."""
    tally = measured.tallies.get(objective.command, Tally()) if objective.command else measured.total
    match objective.metric:
        case "errors":
            return _count(tally.failed, tally, objective.unit)
        case "timeouts":
            return _count(tally.timeouts, tally, objective.unit)
        case "hit_rate_min":
            return measured.hit_rate
        case "throughput_min":
            # Which of one command's replies came within the window, and which with the drain, is not told apart.
            answered = tally.answered if objective.command else measured.answered_in_time
            return answered * NS_PER_S / duration_ns if duration_ns > 0 else None
    raise ValueError(f'there is no metric "{objective.metric}"')


def _count(part: int, tally: Tally, unit: Unit) -> float | None:
    if not tally.planned:
        return None
    return part / tally.planned if unit is Unit.SHARE else part
