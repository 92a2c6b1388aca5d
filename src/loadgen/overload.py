"""Overload of a server: requests offered, served and waiting. Values and pure functions; no I/O.

When a server is offered more than it can serve, a queue grows for as long as the load lasts. The response times are
then those of the queue, and depend on the length of the load. The numbers are right, so overload is named and not
judged; an SLO says if it is acceptable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadgen.snapshot import Backlog, Snapshot
from loadgen.units import NS_PER_MS, NS_PER_S

# A pause of the server leaves a backlog until the server has worked it off. A younger backlog is not reported.
BACKLOG_NS = 200 * NS_PER_MS
# The limit in a short window, such as a slice of a comparison, is this share of the window.
_BACKLOG_SHARE = 0.1
# Served over offered. Chance, and the requests in flight when the window closes, account for less than the rest.
_SERVED_SHARE = 0.99
# The share by which a queue may shrink from one interval to the next and still count as one that only grows.
_SHRINKS = 0.02


@dataclass(frozen=True, slots=True)
class Overload:
    """The requests offered, served and waiting in an open loop's measure window."""

    offered_per_s: float
    served_per_s: float
    """Replies to the window's own requests that came within the window."""
    backlog: Backlog
    """The backlog when the window closed; the oldest one in a window that a number of requests ended."""
    growing: bool
    """True when the backlog is beyond its limit, and was younger half way."""
    only_grew: bool
    """True when the backlog is growing, and at no interval's end was younger than at the end before."""
    left_by_warmup: int
    """Requests of the warm-up that were left unsent, so that the window could begin without them."""
    named: bool
    """True when less was served than offered, and the backlog was longer than a pause of the server explains."""


def of_window(
    measured: Snapshot,
    duration_ns: int,
    backlogs: Sequence[Backlog] = (),
    *,
    warmup: Snapshot | None = None,
    offered_per_s: float = 0.0,
    load_ns: int = 0,
) -> Overload:
    """Return the Overload of a window of `duration_ns`.

    `backlogs` are those at the ends of its intervals. `offered_per_s` is given for a window that a number of requests
    ended: such a window lasts as long as its requests take, so that its counts would make the offered rate the served
    one. `load_ns` is the length of one load, where the window is that of several loads.
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
    """Return the requests due in a window, and the replies to them within it, per second; 0 over an empty window."""
    if duration_ns <= 0:
        return 0.0, 0.0
    return measured.total.planned * NS_PER_S / duration_ns, measured.answered_in_time * NS_PER_S / duration_ns


def lateness_ns(interval: Snapshot, lag_ns: int, lag_share: float) -> int:
    """Return the p99 of the generator's own lag when it exceeds both limits of the verdict; otherwise 0."""
    if not interval.lag_ours.count:
        return 0
    response = interval.latency()
    p99_ns = interval.lag_ours.quantile(0.99)
    limit_ns = max(lag_ns, lag_share * response.quantile(0.99) if response.count else 0)
    return p99_ns if p99_ns > limit_ns else 0
