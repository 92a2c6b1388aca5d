"""Overload: what was offered, what was served of it, and what waited. Values and pure functions; no I/O.

A server that is offered more than it can serve leaves a queue that grows for as long as the load lasts: its response
times are then those of the queue, and say how long the load lasted. That is no fault of the numbers, and so is named
and not judged; whether it was wanted is for an SLO to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadgen.snapshot import Backlog, Snapshot
from loadgen.units import NS_PER_MS, NS_PER_S

# A server that pauses leaves a backlog for as long as it takes to work it off: a shorter one is no news.
BACKLOG_NS = 200 * NS_PER_MS
# A window that is shorter than that of most runs, such as a slice of a comparison, is judged by this part of itself.
_BACKLOG_SHARE = 0.1
# Of what was offered: chance, and what is on its way when the window closes, come to less.
_SERVED_SHARE = 0.99
# What a queue may shrink by, from one interval to the next, and still be one that only grows.
_SHRINKS = 0.02


@dataclass(frozen=True, slots=True)
class Overload:
    """The account of an open loop's measure window."""

    offered_per_s: float
    served_per_s: float
    """Replies that came within the window, to its own requests."""
    backlog: Backlog
    """When the window closed; with a number of requests, the longest there was."""
    growing: bool
    """It had been shorter half way."""
    only_grew: bool
    """It was never worked off, and at no interval's end shorter than at the one before."""
    left_by_warmup: int
    """Requests of the warm-up that were not sent, so that the window could begin without them."""
    named: bool
    """Less was served than was offered, and what waited was no pause of the server's."""


def of_window(
    measured: Snapshot,
    duration_ns: int,
    backlogs: Sequence[Backlog] = (),
    *,
    warmup: Snapshot | None = None,
    offered_per_s: float = 0.0,
    load_ns: int = 0,
) -> Overload:
    """The account of a window of `duration_ns`.

    `backlogs` are those at the ends of its intervals. `offered_per_s` is given for a window that its requests ended:
    it lasted as long as they took, and so would seem to have been offered what was served. `load_ns` is the length of
    one load, where the window is that of several.
    """
    ages = [backlog.age_ns for backlog in backlogs]
    longest = max(backlogs, key=lambda backlog: backlog.age_ns, default=Backlog())
    last = longest if offered_per_s else measured.backlog
    limit_ns = min(BACKLOG_NS, _BACKLOG_SHARE * (load_ns or duration_ns))
    planned_per_s, served_per_s = offered_served(measured, duration_ns)
    offered_per_s = offered_per_s or planned_per_s
    if last is longest:
        ages = ages[: ages.index(longest.age_ns) + 1] if ages else ages
    half_way = ages[len(ages) // 2 - 1] if len(ages) > 1 else 0
    growing = last.age_ns > limit_ns and last.age_ns > half_way * (1 + _SHRINKS)
    return Overload(
        offered_per_s=offered_per_s,
        served_per_s=served_per_s,
        backlog=last,
        growing=growing,
        only_grew=growing and all(b >= a * (1 - _SHRINKS) for a, b in pairwise([*ages, last.age_ns])),
        left_by_warmup=min(warmup.total.unfinished, warmup.total.unsent) if warmup is not None else 0,
        named=last.age_ns > limit_ns and served_per_s < _SERVED_SHARE * offered_per_s,
    )


def offered_served(measured: Snapshot, duration_ns: int) -> tuple[float, float]:
    """Requests due within a window, and replies to them that came within it, per second; 0 over an empty window."""
    if duration_ns <= 0:
        return 0.0, 0.0
    return measured.total.planned * NS_PER_S / duration_ns, measured.answered_in_time * NS_PER_S / duration_ns


def lateness_ns(interval: Snapshot, lag_ns: int, lag_share: float) -> int:
    """The p99 of the generator's own lag where it exceeds both limits of the verdict; otherwise 0."""
    if not interval.lag_ours.count:
        return 0
    response = interval.latency()
    p99_ns = interval.lag_ours.quantile(0.99)
    limit_ns = max(lag_ns, lag_share * response.quantile(0.99) if response.count else 0)
    return p99_ns if p99_ns > limit_ns else 0
