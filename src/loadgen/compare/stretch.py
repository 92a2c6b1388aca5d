"""Slices of load on one server, merged: what was counted, what it cost, and which of it is the generator's own.

Values and pure functions: they measure nothing. A slice in which the host took a CPU away from the generator says
little of the server; `is_spoilt` tells such a one apart, and `late_metrics` the percentiles that a merged row of slices
has no answer for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.events import per_s
from loadgen.judge import verdict
from loadgen.judge.verdict import VerdictLimits
from loadgen.percentiles import COMPARED
from loadgen.signs import Signs, WorkerSigns
from loadgen.slo import response_ns
from loadgen.snapshot import Snapshot
from loadgen.units import NS_PER_MS, span

CLOSED, OPEN = "closed", "open"


# In a closed loop nothing is late: a slice is spoilt where a worker had no CPU for more than this share of it.
MOST_TAKEN = 0.10

# Beyond p99 the timers of a healthy machine are late by 60 to 200 µs.
_LEAST_TAIL_NS = NS_PER_MS

# Of what the workers waited for a CPU, the share from which on those who used one meanwhile are named; and of the time
# that they had none, the share that such waits must be.
_LEAST_OWN = 0.5


@dataclass(frozen=True, slots=True)
class Stretch:
    """One slice on one server, or several of them merged: counts, and not percentiles."""

    measured: Snapshot
    length_ns: int
    sent: int = 0
    """From the begin of settling to the end of the drain."""
    cpu_ns: int | None = None
    """What the server used in that time; None where it is not ours to be asked."""
    workers: tuple[WorkerSigns, ...] = ()
    """What the machine did to the generator."""
    own_cpu_ns: Mapping[str, int] = field(default_factory=dict)
    """CPU time of loadgen's other processes and of idle servers meanwhile, by what they are called."""

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
        """How much of a CPU the worker with the most to do used, as a share."""
        return max((w.cpu_ns / w.wall_ns for w in self.workers if w.wall_ns), default=0.0)

    @property
    def taken_ns(self) -> int:
        """How long the worker that fared worst had no CPU."""
        return max(((w.queued_ns or w.pauses.queued_ns) + w.pauses.stopped_ns for w in self.workers), default=0)


def values(stretches: Mapping[str, Stretch], rss_bytes: int) -> dict[str, float]:
    """The metrics of one server in one round, from the slices of each loop; what is 0 has no ratio to anything."""
    found: dict[str, float] = {}
    if (closed := stretches.get(CLOSED)) is not None:
        # In a closed loop each reply brings on a request, so those of the window are as many as the replies in it. The
        # replies themselves cannot be told apart by where in a window of a quarter of a second they fell.
        found["throughput"] = per_s(closed.measured.total.ok, closed.length_ns)
    if (opened := stretches.get(OPEN)) is not None:
        # Of good replies, behind which those that failed rank: a quick error is no quick answer.
        quantiles = {name: response_ns(opened.measured, q) for name, _, q in COMPARED}
        found |= {name: float(value) for name, value in quantiles.items() if value is not None}
    # At an equal rate both do the same work; in a closed loop, the quicker one does more of it.
    work = opened if opened is not None else closed
    if work is not None and work.cpu_ns and work.sent:
        found["server_cpu"] = work.cpu_ns / work.sent
    found["rss"] = float(rss_bytes)
    return {name: value for name, value in found.items() if value > 0}


def reasons(limits: VerdictLimits, stretch: Stretch, *, spin: bool) -> tuple[str, ...]:
    """Why the latency of an open loop's slices is in part the generator's, a sentence each; none when it is not."""
    judged = verdict.judge(
        limits,
        stretch.measured,
        Signs(stretch.workers),
        open_loop=True,
        spin=spin,
        duration_ns=stretch.length_ns,
    )
    blame = own_blame(stretch)
    return tuple(f"{reason.words}{f'; {blame}' if blame else ''}" for reason in judged.reasons)


def own_blame(stretch: Stretch) -> str:
    """That loadgen's other processes, or an idle server, had the CPU that a worker waited for; empty where not."""
    waited_ns = sum(worker.queued_ns or 0 for worker in stretch.workers)
    if waited_ns < _LEAST_OWN * stretch.taken_ns:
        # Most of what it lost, it lost while nobody here could have had its CPU.
        return ""
    used = {name: cpu_ns for name, cpu_ns in stretch.own_cpu_ns.items() if cpu_ns >= _LEAST_OWN * waited_ns > 0}
    return ", ".join(f"{name} used {span(cpu_ns)} of CPU meanwhile" for name, cpu_ns in used.items())


def is_spoilt(limits: VerdictLimits, stretch: Stretch, loop: str, *, spin: bool) -> bool:
    """Whether the host took a CPU away, so that the slice is worth being measured again.

    A generator that has too much to do will have so again: of that, the round's doubts tell.
    """
    if loop == OPEN:
        too_much = stretch.busy > limits.cpu_share and not spin
        return not too_much and bool(reasons(limits, stretch, spin=spin))
    return stretch.taken_ns > MOST_TAKEN * stretch.length_ns


def better(one: Stretch, other: Stretch, loop: str) -> Stretch:
    """The one of two slices that the host did less to, whichever server fared better by it."""

    def harm(stretch: Stretch) -> float:
        return float(stretch.measured.lag_ours.quantile(0.99)) if loop == OPEN else float(stretch.taken_ns)

    return min(one, other, key=harm)


def late_metrics(limits: VerdictLimits, stretch: Stretch, *, spin: bool) -> tuple[str, ...]:
    """The percentiles of an open loop's slices that are in part the generator's, by name.

    One is where the generator's own lag at the same quantile is beyond both limits of `[verdict]`, `lag` and
    `lag_share`; beyond p99, beyond a millisecond too. p99 and p99.9 are as well where the verdict says so of the whole.
    """
    latency, lag = stretch.measured.latency(), stretch.measured.lag_ours

    def is_late(name: str, q: float) -> bool:
        floor_ns = max(limits.lag_ns, _LEAST_TAIL_NS * (name == "p999"))
        return lag.count > 0 and lag.quantile(q) > max(floor_ns, limits.lag_share * latency.quantile(q))

    invalid = bool(reasons(limits, stretch, spin=spin))
    return tuple(name for name, _, q in COMPARED if is_late(name, q) or (invalid and name != "p50"))
