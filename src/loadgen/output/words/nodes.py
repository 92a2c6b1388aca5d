"""The servers of a load in words: each one's part of the load, failures, response times and connections. Plain text.

All of it is empty for a load on a single server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadgen.escape import printable
from loadgen.events import Result, per_s
from loadgen.output.words import figures
from loadgen.percentiles import percentiles
from loadgen.snapshot import NodeCounts, Snapshot

MOST = 16
"""The most servers that are all shown to people."""

UNEVEN = 0.1
"""The part of its intended share by which a server's share must differ to be called uneven."""

_PERCENTILES = percentiles("p50", "p99", "p999", "max")

HEADINGS = ("endpoint", "req/s", "share", "intended", "errors", "hit%", *(label for _, label, _ in _PERCENTILES), "up")
_INTENDED, _HITS, _P50, _P999, _UP = 3, 5, 6, 8, 10
"""Places in HEADINGS."""


@dataclass(frozen=True, slots=True)
class Node:
    """One server's counts, and its parts of the load."""

    name: str
    counts: NodeCounts
    share: float | None
    """Its part of all requests; None when there were none."""
    intended: float | None
    """The part that it was to have; None when that is not known."""

    @property
    def is_uneven(self) -> bool:
        if self.share is None or not self.intended:
            return False
        return abs(self.share - self.intended) > UNEVEN * self.intended

    @property
    def is_whole(self) -> bool:
        """True when nothing failed and every connection is up."""
        return not self.counts.not_ok and self.counts.ready == self.counts.wanted

    @property
    def p99_ns(self) -> int:
        """The p99 of the response time; 0 without a request."""
        latency = self.counts.latency
        return latency.quantile(0.99) if latency.count else 0


def nodes(measured: Snapshot) -> list[Node]:
    """Return the servers, in the order of the configuration."""
    requests = sum(counts.requests for counts in measured.nodes.values())
    shares = sum(counts.share for counts in measured.nodes.values())
    return [
        Node(
            printable(name),
            counts,
            counts.requests / requests if requests else None,
            counts.share / shares if shares else None,
        )
        for name, counts in measured.nodes.items()
    ]


def shown(found: Sequence[Node], most: int = MOST) -> list[Node]:
    """Return the servers to show to people, in order: all, or of more than `most` those that matter.

    These are half with failures or connections that are down, those with most failures first, then the slowest and the
    fastest by their p99.
    """
    if len(found) <= most:
        return list(found)
    failing = sorted((node for node in found if not node.is_whole), key=lambda node: -node.counts.not_ok)
    by_p99 = sorted(found, key=lambda node: -node.p99_ns)
    chosen: list[Node] = failing[: most // 2]
    for node in [*by_p99[: most - len(chosen) - 1], *by_p99[::-1]]:
        if len(chosen) < most and node not in chosen:
            chosen.append(node)
    if by_p99[-1] not in chosen:
        chosen[-1] = by_p99[-1]
    return [node for node in found if node in chosen]


def hidden(found: Sequence[Node], seen: Sequence[Node]) -> str:
    """Return how many servers are not shown, and what is known of all of them; empty where all are."""
    rest = [node for node in found if node not in seen]
    if not rest:
        return ""
    failed = sum(node.counts.not_ok for node in rest)
    slowest = figures.latency(max(node.p99_ns for node in rest))
    more = figures.plural(len(rest), "more endpoint", figures.grouped)
    errors = figures.plural(failed, "error", figures.grouped)
    return f"and {more}, with {errors} in all and a p99 of {slowest} at most; --format json has every endpoint"


def cells(node: Node, duration_ns: int) -> list[str]:
    """Return the cells under HEADINGS."""
    counts = node.counts
    return [
        node.name,
        figures.rate(per_s(counts.answered_in_time, duration_ns)),
        figures.share(node.share),
        figures.share(node.intended),
        figures.grouped(counts.not_ok),
        figures.share(counts.hit_rate),
        *(figures.quantile(counts.latency, q) for _, _, q in _PERCENTILES),
        up(counts),
    ]


def left_out(found: Sequence[Node]) -> list[int]:
    """Return the places in HEADINGS of the columns that a narrow table has no room for, the first to go first.

    Columns that say nothing go first: hit rates without a GET, and connections that are all up.
    """
    idle = [_HITS] * all(node.counts.hit_rate is None for node in found)
    idle += [_UP] * all(node.counts.ready == node.counts.wanted for node in found)
    order = (_HITS, _P999, _INTENDED) if any(node.is_uneven for node in found) else (_INTENDED, _P999, _HITS)
    return [*idle, *(place for place in (*order, _P50) if place not in idle), *(() if idle else (_UP,))]


def lines(event: Result) -> list[str]:
    """Return a line for each server: "127.0.0.1:6379: 41234 req/s, 33.4% of the load (intended 33.3%) …"."""
    found = nodes(event.measured)
    seen = shown(found)
    rest = hidden(found, seen)
    return [*(_line(node, event.duration_ns) for node in seen), *([rest] if rest else [])]


def _line(node: Node, duration_ns: int) -> str:
    counts = node.counts
    quantiles = (f"{label} {figures.quantile(counts.latency, q, figures.latency_word)}" for _, label, q in _PERCENTILES)
    intended = f" (intended {figures.share(node.intended)}%)" if node.intended is not None else ""
    parts = [
        f"{figures.whole_rate(per_s(counts.answered_in_time, duration_ns))} req/s",
        f"{figures.share(node.share)}% of the load{intended}",
        f"errors {counts.not_ok}",
        *([f"hit rate {figures.share(counts.hit_rate)}%"] if counts.hit_rate is not None else []),
        *quantiles,
        f"{up(counts)} connections up",
    ]
    return f"{node.name}: {', '.join(parts)}"


def up(counts: NodeCounts) -> str:
    """Return the connections that are ready of those that there are to be: "15/16"."""
    return f"{counts.ready}/{counts.wanted}"


def interval(measured: Snapshot, interval_ns: int, most: int) -> list[tuple[str, bool]]:
    """Return a line on an interval for each server, `most` lines at most, and whether something fails there."""
    found = nodes(measured)
    seen = shown(found, most) if len(found) <= most else shown(found, most - 1)
    size = max((len(node.name) for node in seen), default=0)
    said = [(f"{node.name:<{size}}  {_brief(node, interval_ns)}", not node.is_whole) for node in seen]
    rest = len(found) - len(seen)
    return [*said, (f"and {figures.plural(rest, 'more endpoint', figures.grouped)}", False)] if rest else said


def _brief(node: Node, interval_ns: int) -> str:
    counts = node.counts
    p99 = figures.quantile(counts.latency, 0.99, mark=figures.mark_of_interval)
    rate = f"{figures.rate(per_s(counts.answered, interval_ns)):>5} req/s {figures.share(node.share):>5} %"
    troubles = [figures.plural(counts.not_ok, "error", figures.grouped)] * bool(counts.not_ok)
    troubles += [f"{up(counts)} up"] * (counts.ready != counts.wanted)
    return "  ".join([rate, f"p99 {p99:>7}", *([", ".join(troubles)] if troubles else [])])


def redirects(counts: Mapping[str, int]) -> str:
    """Return the redirects of a cluster's nodes: "12 requests, by moved 10, ask 3"; empty when there were none."""
    reasons = [f"{name} {figures.grouped(count)}" for name, count in counts.items() if name != "redirected" and count]
    if not reasons:
        return ""
    requests = figures.plural(counts.get("redirected", 0), "request", figures.grouped)
    return f"{requests} redirected: {', '.join(reasons)}"
