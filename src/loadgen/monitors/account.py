"""What came of each monitor so far: readings, gaps, restarts, and the values of each series. Told; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loadgen.monitors.reading import Gap, Reading


@dataclass(frozen=True, slots=True)
class Extent:
    """The values of one series, in base units."""

    first: float
    least: float
    greatest: float
    last: float
    readings: int = 1
    """The readings with a value of this series."""

    def with_value(self, value: float) -> Extent:
        """Return the extent with a further value."""
        return Extent(self.first, min(self.least, value), max(self.greatest, value), value, self.readings + 1)


@dataclass(frozen=True, slots=True)
class Monitored:
    """What came of one monitor."""

    name: str
    readings: int = 0
    gaps: int = 0
    restarts: int = 0
    """How often a reading had another identity than the one before."""
    last_gap: str = ""
    """The reason of the last gap; empty without one."""
    identity: str = ""
    """The identity of the last reading that had one."""
    series: Mapping[str, Extent] = field(default_factory=dict)

    def with_reading(self, reading: Reading) -> Monitored:
        """Return the same with a further reading."""
        known = {
            name: self.series[name].with_value(value) if name in self.series else Extent(value, value, value, value)
            for name, value in reading.values.items()
        }
        return Monitored(
            self.name,
            self.readings + 1,
            self.gaps,
            self.restarts + is_restart(self.identity, reading),
            self.last_gap,
            reading.identity or self.identity,
            {**self.series, **known},
        )

    def with_gap(self, gap: Gap) -> Monitored:
        """Return the same with a further gap."""
        return Monitored(self.name, self.readings, self.gaps + 1, self.restarts, gap.why, self.identity, self.series)


def is_restart(identity: str, reading: Reading) -> bool:
    """True when a reading is of another process than the one with `identity`, which is empty where none is known."""
    return bool(identity and reading.identity and reading.identity != identity)


class Accounts:
    """The accounts of several monitors, by name. A monitor of which nothing came is there too."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.by_name = {name: Monitored(name) for name in names}

    def add(self, news: Reading | Gap) -> bool:
        """Count a reading or a gap; return True when it is a restart."""
        before = self.by_name.get(news.monitor) or Monitored(news.monitor)
        after = before.with_gap(news) if isinstance(news, Gap) else before.with_reading(news)
        self.by_name[news.monitor] = after
        return after.restarts > before.restarts
