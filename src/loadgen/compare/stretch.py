"""Slices of load on one server, merged: the counts, the CPU time, and the generator's own share of the latency.

Values and pure functions, which measure nothing. `is_spoilt` finds a slice in which the host took a CPU away from the
generator, which says little of the server. `late_metrics` names the percentiles that merged slices cannot give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from loadgen.events import per_s
from loadgen.judge import verdict
from loadgen.judge.verdict import VerdictLimits
from loadgen.percentiles import COMPARED
from loadgen.reason import Reason
from loadgen.signs import Signs, WorkerSigns
from loadgen.slo import response_ns
from loadgen.snapshot import Snapshot
from loadgen.units import NS_PER_MS, span

CLOSED, OPEN = "closed", "open"


# In a closed loop no request is late: a slice is spoilt when a worker had no CPU for more than this share of it.
MOST_TAKEN = 0.10

# Beyond p99 the timers of a healthy machine are late by 60 to 200 µs.
_LEAST_TAIL_NS = NS_PER_MS

# A process of ours is named when it used at least this share of the time that the workers waited for a CPU, and when
# these waits are at least this share of the time that they had no CPU.
_LEAST_OWN = 0.5


@dataclass(frozen=True, slots=True)
class Stretch:
    """One slice on one server, or several slices merged: counts, and not percentiles."""

    measured: Snapshot
    length_ns: int
    sent: int = 0
    """The requests sent from the beginning of settling to the end of the drain."""
    cpu_ns: int | None = None
    """The server's CPU time over the same time; None for a server that loadgen did not start."""
    workers: tuple[WorkerSigns, ...] = ()
    """The machine's effects on the generator."""
    own_cpu_ns: Mapping[str, int] = field(default_factory=dict)
    """The CPU time of loadgen's other processes and of idle servers over the same time, by name."""

    def __add__(self, later: Stretch) -> Stretch:
        known = self.cpu_ns is not None and later.cpu_ns is not None
        names = dict.fromkeys([*self.own_cpu_ns, *later.own_cpu_ns])
        return Stretch(
            self.measured + later.measured,
            self.length_ns + later.length_ns,
            self.sent + later.sent,
            (self.cpu_ns or 0) + (later.cpu_ns or 0) if known else None,
            tuple(a + b for a, b in zip(self.workers, later.workers, strict=True)),
            {name: self.own_cpu_ns.get(name, 0) + later.own_cpu_ns.get(name, 0) for name in names},
        )

    @property
    def busy(self) -> float:
        """The share of a CPU that the busiest worker used."""
        return max((w.cpu_ns / w.wall_ns for w in self.workers if w.wall_ns), default=0.0)

    @property
    def taken_ns(self) -> int:
        """The longest time that any worker had no CPU."""
        return max(((w.queued_ns or w.pauses.queued_ns) + w.pauses.stopped_ns for w in self.workers), default=0)


def values(stretches: Mapping[str, Stretch], rss_bytes: int) -> dict[str, float]:
    """Return the metrics of one server in one round, from each loop's slices, without 0s, which have no ratio."""
    found: dict[str, float] = {}
    if (closed := stretches.get(CLOSED)) is not None:
        # In a closed loop each reply triggers a request, so the window's requests are as many as the replies in it.
        # Replies are not counted by the time at which they came in a window of a quarter of a second.
        found["throughput"] = per_s(closed.measured.total.ok, closed.length_ns)
    if (opened := stretches.get(OPEN)) is not None:
        # Failed requests rank behind the good replies: a quick error is not a quick answer.
        quantiles = {name: response_ns(opened.measured, q) for name, _, q in COMPARED}
        found |= {name: float(value) for name, value in quantiles.items() if value is not None}
    # At an equal rate all servers do the same work; in a closed loop, a quicker server does more.
    work = opened if opened is not None else closed
    if work is not None and work.cpu_ns and work.sent:
        found["server_cpu"] = work.cpu_ns / work.sent
    found["rss"] = float(rss_bytes)
    return {name: value for name, value in found.items() if value > 0}


def reasons(limits: VerdictLimits, stretch: Stretch, *, spin: bool) -> tuple[Reason, ...]:
    """Return why the latency of open-loop slices is in part the generator's, a sentence each; empty when it is not."""
    judged = verdict.judge(
        limits,
        stretch.measured,
        Signs(stretch.workers),
        open_loop=True,
        spin=spin,
        duration_ns=stretch.length_ns,
    )
    blame = own_blame(stretch)
    if not blame:
        return judged.reasons
    return tuple(replace(reason, words=f"{reason.words}; {blame}") for reason in judged.reasons)


def own_blame(stretch: Stretch) -> str:
    """Return which of loadgen's other processes or idle servers used the CPU that a worker waited for; or empty."""
    waited_ns = sum(worker.queued_ns or 0 for worker in stretch.workers)
    if waited_ns < _LEAST_OWN * stretch.taken_ns:
        # Most of the lost time was not spent waiting for a CPU that another process used.
        return ""
    used = {name: cpu_ns for name, cpu_ns in stretch.own_cpu_ns.items() if cpu_ns >= _LEAST_OWN * waited_ns > 0}
    return ", ".join(f"{name} used {span(cpu_ns)} of CPU meanwhile" for name, cpu_ns in used.items())


def is_spoilt(limits: VerdictLimits, stretch: Stretch, loop: str, *, spin: bool) -> bool:
    """True when the host took a CPU away, so that measuring the slice again may help.

    An overloaded generator would be overloaded again: the round's doubts report the overload.
    """
    if loop == OPEN:
        too_much = stretch.busy > limits.cpu_share and not spin
        return not too_much and bool(reasons(limits, stretch, spin=spin))
    return stretch.taken_ns > MOST_TAKEN * stretch.length_ns


def better(one: Stretch, other: Stretch, loop: str) -> Stretch:
    """Return the one of two slices that the host disturbed less, regardless of the server's numbers."""

    def harm(stretch: Stretch) -> float:
        return float(stretch.measured.lag_ours.quantile(0.99)) if loop == OPEN else float(stretch.taken_ns)

    return min(one, other, key=harm)


def late_metrics(limits: VerdictLimits, stretch: Stretch, *, spin: bool) -> tuple[str, ...]:
    """Return the percentiles of open-loop slices that are in part the generator's, by name.

    A percentile is when the generator's own lag at the same quantile exceeds both limits of `[verdict]`, `lag` and
    `lag_share`; for p99.9, also a millisecond. p99 and p99.9 are as well when the verdict on the whole is invalid.
    """
    latency, lag = stretch.measured.latency(), stretch.measured.lag_ours

    def is_late(name: str, q: float) -> bool:
        floor_ns = max(limits.lag_ns, _LEAST_TAIL_NS * (name == "p999"))
        return lag.count > 0 and lag.quantile(q) > max(floor_ns, limits.lag_share * latency.quantile(q))

    invalid = bool(reasons(limits, stretch, spin=spin))
    return tuple(name for name, _, q in COMPARED if is_late(name, q) or (invalid and name != "p50"))
