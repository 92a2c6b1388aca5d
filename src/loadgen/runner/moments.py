"""The moments of a load, merged from all members' reports. This file reads no clock and receives no messages."""

from __future__ import annotations

from loadgen.snapshot import NodeCounts
from loadgen.worker.messages import Moment

Series = tuple[tuple[NodeCounts, ...], ...]
"""What became of each server in each moment of a measure window, all members together. The last moment is of what ended
after the window, or is short where the window was."""


class Moments:
    """The members' reports of moments, of each moment as many as have come."""

    def __init__(self) -> None:
        self._merged: dict[int, tuple[NodeCounts, ...]] = {}

    def add(self, moment: Moment) -> None:
        """Add a member's report."""
        known = self._merged.get(moment.number)
        nodes = moment.nodes if known is None else tuple(a + b for a, b in zip(known, moment.nodes, strict=True))
        self._merged[moment.number] = nodes

    def series(self) -> Series:
        """Return every moment, in order."""
        return tuple(self._merged[number] for number in sorted(self._merged))
