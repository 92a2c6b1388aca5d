"""The servers of a load in the records `sample` and `result`. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.events import Result, Sample, per_s
from loadgen.record.schema.nodes import NODE_COUNTS
from loadgen.record.write.latency import in_ns, in_us
from loadgen.record.write.spelling import percent, tallied, text
from loadgen.snapshot import NodeCounts


def in_sample(event: Sample) -> dict[str, Any]:
    """Return the field `nodes`; none for a single server."""
    nodes = [
        {
            "name": text(name),
            "ok": node.ok,
            "errors": node.not_ok,
            **in_us(node.latency),
            "ready": node.ready,
            "wanted": node.wanted,
        }
        for name, node in event.interval.nodes.items()
    ]
    return {"nodes": nodes} if nodes else {}


def in_result(event: Result) -> dict[str, Any]:
    """Return the fields `nodes` and `redirects`; none for a single server, and without redirects."""
    measured, overall = event.measured.nodes, event.overall.nodes
    requests, shares = (sum(getattr(node, name) for node in measured.values()) for name in ("requests", "share"))
    nodes = [
        {
            "name": text(name),
            "share": round(node.requests / requests, 6) if requests else None,
            "intended_share": round(node.share / shares, 6) if shares else None,
            "throughput": int(per_s(node.answered_in_time, event.duration_ns)),
            "responses_in_time": node.answered_in_time,
            **{field: getattr(node, name) for name, field in NODE_COUNTS.items()},
            "hit_pct": percent(node.hit_rate),
            "latency": in_ns(node.latency),
            "connections": _connections(node, overall[name]),
        }
        for name, node in measured.items()
    ]
    redirects = {"redirects": tallied(event.measured.redirects)} if any(event.measured.redirects.values()) else {}
    return {**({"nodes": nodes} if nodes else {}), **redirects}


def _connections(measured: NodeCounts, overall: NodeCounts) -> dict[str, int]:
    return {
        "ready": measured.ready,
        "wanted": measured.wanted,
        "opened": overall.opened,
        "failed": overall.refused,
        "closed": overall.closed,
    }
