"""The verdict on a run's numbers: the server's, or distorted by the generator. Values and pure functions.

The verdict follows from the counts and from the kernel's data on the worker processes; this module measures nothing.
The causes that may have held the generator up, and their remedies, are from `causes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loadgen.hosts import HostPart
from loadgen.judge.causes import LESS_LOAD, MORE_WORKERS, OWN_LATENCY, OWN_LIMIT, Cause, causes
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.signs import Ceiling, Signs, WorkerSigns
from loadgen.snapshot import Snapshot
from loadgen.stats.trend import trend
from loadgen.units import NS_PER_MS, NS_PER_S, NS_PER_US, percent, percent_beside, span

# The least share of the window that a cause must have taken: less can hardly have moved a percentile.
_LEAST_SHARE = 0.001
# Before a late send its worker was busy, queued or stopped, so the largest of these causes took a third at least.
_LEAST_OF_LATE = 1 / 3
# A smaller share of late sends does not reach p99.95. A healthy machine's timers are 60 to 200 µs late there: normal.
_LEAST_TAIL = 0.0005
_LEAST_TAIL_NS = NS_PER_MS
# Fewer intervals hardly show a trend, and a smaller drift does not matter.
_LEAST_INTERVALS = 8
_LEAST_DRIFT = 0.05


SAME_CAUSE = "for the same reason"
"""Stands for causes and remedies that another sentence has."""


@dataclass(frozen=True, slots=True)
class VerdictLimits:
    """`[verdict]`: the limits beyond which a number is distrusted, or a sign is reported."""

    lag_ns: int = 100 * NS_PER_US
    """An open-loop run is invalid when the p99 of the generator's own lag exceeds both this and `lag_share`."""
    lag_share: float = 0.10
    """As a share of the p99 of response time."""
    shortfall: float = 0.005
    """An open-loop run is invalid when the generator left more than this share of the plan unsent in time."""
    cpu_share: float = 0.95
    """Sign: a worker used more than this share of one CPU (not with `spin`, which uses all of it)."""
    queue_share: float = 0.01
    """Sign: a worker was ready to run but had no CPU for more than this share of the time."""
    steal_share: float = 0.01
    """Sign: the hypervisor gave more than this share of the CPUs' time to others."""
    pause_ns: int = 10 * NS_PER_MS
    """Sign: a whole process stood still for longer than this."""
    ceiling_share: float = 0.5
    """Sign: the run stood above this share of what this host's self-test reached."""
    drift_p: float = 0.01
    """Sign: the p99 of the intervals rises or falls by Mann and Kendall's test at this level."""
    failures: float | None = 0.01
    """A run has failed when more than this share of its requests failed; None: no limit."""
    connections: float | None = 0.01
    """A run has failed when more than this share of its connections never opened; one may always be missing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict in sentences without a full stop: the fact, its size, the cause and the remedy."""

    reasons: tuple[Reason, ...] = ()
    """Why the numbers are not the server's; empty when they are. A closed loop has none: it has no schedule to keep."""
    notes: tuple[Reason, ...] = ()
    """Remarks on numbers that hold."""


def judge(
    limits: VerdictLimits,
    measured: Snapshot,
    signs: Signs,
    *,
    open_loop: bool,
    spin: bool,
    duration_ns: int,
    steady: bool = True,
    hosts: Sequence[HostPart] = (),
) -> Verdict:
    """Return the verdict on a window of `duration_ns`.

    `spin`: the workers poll, so that a fully used CPU is no sign. `steady`: the offered rate does not change over the
    window, so that response time should not change either. `hosts`: the machines' parts, where several sent the load.
    """
    possible = causes(
        signs,
        cpu_share=math.inf if spin else limits.cpu_share,
        queue_share=limits.queue_share,
        steal_share=limits.steal_share,
        pause_ns=limits.pause_ns,
        open_loop=open_loop,
        hosts=hosts,
    )
    doubts = [*_late(limits, measured), *_overdue(limits, measured, signs.workers)] if open_loop else []
    tails = [*_in_doubt(limits, measured), *_tail(limits, measured)] if open_loop else []
    main_causes = {doubt: _main_causes(possible, doubt, duration_ns) for doubt in doubts or tails}
    named = {cause for some in main_causes.values() for cause in some}
    stated = [*_reasons(main_causes, spin, Severity.INVALID if doubts else Severity.GOOD)]
    reasons, notes = (stated, []) if doubts else ([], stated)
    notes += [Reason(c.code, f"{c.words}, so {c.effect}; {c.remedy}") for c in possible if c.is_sign and c not in named]
    if any(part.ceiling_per_s for part in hosts):
        near = _near_ceilings(limits, hosts, open_loop, duration_ns)
        notes += (Reason(Code.NEAR_CEILING, words) for words in near)
    elif signs.ceiling is not None:
        near = _near_ceiling(limits, measured, signs.ceiling, open_loop, duration_ns)
        notes += (Reason(Code.NEAR_CEILING, words) for words in near)
    if steady:
        notes += (Reason(Code.DRIFT, words) for words in _drift(limits, signs.interval_p99_ns))
    return Verdict(tuple(reasons), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A sentence that requests were sent late."""

    code: Code
    words: str
    late_ns: float
    """The lateness; 0 where it plays no part. A cause must have taken a third of it."""


def _late(limits: VerdictLimits, measured: Snapshot) -> Iterator[_Doubt]:
    late_ns, limit_ns = measured.lag_ours.quantile(0.99), _lag_limit_ns(limits, measured)
    if late_ns > limit_ns:
        share = f" ({percent(limits.lag_share)} of the p99 response time)" if limit_ns > limits.lag_ns else ""
        words = f"p99 of the generator's own send lag was {span(late_ns)}, over the limit of {span(limit_ns)}{share}"
        yield _Doubt(Code.GENERATOR_LATE, words, late_ns)


def _in_doubt(limits: VerdictLimits, measured: Snapshot) -> Iterator[_Doubt]:
    """Yield a doubt when it is unknown how much of the lag the generator caused, and the limit lies in that range."""
    least_ns, most_ns = measured.lag_ours.quantile(0.99), measured.lag_ours_at_most.quantile(0.99)
    if least_ns <= (limit_ns := _lag_limit_ns(limits, measured)) < most_ns:
        words = (
            f"p99 of the generator's own send lag was at least {span(least_ns)} and at most {span(most_ns)} (limit "
            f"{span(limit_ns)}), as the generator stood still for an unknown part of the time in which connections "
            "were down or sockets full"
        )
        yield _Doubt(Code.GENERATOR_LATE, words, most_ns)


def _lag_limit_ns(limits: VerdictLimits, measured: Snapshot) -> float:
    return max(limits.lag_ns, limits.lag_share * measured.latency().quantile(0.99))


def _overdue(limits: VerdictLimits, measured: Snapshot, workers: Iterable[WorkerSigns]) -> Iterator[_Doubt]:
    overdue, planned = sum(worker.overdue for worker in workers), measured.total.planned
    if planned and overdue > limits.shortfall * planned:
        share, limit = percent_beside(overdue / planned, limits.shortfall)
        words = (
            f"the generator had not sent {overdue:,} of {planned:,} requests ({share}) 10 ms after the window had "
            f"closed, over the limit of {limit}"
        )
        yield _Doubt(Code.GENERATOR_SHORT, words, 0)


def _tail(limits: VerdictLimits, measured: Snapshot) -> Iterator[_Doubt]:
    """Yield a doubt for late sends that are too few to move the p99, and show in the percentiles beyond it."""
    lag, late_ns = measured.lag_ours, max(_lag_limit_ns(limits, measured), _LEAST_TAIL_NS)
    late = lag.overflow + sum(count for value_ns, count in lag.buckets() if value_ns > late_ns)
    share = late / lag.count if lag.count else 0.0
    shown = 0.999 if share > 0.001 else 0.9999
    if share > _LEAST_TAIL and lag.quantile(shown) > limits.lag_share * measured.latency().quantile(shown):
        words = (
            f"the generator sent {percent(share)} of requests more than {span(late_ns)} late, so percentiles above "
            f"p{100 - 100 * share:.2f} are in part the generator's own"
        )
        yield _Doubt(Code.LATE_TAIL, words, late_ns)


def _main_causes(possible: Iterable[Cause], doubt: _Doubt, duration_ns: int) -> list[Cause]:
    """Return the cause that took the most time, and a second one that took at least half as much.

    If no cause took enough time, return the signs without a known cost, such as a slow clock.
    """
    by_cost = sorted(possible, key=lambda cause: -cause.cost_ns)
    most_ns = by_cost[0].cost_ns if by_cost else 0
    least_ns = max(_LEAST_OF_LATE * doubt.late_ns, _LEAST_SHARE * duration_ns, most_ns / 2)
    costly = [cause for cause in by_cost if 0 < cause.cost_ns >= least_ns]
    return costly[:2] or [cause for cause in by_cost if cause.is_sign and not cause.cost_ns]


def _reasons(main_causes: Mapping[_Doubt, Sequence[Cause]], spin: bool, severity: Severity) -> Iterator[Reason]:
    """Yield each doubt with its causes and their remedies. The same causes are named once for several doubts."""
    given: set[str] = set()
    for doubt, some in main_causes.items():
        explanation = _explanation(some, doubt, spin)
        yield Reason(doubt.code, f"{doubt.words}: {SAME_CAUSE if explanation in given else explanation}", severity)
        given.add(explanation)


def _explanation(main_causes: Sequence[Cause], doubt: _Doubt, spin: bool) -> str:
    if main_causes:
        return ", and ".join(c.words for c in main_causes) + "; " + ", and ".join(c.remedy for c in main_causes)
    if 0 < doubt.late_ns <= NS_PER_MS and not spin:
        return (
            f"the kernel probably woke the generator late; poll instead of sleeping (workload.spin), or {MORE_WORKERS}"
        )
    return f"the cause is unknown; {LESS_LOAD}"


def _near_ceiling(
    limits: VerdictLimits, measured: Snapshot, ceiling: Ceiling, open_loop: bool, duration_ns: int
) -> Iterator[str]:
    reached_per_s = measured.answered_in_time * NS_PER_S / duration_ns if duration_ns > 0 else 0.0
    if reached_per_s > limits.ceiling_share * ceiling.throughput_per_s > 0:
        yield (
            f"{percent(reached_per_s / ceiling.throughput_per_s)} of this host's ceiling was reached "
            f"({ceiling.throughput_per_s:,.0f} req/s in the self-test of {ceiling.taken}): "
            + (f"{OWN_LATENCY}; {LESS_LOAD}" if open_loop else f"{OWN_LIMIT}; {MORE_WORKERS}")
        )


def _near_ceilings(
    limits: VerdictLimits, hosts: Sequence[HostPart], open_loop: bool, duration_ns: int
) -> Iterator[str]:
    """Yield a sentence on the machines that came near their ceilings, with that which came nearest."""
    reached = {
        part.name: part.measured.answered_in_time * NS_PER_S / duration_ns / part.ceiling_per_s
        for part in hosts
        if part.ceiling_per_s and duration_ns > 0
    }
    near = [name for name, share in reached.items() if share > limits.ceiling_share]
    if near:
        nearest = max(near, key=lambda name: reached[name])
        ceiling_per_s = next(part.ceiling_per_s for part in hosts if part.name == nearest)
        more = f", and {len(near) - 1} more of {len(hosts)} agents came near theirs" if len(near) > 1 else ""
        yield (
            f"agent {nearest} reached {percent(reached[nearest])} of its ceiling ({ceiling_per_s:,.0f} req/s in its "
            f"self-test){more}: {OWN_LATENCY if open_loop else OWN_LIMIT}; use more agents (--on)"
        )


def _drift(limits: VerdictLimits, interval_p99_ns: Sequence[int]) -> Iterator[str]:
    if len(interval_p99_ns) < _LEAST_INTERVALS or (found := trend(interval_p99_ns)).p >= limits.drift_p:
        return
    third = len(interval_p99_ns) // 3
    first_ns, last_ns = (sorted(part)[third // 2] for part in (interval_p99_ns[:third], interval_p99_ns[-third:]))
    if (last_ns - first_ns) * found.direction > _LEAST_DRIFT * first_ns:
        yield (
            f"the p99 response time {'rose' if found.direction > 0 else 'fell'} over the window, from {span(first_ns)} "
            f"in its first third to {span(last_ns)} in its last: it had not settled; warm up longer (general.warmup), "
            "or check what else ran"
        )
