"""What checks are held against of monitors: their series over time, their gaps and their restarts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from loadgen.judge.check import Check
from loadgen.judge.expression.dimension import COUNT
from loadgen.judge.expression.mistake import Malformed
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.syntax import series_named
from loadgen.judge.expression.value import Scalar, Series, Unknown
from loadgen.judge.expression.vocabulary import MONITOR, Known, Vocabulary
from loadgen.monitors.reading import Reading
from loadgen.monitors.report import MonitorReport

OF_MONITORS: Mapping[str, Known] = {
    "gaps": Known(COUNT, "times at which a monitor had no reading, of all monitors or of one", (MONITOR,)),
    "restarts": Known(COUNT, "readings of another process than the one before, of all monitors or of one", (MONITOR,)),
}
"""The names beside the series, where there are monitors."""

MonitoredSeries = Mapping[str, Mapping[str, Known]]
"""By monitor, the series that it has."""


class MonitorMetrics:
    """The series that checks name: told each reading that counts. `names` is the vocabulary of the checks."""

    def __init__(self, checks: Iterable[Check], names: Vocabulary) -> None:
        self._read: dict[tuple[str, str], list[tuple[int, float]]] = {
            (str(chosen[MONITOR]), name): []
            for check in checks
            for name, chosen in series_of(check, names)
            if MONITOR in chosen
        }
        """By monitor and series, the time and the value of each reading."""

    def add(self, reading: Reading, at_ns: int) -> None:
        """Take what a monitor read at a time, counted from where the times of all series are counted from."""
        for (monitor, name), points in self._read.items():
            if monitor == reading.monitor and name in reading.values:
                points.append((at_ns, reading.values[name]))

    def series(self, name: str, monitor: str | int, reports: Iterable[MonitorReport]) -> Series | Unknown:
        """Return a series of a monitor; Unknown, with the reason, where it has no value."""
        if points := self._read[str(monitor), name]:
            return Series(tuple(points))
        [report] = (each for each in reports if each.name == monitor)
        if report.readings:
            return Unknown(f"the monitor {monitor} read no {name}: what it reads does not have it")
        why = f": {report.why}" if report.gaps else ", as none of its times lay within the time that is measured"
        return Unknown(f"the monitor {monitor} gave no reading{why}")


def of_monitors(name: str, monitor: str | int | None, reports: Iterable[MonitorReport]) -> Scalar:
    """Return the value of a name of OF_MONITORS, of one monitor or of all."""
    chosen = [report for report in reports if monitor in (None, report.name)]
    return Fraction(sum(report.gaps if name == "gaps" else report.restarts for report in chosen))


def series_of(check: Check, names: Vocabulary) -> Iterable[tuple[str, Mapping[str, str | int]]]:
    """Return the series that a check names, each with its selectors by axis."""
    try:
        named = series_named(parse(check.expr))
    except Malformed:
        return []
    return [(name.name, names.chosen(name, [])) for name in named if names.known(name) is not None]
