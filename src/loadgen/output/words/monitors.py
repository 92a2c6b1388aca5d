"""What monitors have read, in words: each series from its first value to its last, and gaps. Plain text."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.events import MonitorGap
from loadgen.judge.expression.dimension import Dimension
from loadgen.judge.expression.spelling import spell
from loadgen.judge.expression.value import exact
from loadgen.monitors.report import MonitorReport, SeriesReport
from loadgen.output.words import figures

LONGEST = 300

HEADINGS = ("monitors", "first → last", "range", "growth/min")


class Gaps:
    """The gaps of a load that were said."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], str] = {}
        """By monitor and candidate, the reason of the last gap."""

    def forget(self) -> None:
        """Say every gap anew, as another load begins."""
        self._said.clear()

    def words(self, event: MonitorGap) -> list[str]:
        """Return the gap in words; none where the monitor's last gap had the same reason."""
        who, why = (event.gap.monitor, event.target), event.gap.why
        if self._said.get(who) == why:
            return []
        self._said[who] = why
        return [_gap(event)]


def _gap(event: MonitorGap) -> str:
    """Return that a monitor has no reading: "monitor redis: no reading, connection refused"."""
    of = f" of {printable(event.target)}" if event.target else ""
    return f"monitor {printable(event.gap.monitor)}{of}: no reading, {printable(event.gap.why, LONGEST)}"


def account(report: MonitorReport) -> str:
    """Return how often a monitor was read: "redis: 60 readings, 2 gaps (connection refused), restarted once"."""
    grouped = figures.grouped
    why = f" (the last: {printable(report.why, LONGEST)})" if report.gaps and report.why else ""
    restarts = f", {figures.plural(report.restarts, 'restart', grouped)}" if report.restarts else ""
    readings = figures.plural(report.readings, "reading", grouped) if report.readings else "no reading"
    gaps = f", {figures.plural(report.gaps, 'gap', grouped)}{why}" if report.gaps else ""
    return f"{name(report)}: {readings}{gaps}{restarts}"


def name(report: MonitorReport) -> str:
    """Return a monitor's name, with its kind where that is another word: "proxy (prometheus)"."""
    kind = f" ({report.kind})" if report.kind != report.name else ""
    return f"{printable(report.name)}{kind}"


def row(each: SeriesReport) -> tuple[str, str, str, str]:
    """Return the cells under HEADINGS of a series that changed."""
    first, least, greatest, last = (
        value(it, each.dimension) for it in (each.first, each.least, each.greatest, each.last)
    )
    return printable(each.name), f"{first} → {last}", f"{least} … {greatest}", growth(each)


def growth(each: SeriesReport) -> str:
    """Return the growth per minute with its sign: "+7.2", "−1.5 MB"; NOTHING where there is none."""
    if each.growth_per_min is None:
        return figures.NOTHING
    size = value(abs(each.growth_per_min), each.dimension)
    sign = "" if not each.growth_per_min else "+" if each.growth_per_min > 0 else "−"
    return f"{sign}{size}"


def unchanged(report: MonitorReport) -> str:
    """Return the series that had one value all the time: "unchanged: evicted 0, expired 0"; empty for none."""
    constant = [f"{printable(each.name)} {value(each.last, each.dimension)}" for each in report.series if _same(each)]
    return f"unchanged: {', '.join(constant)}" if constant else ""


def changed(report: MonitorReport) -> list[SeriesReport]:
    """Return the series that had several values."""
    return [each for each in report.series if not _same(each)]


def value(number: float, dimension: Dimension) -> str:
    return spell(exact(number), dimension)


def _same(each: SeriesReport) -> bool:
    return each.least == each.greatest
