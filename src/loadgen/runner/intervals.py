"""The intervals of a load, merged from all members' reports. This file reads no clock and receives no messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.phase import Phase
from loadgen.snapshot import Snapshot
from loadgen.worker.messages import IntervalEnded


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of one phase that all members have reported."""

    phase: Phase
    number: int
    """The place in the phase, from 1."""
    length_ns: int
    """The last interval of a phase may be short."""
    so_far: Snapshot
    """All members' counts, from the beginning of the phase to the end of the interval."""
    parts: Mapping[int, Snapshot] = field(default_factory=dict)
    """By place, each member's part of that."""


class Intervals:
    """The members' reports of unfinished intervals. `complete` returns each interval that has all of its reports."""

    def __init__(self, members: int) -> None:
        self._members = range(members)
        """Their places: there may be thousands, and each reports every interval."""
        self._reports: dict[tuple[Phase, int], dict[int, IntervalEnded]] = defaultdict(dict)
        self.newest: dict[Phase, int] = defaultdict(int)
        """The number of the newest complete interval of each phase."""

    def add(self, member: int, report: IntervalEnded) -> None:
        self._reports[report.phase, report.number][member] = report

    def complete(self, finals: Mapping[int, Mapping[Phase, Snapshot]]) -> list[Interval]:
        """Remove and return the intervals that every member has reported, in order.

        `finals` has the last counts of each member that has drained and so reports no more intervals.
        """
        found = []
        for (phase, number), reports in sorted(self._reports.items()):
            if len(reports) + len(finals) < len(self._members):
                continue
            others = [member for member in self._members if member not in reports]
            if not all(member in finals for member in others):
                continue
            del self._reports[phase, number]
            self.newest[phase] = number
            parts = {member: report.snapshot for member, report in reports.items()}
            parts |= {member: finals[member][phase] for member in others}
            longest_ns = max(report.length_ns for report in reports.values())
            found.append(Interval(phase, number, longest_ns, sum(parts.values(), Snapshot()), parts))
        return found
