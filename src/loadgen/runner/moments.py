"""The moments of a load, merged from all members' reports. This file reads no clock and receives no messages."""

from __future__ import annotations

from collections.abc import Iterable

from loadgen.snapshot import NodeCounts
from loadgen.worker.messages import Moment

Series = tuple[tuple[NodeCounts, ...], ...]
"""What became of each server in each moment of a measure window, all members together. The last moment is of what ended
after the window, or is short where the window was."""


class Moments:
    """The members' reports of moments, of each moment as many as have come.

    `names` are those of the load's servers as it begins. A server that joins later comes after them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        self._merged: dict[int, dict[str, NodeCounts]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The servers, in the order of the counts in each moment of `series`."""
        return tuple(self._names)

    def add(self, moment: Moment) -> None:
        """Add a member's report."""
        merged = self._merged.setdefault(moment.number, {})
        for name, counts in moment.nodes.items():
            self._names.setdefault(name)
            merged[name] = merged[name] + counts if name in merged else counts

    def series(self) -> Series:
        """Return every moment, in order. A server that was not there has counts of 0."""
        nothing = NodeCounts()
        return tuple(
            tuple(self._merged[number].get(name, nothing) for name in self._names) for number in sorted(self._merged)
        )
