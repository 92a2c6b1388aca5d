"""The account of monitors over a load: told each reading and each gap, it has a report of each monitor at any time.

Nothing is kept of a reading but sums, so that the account of a day is as small as that of a second. This file reads no
clock: whoever leads the load says which readings count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.judge.expression.dimension import Dimension
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.reading import Gap, Reading
from loadgen.monitors.report import MonitorReport, SeriesReport
from loadgen.units import NS_PER_MIN

LEAST_TO_GROW = 3
"""The fewest values that a line is put through: through two there is always one, however little it says."""


class Account:
    """The account of some monitors: the kind of each by its name, and its series."""

    def __init__(self, kinds: Mapping[str, str], series: Mapping[str, Mapping[str, Known]]) -> None:
        self._monitors = {name: _Monitor(name, kind, series[name]) for name, kind in kinds.items()}

    def take(self, news: Reading | Gap, *, counts: bool = True) -> bool:
        """Take what a monitor has read or could not read; return True when it is a restart.

        What does not count is before or after the time that reports are of. The process that it was read of is
        remembered all the same, so that a restart between it and the next reading is seen.
        """
        return self._monitors[news.monitor].take(news, counts=counts)

    def reports(self) -> tuple[MonitorReport, ...]:
        """Return the report of each monitor, in the order of the configuration."""
        return tuple(monitor.report() for monitor in self._monitors.values())


@dataclass(slots=True)
class _Monitor:
    name: str
    kind: str
    known: Mapping[str, Known]
    series: dict[str, _Line] = field(default_factory=dict)
    identity: str = ""
    readings: int = 0
    gaps: int = 0
    restarts: int = 0
    why: str = ""

    def take(self, news: Reading | Gap, *, counts: bool) -> bool:
        if isinstance(news, Gap):
            self.why = news.why
            self.gaps += counts
            return False
        restarted = bool(self.identity and news.identity and news.identity != self.identity)
        self.identity = news.identity or self.identity
        if not counts:
            return restarted
        self.readings += 1
        self.restarts += restarted
        for name, value in news.values.items():
            if name in self.series:
                self.series[name].add(news.at_ns, value)
            elif name in self.known:
                self.series[name] = _Line(news.at_ns, value, value, value, value)
        return restarted

    def report(self) -> MonitorReport:
        series = tuple(
            self.series[name].report(name, known.dimension) for name, known in self.known.items() if name in self.series
        )
        return MonitorReport(self.name, self.kind, self.readings, self.gaps, self.why, self.restarts, series)


@dataclass(slots=True)
class _Line:
    """The line of least squares through values that come one after the other (Welford's sums of products)."""

    from_ns: int
    first: float
    least: float
    greatest: float
    last: float
    count: int = 1
    mid_ns: float = 0.0
    """The mean of the times, counted from `from_ns`."""
    mid: float = 0.0
    """The mean of the values, counted from `first`."""
    across: float = 0.0
    """The sum of squares of the times' distances from their mean."""
    both: float = 0.0
    """The sum of products of the times' and the values' distances from their means."""

    def add(self, at_ns: int, value: float) -> None:
        self.last = value
        self.least, self.greatest = min(self.least, value), max(self.greatest, value)
        self.count += 1
        off_ns, off = at_ns - self.from_ns - self.mid_ns, value - self.first - self.mid
        self.mid_ns += off_ns / self.count
        self.mid += off / self.count
        after_ns = at_ns - self.from_ns - self.mid_ns
        self.across += off_ns * after_ns
        self.both += off * after_ns

    def report(self, name: str, dimension: Dimension) -> SeriesReport:
        growth = self.both / self.across * NS_PER_MIN if self.count >= LEAST_TO_GROW and self.across else None
        ends = self.first, self.least, self.greatest, self.last
        return SeriesReport(name, dimension, self.count, *ends, growth_per_min=growth)
