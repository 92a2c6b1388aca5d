"""The counts of compiled code as a Snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadgen.snapshot import Snapshot, Tally


def snapshot_of(counts: Mapping[str, Any]) -> Snapshot:
    """Of `Recorder.counts` or `Engine.counts`."""
    tallies = {command: Tally(**tally) for command, tally in counts["tallies"].items()}
    return Snapshot(**{**counts, "tallies": tallies})
