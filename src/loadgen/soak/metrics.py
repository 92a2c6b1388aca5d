"""The names that checks of a soak can use, and their values: those of a run, and the series of monitors. Pure.

A value is that of the soak, settling left out. A series of a monitor is named as the monitor names it, with the monitor
as selector where several have it: `growth(fds[proxy]) < 5/min`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from loadgen.command import MIXED
from loadgen.judge.expression.dimension import COUNT, PER_TIME
from loadgen.judge.expression.value import Between, Scalar, Series, Unknown, exact
from loadgen.judge.expression.vocabulary import MONITOR, Axis, Known, Over, Vocabulary
from loadgen.judge.monitored import OF_MONITORS
from loadgen.judge.run_metrics import NAMES
from loadgen.soak import growths
from loadgen.soak.asked import LOAD, Asked, monitor_of, series_of
from loadgen.soak.checkpoints import AFTER_S
from loadgen.soak.found import Found
from loadgen.soak.growths import Grown
from loadgen.soak.store import Store
from loadgen.units import NS_PER_S

OF_LOADS: Mapping[str, Known] = {
    name: Known(known.dimension, known.meaning, ("command",) if "command" in known.axes else (), over=known.over)
    for name, known in NAMES.items()
    if known.is_scalar
} | {
    "errors": Known(
        COUNT,
        "requests that failed: an error reply, a timeout, lost or corrupt; those open when a load ends are none",
        ("command",),
        over=Over.INTERVALS,
    )
}
"""The names that a load has in a soak, which has no phases."""

IN_INTERVALS = ("requests", "errors", "throughput", "p50", "p99")
"""The series of the load that every soak samples."""


def vocabulary(asked: Asked) -> Vocabulary:
    """Return the names of a soak."""
    monitors: dict[str, dict[str, Known]] = {monitor: {} for monitor in asked.kinds}
    for column, known in asked.series.items():
        if not asked.of_load(column):
            monitors.setdefault(monitor_of(column), {})[series_of(column)] = known
    axes = {"command": Axis(MIXED), MONITOR: Axis(tuple(monitors))}
    return Vocabulary({**_bare(asked), **OF_LOADS, **OF_MONITORS}, axes, monitors)


def _bare(asked: Asked) -> dict[str, Known]:
    """Return the series that one monitor has beside loadgen's own processes: a bare name is that monitor's."""
    named = {series_of(column) for column in asked.series if asked.is_own(column)}
    found = {}
    for series in named:
        others = [column for column in asked.named(series) if not asked.is_own(column)]
        if len(others) == 1:
            known = asked.series[others[0]]
            found[series] = Known(known.dimension, known.meaning, is_scalar=False, over=known.over)
    return found


class SoakMetrics:
    """The values of a soak so far. `grow` returns the growth of a column per ns, as bands grade it."""

    def __init__(self, asked: Asked, store: Store, found: Found, grow: Callable[[str], Grown]) -> None:
        self._asked, self._store, self._found, self._grow = asked, store, found, grow

    def scalar(self, name: str, chosen: Mapping[str, str | int]) -> Scalar:
        found = self._found
        if name in OF_MONITORS:
            seen = found.gaps if name == "gaps" else found.restarts
            return Fraction(sum(each.monitor == chosen.get(MONITOR, each.monitor) for each in seen))
        command = chosen.get("command")
        value = found.totals.values.get(f"{name}[{command}]" if command is not None else name)
        return Unknown(f"{name} was not counted") if value is None else value

    def series(self, name: str, chosen: Mapping[str, str | int]) -> Series | Unknown:
        column = self._column(name, chosen)
        points = self._store.points(column, AFTER_S)
        if not len(points):
            return Unknown(f"{name} was not sampled")
        known = self._asked.series.get(column)
        scale = 1 / NS_PER_S if known is not None and known.dimension == PER_TIME else 1
        since_ns = 0 if known is not None and known.over is Over.INTERVALS else None
        times = (round(t_s * NS_PER_S) for t_s in points.times_s)
        return Series(tuple(zip(times, (value * scale for value in points.values), strict=True)), since_ns)

    def growth(
        self, name: str, chosen: Mapping[str, str | int], by: tuple[str, Mapping[str, str | int]] | None
    ) -> Scalar:
        """Return the growth of a series per ns, or per unit of another one's total, as an interval."""
        column = self._column(name, chosen)
        if by is None:
            found = self._grow(column)
            known = self._asked.series.get(column)
            scale = 1 / NS_PER_S if known is not None and known.dimension == PER_TIME else 1.0
        else:
            counter = self._column(*by)
            known = self._asked.series.get(counter)
            counts = known is not None and known.over is Over.INTERVALS
            points, totals = (self._store.points(each, AFTER_S) for each in (column, counter))
            found, scale = growths.grown_by(points, totals, counts_intervals=counts), 1.0
        if found.low is None or found.high is None:
            return Unknown(found.why)
        why = f"{found.samples:,} samples, which count as {found.effective:.0f} independent ones"
        return Between(exact(found.low * scale), exact(found.high * scale), why)

    def _column(self, name: str, chosen: Mapping[str, str | int]) -> str:
        command, monitor = chosen.get("command"), chosen.get(MONITOR)
        if monitor is not None:
            return f"{monitor}.{name}"
        if name not in OF_LOADS:
            return self._asked.named(name)[0]
        return f"{LOAD}.{name}[{command}]" if command is not None else f"{LOAD}.{name}"
