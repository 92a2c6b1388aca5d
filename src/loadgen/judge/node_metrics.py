"""What checks are held against of each server of a load, or each node of a cluster: `p99[node 1]`, `share`. Pure.

Nodes are numbered as their rows are: in the order of the configuration, those of a cluster in the order in which they
were found. A single server is node 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from loadgen import slo
from loadgen.judge.expression.dimension import SHARE
from loadgen.judge.expression.value import AtLeast, Between, Scalar, Unknown, exact
from loadgen.judge.expression.vocabulary import Known
from loadgen.percentiles import PERCENTILES
from loadgen.snapshot import Histogram, NodeCounts, Snapshot

NODE = "node"

COUNTS: Mapping[str, Callable[[NodeCounts], int]] = {
    "requests": lambda node: node.requests,
    "ok": lambda node: node.ok,
    "errors": lambda node: node.not_ok,
    "error_replies": lambda node: node.errors,
    "timeouts": lambda node: node.timeouts,
    "lost": lambda node: node.lost,
    "corrupt": lambda node: node.corrupt,
    "unfinished": lambda node: node.unfinished,
}

BY_NODE = (*PERCENTILES, *COUNTS, "throughput", "hit_rate")
"""The names of a run that have a value of each node."""

OF_NODES: Mapping[str, Known] = {
    "share": Known(SHARE, "part of all requests that went to a node", (NODE,)),
    "unevenness": Known(
        SHARE, "difference between a node's share and its intended share, as a part of that one; the greatest", (NODE,)
    ),
}


def nodes_of(measured: Snapshot) -> int:
    """Return the number of nodes, which is 1 for a single server."""
    return len(measured.nodes) or 1


def value_of_node(name: str, measured: Snapshot, length_ns: int, number: int) -> Scalar:
    """Return a value of BY_NODE of one of several nodes, in base units."""
    node = _node(measured, number)
    if isinstance(node, Unknown):
        return node
    if name in PERCENTILES:
        return _percentile(node, PERCENTILES[name].quantile)
    if name in COUNTS:
        return Fraction(COUNTS[name](node))
    if name == "throughput":
        return Fraction(node.ok, length_ns) if length_ns else Unknown("nothing was measured")
    rate = node.hit_rate
    return Unknown(f"no GET got a good reply from node {number}") if rate is None else exact(rate)


def in_interval_of_node(name: str, interval: Snapshot, length_ns: int, number: int) -> float | None:
    """Return a value of BY_NODE in an interval, in base units; None where the node has none."""
    node = _node(interval, number)
    if isinstance(node, Unknown):
        return None
    if name in PERCENTILES:
        latency = node.latency
        return latency.quantile(PERCENTILES[name].quantile) if latency.count else None
    if name in COUNTS:
        return COUNTS[name](node)
    if name == "throughput":
        return node.ok / length_ns if length_ns else None
    return node.hit_rate


def parted(name: str, measured: Snapshot, number: int | None) -> Scalar:
    """Return a value of OF_NODES: of a node, or of all of them where `number` is None."""
    if number is not None:
        shares = _shares(measured, number)
        return shares if isinstance(shares, Unknown) else _of_shares(name, *shares)
    if name == "share":
        return Fraction(1)
    found = [parted(name, measured, 1 + place) for place in range(nodes_of(measured))]
    unknown = next((each for each in found if isinstance(each, Unknown)), None)
    return unknown or max(each for each in found if isinstance(each, Fraction))


def _of_shares(name: str, share: Fraction, intended: Fraction) -> Scalar:
    if name == "share":
        return share
    # A node that is meant to have nothing, such as one that has left its cluster, may still have had something before.
    return abs(share - intended) / intended if intended else Fraction(0)


def _shares(measured: Snapshot, number: int) -> tuple[Fraction, Fraction] | Unknown:
    """Return the node's part of all requests, and the part that it was to have."""
    if not measured.nodes and number == 1:
        return Fraction(1), Fraction(1)
    node = _node(measured, number)
    if isinstance(node, Unknown):
        return node
    requests = sum(each.requests for each in measured.nodes.values())
    intended = sum(each.share for each in measured.nodes.values())
    if not requests or not intended:
        return Unknown("no request was measured")
    return Fraction(node.requests, requests), exact(node.share) / exact(intended)


def _node(measured: Snapshot, number: int) -> NodeCounts | Unknown:
    found = list(measured.nodes.values())
    if number > len(found):
        there = "there is one, 1" if nodes_of(measured) == 1 else f"there are {nodes_of(measured):,}"
        return Unknown(f"there is no node {number}: {there}")
    return found[number - 1]


def _percentile(node: NodeCounts, q: float) -> Scalar:
    """Return the quantile of a node's response times, of which failed requests exceed every limit.

    An unfinished request may rank anywhere, as its age is not told from those of failed ones.
    """
    good, requests = node.response, node.requests
    if not requests:
        return Unknown("no request of the node was measured")
    rank = max(1, -(-round(q * 1_000_000_000) * requests // 1_000_000_000))
    if rank > good.count + node.unfinished:
        return AtLeast(None)
    low = at_rank(good, rank - node.unfinished, q) if rank > node.unfinished else Fraction(0)
    if rank > good.count:
        return low if isinstance(low, AtLeast) else AtLeast(low)
    high = at_rank(good, rank, q)
    if isinstance(low, AtLeast) or isinstance(high, AtLeast) or low == high:
        return high
    return Between(low, high, "requests of the node were open when the drain ended")


def at_rank(good: Histogram, rank: int, q: float) -> Fraction | AtLeast:
    """Return the response time with a rank among the good ones, from 1, which is at most their number."""
    middle = slo.middle(rank, good)
    value = good.quantile(middle)
    least = Fraction(value if q == 1 else slo.least_equivalent(value))
    return AtLeast(least) if good.is_lower_bound(middle) or value > slo.TABLE_END_NS else least
