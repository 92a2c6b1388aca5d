"""The verdict on a soak: PASS, FAIL or CAN'T TELL, and why. Pure; growth is computed elsewhere.

A must that fails fails the soak, and one that cannot be told leaves it untold. What is nice is said, and no more.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from loadgen.judge.check import Checked, Level
from loadgen.severity import Severity
from loadgen.slo import Attainment
from loadgen.soak.asked import Asked, banded, monitor_of, series_of
from loadgen.soak.bands import Band, Grade
from loadgen.soak.checkpoints import Checkpoint, late
from loadgen.soak.dataset import MEMORY
from loadgen.soak.found import End, Found, How
from loadgen.soak.growths import Grown
from loadgen.units import NS_PER_MIN, NS_PER_S, format_duration

GOOD_REUSE, FAIR_REUSE = 0.8, 0.5
"""Shares of requests that needed no new connection: above the first is good, below the second is poor."""

SPIKE = 1.5
"""Memory at a checkpoint that is so many times the median of those before is a spike."""
_LEAST_BEFORE_SPIKE = 3
"""The fewest checkpoints before one that can be a spike."""

MOST_OWN_GAPS = 0.05
"""The share of readings that loadgen may miss by itself, before what is between them is not known."""

LEAST_CHECKPOINTS = 2
"""Below so many, a soak has not been watched."""


class Answer(StrEnum):
    """The answer of a soak, and of each of its rows."""

    PASS = "pass"
    FAIL = "fail"
    CANNOT_TELL = "cannot-tell"


_ANSWERS = {True: Answer.PASS, False: Answer.FAIL, None: Answer.CANNOT_TELL}


def _severity(level: Level, passed: bool | None) -> Severity:
    if passed or level is Level.NICE:
        return Severity.GOOD
    return Severity.UNKNOWN if passed is None else Severity.BREACHED


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is asked of every soak, and the answer."""

    name: str
    """A name for programs and people: `full duration`."""
    level: Level
    passed: bool | None
    """None where it cannot be told."""
    found: str
    """What was found, in a sentence without a full stop."""

    @property
    def answer(self) -> Answer:
        return _ANSWERS[self.passed]

    @property
    def severity(self) -> Severity:
        return _severity(self.level, self.passed)


@dataclass(frozen=True, slots=True)
class Graded:
    """The growth of a series, graded by its band."""

    column: str
    band: Band
    level: Level
    """NICE for loadgen's own processes: their growth says nothing about the server."""
    base: float | None
    final: float | None
    grown: Grown
    best: Grade | None
    """The best grade that the growth may have; None where the growth is not known."""
    worst: Grade | None
    likely: Grade | None
    """The grade of the likeliest growth."""
    named: str = ""
    """Who leaks, where the evidence says so."""
    less_dataset: bool = False
    """True where the growth is that of memory outside of the dataset."""

    @property
    def passed(self) -> bool | None:
        """False when the growth is red for certain, None when it may be."""
        if self.best is None or self.worst is None:
            return None
        return False if self.best is Grade.RED else None if self.worst is Grade.RED else True

    @property
    def warns(self) -> bool:
        """True when the growth is above warn for certain."""
        return self.best is not None and self.best >= Grade.WARN

    @property
    def answer(self) -> Answer:
        return _ANSWERS[self.passed]

    @property
    def severity(self) -> Severity:
        return _severity(self.level, self.passed)


@dataclass(frozen=True, slots=True)
class Verdict:
    """All answers."""

    rows: tuple[Row, ...]
    graded: tuple[Graded, ...]
    checked: tuple[Checked, ...]

    @property
    def severity(self) -> Severity:
        return Severity.gravest(
            [
                *(row.severity for row in self.rows),
                *(each.severity for each in self.graded),
                *(each.severity for each in self.checked),
            ]
        )

    @property
    def answer(self) -> Answer:
        return {Severity.GOOD: Answer.PASS, Severity.BREACHED: Answer.FAIL}.get(self.severity, Answer.CANNOT_TELL)


# ── Bands ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def graded(asked: Asked, found: Found, column: str, grown: Grown, final: float | None) -> Graded:
    """Return the growth of a column by its band."""
    band = banded(asked)[column]
    base = found.bases.get(column)
    known = grown.low is not None and grown.high is not None
    return Graded(
        column,
        band,
        Level.NICE if asked.is_own(column) else Level.MUST,
        base.value if base is not None else None,
        final,
        grown,
        band.grade(grown.low) if known and grown.low is not None else None,
        band.grade(grown.high) if known and grown.high is not None else None,
        band.grade(grown.slope) if grown.slope is not None else None,
        found.named.get(column, ""),
        less_dataset=series_of(column) in MEMORY and not asked.is_own(column),
    )


# ── What is asked of every soak ───────────────────────────────────────────────────────────────────────────────────────


def rows(asked: Asked, found: Found, end: End) -> tuple[Row, ...]:
    """Return the answers to what is asked of every soak. What does not apply has no row."""
    return tuple(
        row
        for row in (
            _full_duration(asked, end),
            _checkpoints(asked, found),
            _restarts(asked, found),
            *_readings(asked, found),
            *_health(asked, found),
            _errors(asked, found),
            *_objectives(found),
            _requests(found),
            _reuse(asked, found),
            *_idle(asked, found),
            *_spikes(asked, found),
        )
        if row is not None
    )


def _full_duration(asked: Asked, end: End) -> Row:
    wanted, reached = _time(asked.schedule.duration_s), _time(end.t_s)
    if end.how is How.COMPLETE:
        return Row("full duration", Level.MUST, True, f"{reached} of {wanted}")
    passed = False if end.how is How.CRASHED else None
    return Row("full duration", Level.MUST, passed, f"{reached} of {wanted}: {end.why or 'it ended early'}")


def _checkpoints(asked: Asked, found: Found) -> Row:
    schedule, count = asked.schedule, len(found.checkpoints)
    slow = [*late(schedule, found.checkpoints_s)]
    if slow:
        place, waited_s = max(slow, key=lambda each: each[1])
        number = found.checkpoints[place].number
        said = f"checkpoint {number} came {_time(waited_s)} after the one before, and {_time(schedule.checkpoint_s)} is"
        others = f"; {len(slow)} were late" if len(slow) > 1 else ""
        return Row("checkpoints in time", Level.MUST, None, f"{said} the interval: nothing was watched then{others}")
    if count < min(LEAST_CHECKPOINTS, schedule.checkpoints):
        return Row("checkpoints in time", Level.MUST, None, f"{count} of {schedule.checkpoints} came")
    return Row("checkpoints in time", Level.MUST, True, f"{count} of {schedule.checkpoints}, none late")


def _restarts(asked: Asked, found: Found) -> Row | None:
    if not asked.kinds:
        return None
    restarts = found.restarts
    if not restarts:
        return Row("no restarts", Level.MUST, True, "0")
    first = restarts[0]
    # Several monitors may see one restart.
    count = max(Counter(restart.monitor for restart in restarts).values())
    said = f"{count}, the first at {_time(first.t_s)} of {first.monitor}: {first.before}, then {first.after}"
    return Row("no restarts", Level.MUST, False, said)


def _readings(asked: Asked, found: Found) -> Iterator[Row]:
    """Yield a row for the readings of each monitor."""
    for monitor in asked.kinds:
        gaps = [gap for gap in found.gaps if gap.monitor == monitor and not gap.ours]
        ours = sum(gap.monitor == monitor and gap.ours for gap in found.gaps)
        if not gaps:
            # A moment in which loadgen had no CPU hides nothing that lasts.
            too_many = ours > MOST_OWN_GAPS * asked.schedule.duration_s / asked.schedule.every_s
            said = f"0 gaps, and {ours} as loadgen was too busy to read" if ours else "0 gaps"
            yield Row(f"{monitor} read throughout", Level.MUST, None if too_many else True, said)
            continue
        said = f"{len(gaps)} gap{'s' * (len(gaps) > 1)}, the first at {_time(gaps[0].t_s)}: {gaps[0].why}"
        level = Level.NICE if asked.kinds[monitor] == "self" else Level.MUST
        yield Row(f"{monitor} read throughout", level, False, said)


def _health(asked: Asked, found: Found) -> Iterator[Row]:
    """Yield a row for each series that says 1 of a target that is healthy."""
    for column in asked.series:
        if series_of(column) not in ("healthy", "health"):
            continue
        values = _known(each.reached[column].value for each in found.checkpoints if column in each.reached)
        well = sum(value >= 1 for value in values)
        said = f"at {well} of {len(found.checkpoints)} checkpoints"
        yield Row(f"{monitor_of(column)} healthy", Level.MUST, well == len(values) if values else None, said)


def _errors(asked: Asked, found: Found) -> Row | None:
    """Return the row of the load's errors; None where there is no load, as its errors are somebody else's to count."""
    if not any(asked.of_load(column) for column in asked.series):
        return None
    values = found.totals.values
    errors, requests = values.get("errors"), values.get("requests")
    if not isinstance(errors, Fraction) or not isinstance(requests, Fraction) or not requests:
        return Row("no errors", Level.MUST, None, "no request was counted")
    counts = [(name.replace("_", " "), values.get(name)) for name in _ERRORS]
    kinds = [f"{name} {int(count):,}" for name, count in counts if isinstance(count, Fraction) and count]
    said = f"{int(errors):,} of {int(requests):,} requests" + (f" ({', '.join(kinds)})" if kinds else "")
    return Row("no errors", Level.MUST, not errors, said)


_ERRORS = ("error_replies", "timeouts", "lost", "corrupt")
"""The kinds of errors, by their names in totals."""


def _objectives(found: Found) -> Iterator[Row]:
    answers = {Attainment.MET: True, Attainment.BREACHED: False, Attainment.UNKNOWN: None}
    for objective in found.totals.objectives:
        yield Row(f"SLO {objective.name}", Level.MUST, answers[objective.answer], objective.found)


def _requests(found: Found) -> Row | None:
    """Return the row of requests that were answered between each two checkpoints."""
    counts = [each.reached["load.requests"].value for each in found.checkpoints if "load.requests" in each.reached]
    if not counts:
        return None
    steps = [after - before for before, after in zip([0.0, *_known(counts)], _known(counts), strict=False)]
    still = sum(step <= 0 for step in steps)
    said = f"in {len(steps) - still} of {len(steps)} checkpoints"
    return Row("requests rise", Level.MUST, not still, said)


def _reuse(asked: Asked, found: Found) -> Row | None:
    """Return the row of connections that were used again: by what the load opened, else by upstream's formula."""
    opened, requests = found.totals.values.get("opened"), found.totals.values.get("requests")
    if not isinstance(requests, Fraction) or not requests:
        return None
    if isinstance(opened, Fraction):
        reuse, how = float(1 - opened / requests), f"1 − {int(opened):,} openings / {int(requests):,} requests"
    else:
        column = next(iter(asked.named("fds")), "")
        last = found.checkpoints[-1].reached.get(column) if found.checkpoints else None
        if last is None or last.growth is None:
            return None
        reuse, how = 1 - last.growth / float(requests), "1 − growth of open files / requests, as nobody counts openings"
    word = "good" if reuse > GOOD_REUSE else "moderate" if reuse >= FAIR_REUSE else "poor"
    return Row("connections reused", Level.NICE, reuse > GOOD_REUSE, f"{100 * reuse:.4g} %, {word} ({how})")


def _idle(asked: Asked, found: Found) -> Iterator[Row]:
    """Yield a row for each series of idle connections: some are there at some checkpoint, or nothing is pooled."""
    for column in asked.series:
        if series_of(column) not in ("idle", "idle_connections"):
            continue
        values = _known(each.reached[column].value for each in found.checkpoints if column in each.reached)
        if values:
            said = f"at most {max(values):g} at a checkpoint"
            yield Row(f"{monitor_of(column)} keeps idle connections", Level.NICE, max(values) > 0, said)


def _spikes(asked: Asked, found: Found) -> Iterator[Row]:
    """Yield a row for each series of memory: no checkpoint is far above the median of those before."""
    for column in asked.series:
        if column not in banded(asked) or series_of(column) not in MEMORY or asked.is_own(column):
            continue
        values = [
            (each, value)
            for each in found.checkpoints
            if column in each.reached and (value := each.reached[column].value) is not None
        ]
        spike = _spike(values)
        if spike is None:
            if values:
                yield Row(f"{column} without spikes", Level.NICE, True, f"{len(values)} checkpoints")
            continue
        at, value, median = spike
        said = f"{value / 1e6:,.1f} MB at checkpoint {at.number}, {value / median:.2f} times the median so far"
        yield Row(f"{column} without spikes", Level.NICE, False, said)


def _spike(values: list[tuple[Checkpoint, float]]) -> tuple[Checkpoint, float, float] | None:
    for index in range(_LEAST_BEFORE_SPIKE, len(values)):
        median = statistics.median(value for _, value in values[:index])
        at, value = values[index]
        if median > 0 and value > SPIKE * median:
            return at, value, median
    return None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _time(t_s: float) -> str:
    """Return a time of a soak in words: "6m", "90s"."""
    return format_duration(round(t_s * 10) * (NS_PER_S // 10))


def limits(band: Band) -> Mapping[str, float]:
    """Return a band's limits per minute, by name."""
    names = ("bonus", "target", "warn", "red")
    return {name: limit * NS_PER_MIN for name, limit in zip(names, band.limits, strict=True)}
