"""The servers of a load from the records `sample` and `result`. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.record.read.fields import Fields
from loadgen.record.read.latency import shown, shown_in_us
from loadgen.record.schema.nodes import NODE_COUNTS
from loadgen.snapshot import NodeCounts

_DERIVED = ("requests", "sent")


def in_sample(record: Fields) -> dict[str, NodeCounts]:
    """Return the servers of an interval. The ends of errors are not recorded: they are taken for unfinished."""
    return {node.text("name"): _in_interval(node) for node in (record.parts("nodes") if "nodes" in record else ())}


def in_result(record: Fields) -> dict[str, NodeCounts]:
    """Return the servers of the measure window. Connections are those of all phases."""
    return {node.text("name"): _in_window(node) for node in (record.parts("nodes") if "nodes" in record else ())}


def _in_interval(record: Fields) -> NodeCounts:
    ok, errors = record.count("ok"), record.count("errors")
    return NodeCounts(
        ok=ok,
        unfinished=errors,
        response=shown_in_us(record, ok + errors),
        ready=record.count("ready"),
        wanted=record.count("wanted"),
    )


def _in_window(record: Fields) -> NodeCounts:
    connections = record.part("connections")
    counts: dict[str, Any] = {name: record.count(field) for name, field in NODE_COUNTS.items() if name not in _DERIVED}
    return NodeCounts(
        **counts,
        answered_in_time=record.count("responses_in_time"),
        response=shown(record.part("latency")),
        share=record.number("intended_share"),
        ready=connections.count("ready"),
        wanted=connections.count("wanted"),
        opened=connections.count("opened"),
        refused=connections.count("failed"),
        closed=connections.count("closed"),
    )
