"""The counts of compiled code as a Snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadgen.snapshot import NodeCounts, Snapshot, Tally


def snapshot_of(counts: Mapping[str, Any]) -> Snapshot:
    """Of `Recorder.counts` or `Engine.counts`."""
    tallies = {command: Tally(**tally) for command, tally in counts["tallies"].items()}
    nodes = {name: NodeCounts(**node) for name, node in counts.get("nodes", {}).items()}
    return Snapshot(**{**counts, "tallies": tallies, "nodes": nodes})
