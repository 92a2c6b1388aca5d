"""Soaks in words, the same in every format for people. Pure functions to plain text.

The line of a checkpoint has the form that log_capturer's smoke test prints, for any series:
`[3/15] 6min: FD=24 (+2, 0.3/min) THREADS=6 (+0, 0.0/min)`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loadgen.escape import printable
from loadgen.judge.check import Level
from loadgen.judge.expression.dimension import PER_TIME, SHARE, SIZE, TIME, Dimension
from loadgen.judge.expression.mistake import Malformed
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.syntax import series_named
from loadgen.output.words import checks, figures
from loadgen.severity import Severity
from loadgen.soak.asked import Asked, banded, monitor_of, series_of
from loadgen.soak.checkpoints import Checkpoint, Reached
from loadgen.soak.ended import SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted
from loadgen.soak.found import How
from loadgen.units import NS_PER_MIN, NS_PER_S, format_duration

if TYPE_CHECKING:
    from loadgen.soak.verdict import Graded, Row

_LONGEST = 600
"""Characters of a sentence with text from outside."""

_LABELS = {"fds": "FD", "goroutines": "GOR"}
"""Series that upstream's lines have by other names."""
_OF_LOAD = ("load.p99", "load.errors")
"""What a checkpoint's line has of the load."""
_MOST_TIMES = 16
"""The most checkpoints whose times are all in the header."""

_VERDICTS = {
    Severity.GOOD: "PASS",
    Severity.BREACHED: "FAIL",
    Severity.FAILED: "FAIL",
    Severity.COULD_NOT_RUN: "COULD NOT RUN",
}

HEADINGS = ("series", "baseline", "final", "growth/min", "may be", "target", "warn", "red", "grade")
"""The headings of `cells`."""


def verdict(ended: SoakEnded) -> str:
    """Return PASS, FAIL, CAN'T TELL, or COULD NOT RUN."""
    return _VERDICTS.get(ended.severity, "CAN'T TELL")


# ── While it runs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def title(began: SoakBegan) -> str:
    """Return "=== Soak (30m): redis at 127.0.0.1:6379 ==="."""
    return f"=== Soak ({length(began.asked.schedule.duration_s)}): {printable(began.target, _LONGEST)} ==="


def header(began: SoakBegan) -> list[str]:
    """Return the lines below the title: start, expected end, and the time of each checkpoint."""
    schedule = began.asked.schedule
    settled_s = began.wall_s + schedule.settle_s
    after = f", {length(schedule.settle_s)} of settling included" if schedule.settle_s else ""
    count = schedule.checkpoints
    times = [clock(settled_s + schedule.time_of(number)) for number in range(1, count + 1)[:_MOST_TIMES]]
    each = ", ".join(times)
    if count > _MOST_TIMES:
        last = clock(settled_s + schedule.duration_s)
        each = f"{times[0]}, and each {length(schedule.checkpoint_s)} until {last}"
    return [
        f"Start: {moment(began.wall_s)}",
        f"Expected end: {moment(began.expected_end_s)} ({length(schedule.duration_s)}{after})",
        f"Checkpoints: {count}, at {each}",
        f"Load: {printable(began.load, _LONGEST)}",
        *[f"Run folder: {printable(began.folder, _LONGEST)}"] * bool(began.folder),
        *([compressed(began.asked)] if began.asked.wear.is_faster else []),
    ]


def compressed(asked: Asked) -> str:
    """Return what --compress does, and what it does not."""
    wear = asked.wear
    if wear.ttl_ns:
        keys = f"keys live for {format_duration(wear.ttl_ns)}, not {format_duration(wear.by_itself_ns)}"
    else:
        keys = "keys have no time to live that could be compressed"
    return (
        f"Compressed: all connections are replaced {wear.times} times between two checkpoints, and {keys}. What "
        "depends on time itself is not compressed: timers, log rotation, certificates, fragmentation at rest"
    )


def baseline(event: SoakBaseline) -> list[str]:
    """Return "Baseline: GOR=95 FD=22", after the load when settling has found its rate."""
    asked = event.asked
    values = [
        f"{label(asked, column)}={value(event.bases[column].value, asked.series[column].dimension)}"
        for column in shown(asked)
        if column in event.bases
    ]
    load = [f"Load: {printable(event.load, _LONGEST)}"] if event.load else []
    return [*load, f"Baseline: {' '.join(values) or 'no series has a value yet'}"]


def checkpoint(asked: Asked, at: Checkpoint) -> str:
    """Return "[3/15] 6min: FD=24 (+2, 0.3/min) THREADS=6 (+0, 0.0/min)"."""
    return f"[{at.number}/{at.of}] {minutes(at.t_s)}: {values(asked, at)}".rstrip()


def values(asked: Asked, at: Checkpoint) -> str:
    """Return "FD=24 (+2, 0.3/min) THREADS=6 (+0, 0.0/min)"."""
    parts = [
        f"{label(asked, column)}={_reached(at.reached[column], asked.series[column].dimension)}"
        for column in shown(asked)
        if column in at.reached
    ]
    return " ".join(parts)


def eta(event: SoakCheckpoint) -> str:
    """Return when the soak is expected to end, and how long that is from now."""
    left_s = event.expected_end_s - event.wall_s
    return f"expected end {clock(event.expected_end_s)}, in {length(left_s)}" if left_s > 0 else ""


def note(event: SoakNoted) -> str:
    """Return "4min: redis was not read: …"."""
    return f"{minutes(event.t_s)}: {printable(event.words, _LONGEST)}"


# ── At the end ────────────────────────────────────────────────────────────────────────────────────────────────────────


def complete(ended: SoakEnded) -> str:
    """Return "Complete: TIME", or how else the soak ended."""
    if ended.end.how is How.COMPLETE:
        return f"Complete: {moment(ended.wall_s)}"
    why = printable(ended.end.why, _LONGEST) or "it ended early"
    return f"Ended early, after {length(ended.end.t_s)} of {length(ended.asked.schedule.duration_s)}: {why}"


def summary(ended: SoakEnded) -> str:
    """Return how long it was, and the answers in counts: "30m, 15 checkpoints; 9 of 9 musts, 5 of 6 nice"."""
    judged = ended.verdict
    answers = [
        *((row.level, row.passed) for row in judged.rows),
        *((each.level, each.passed) for each in judged.graded),
        *((each.check.level, each.passed) for each in judged.checked),
    ]
    counts = []
    for level, word in ((Level.MUST, "musts"), (Level.NICE, "nice")):
        of = [passed for own, passed in answers if own is level]
        counts.append(f"{sum(passed is True for passed in of)} of {len(of)} {word}")
    checkpoints = figures.plural(len(ended.found.checkpoints), "checkpoint")
    return f"{length(ended.end.t_s)}, {checkpoints}; {', '.join(counts)}"


def why(ended: SoakEnded) -> list[str]:
    """Return why the soak did not pass, the gravest first; then what is said and has no consequence.

    What cannot be told of loadgen's own processes is not said: it has no consequence, and the table has it.
    """
    judged = ended.verdict
    said: list[tuple[Severity, str]] = [
        (row.severity, f"{row.name}: {row.found}") for row in judged.rows if not row.passed
    ]
    said += [
        (each.severity, growth(ended.asked, each))
        for each in judged.graded
        if each.warns or (not each.passed and each.level is Level.MUST)
    ]
    said += [(each.severity, f"check {checks.line(each)}") for each in judged.checked if not each.passed]
    order = [*Severity]
    ranked = sorted(said, key=lambda pair: order.index(pair[0]))
    failure = [ended.end.why] * (ended.end.how is How.FAILED)
    return [printable(words, _LONGEST) for words in (*failure, *(words for _, words in ranked))]


def growth(asked: Asked, each: Graded) -> str:
    """Return the growth of a series in a sentence: "FD grew by 40.1/min (39.8 to 40.4), red is above 30/min"."""
    name = label(asked, each.column)
    dataset = " outside of the dataset" if each.less_dataset else ""
    who = f"; {each.named}" if each.named else ""
    if each.best is None or each.worst is None:
        return f"{name}: growth{dataset} cannot be told: {each.grown.why}{who}"
    by, may_be = rate(each, each.grown.slope), span(each)
    found = f"{name} grew by {by}" if may_be == by else f"{name} grew by {by} ({may_be})"
    red = f"red is above {each.band.texts[3]}"
    match each.passed:
        case False:
            said = red
        case None:
            said = f"which may be red: {red}"
        case _:
            said = f"warn is above {each.band.texts[2]}" if each.warns else f"{grade(each)}"
    return f"{found}{dataset}, {said}{who}"


def grade(each: Graded) -> str:
    """Return the grade: "target", "exceptional", or "target to warn" where the growth may be of several."""
    if each.best is None or each.worst is None:
        return "?"
    best, worst = each.band.word(each.best), each.band.word(each.worst)
    return best if each.best is each.worst else f"{best} to {worst}"


def cells(asked: Asked, each: Graded) -> list[str]:
    """Return a row of the table of bands."""
    dimension = asked.series[each.column].dimension
    return [
        label(asked, each.column),
        figures.NOTHING if each.base is None else value(each.base, dimension),
        figures.NOTHING if each.final is None else value(each.final, dimension),
        rate(each, each.grown.slope),
        span(each),
        f"<{each.band.texts[1]}",
        f">{each.band.texts[2]}",
        f">{each.band.texts[3]}",
        grade(each),
    ]


def row_answer(row: Row) -> str:
    """Return the tick of a row: pass, FAIL, warn (nice, and not so), or a question mark."""
    if row.passed is None:
        return "?"
    return "pass" if row.passed else "FAIL" if row.level is Level.MUST else "warn"


def found(row: Row) -> str:
    return printable(row.found, _LONGEST)


def folder(ended: SoakEnded) -> str:
    return printable(ended.folder, _LONGEST)


def growths(ended: SoakEnded) -> list[str]:
    """Return the growth of each series in a sentence."""
    return [printable(growth(ended.asked, each), _LONGEST) for each in ended.verdict.graded]


def band_style(each: Graded) -> str:
    if each.passed is False:
        return "bold red"
    return "bold yellow" if each.passed is None or each.warns else "green"


def row_style(row: Row) -> str:
    if row.passed:
        return "green"
    return "bold red" if row.passed is False and row.level is Level.MUST else "bold yellow"


def notes(ended: SoakEnded) -> list[str]:
    """Return the remarks below the answer."""
    less = any(each.less_dataset for each in ended.verdict.graded)
    return [
        *(printable(reason.words, _LONGEST) for reason in ended.notes),
        *["growth of memory is that of what is not the dataset"] * less,
        *[compressed(ended.asked)] * (ended.asked.wear.is_faster),
    ]


# ── Names and numbers ─────────────────────────────────────────────────────────────────────────────────────────────────


def shown(asked: Asked) -> list[str]:
    """Return the columns of a checkpoint's line: those with a band or in a check, and of the load p99 and errors."""
    columns = [column for column in banded(asked) if not asked.is_own(column)]
    for check in asked.checks:
        columns += [column for column in _columns_of(asked, check.expr) if not asked.of_load(column)]
    order = ["fds", "goroutines", "tasks", "threads"]
    columns = sorted(
        dict.fromkeys(columns), key=lambda c: order.index(s) if (s := series_of(c)) in order else len(order)
    )
    return [*columns, *(column for column in _OF_LOAD if column in asked.series)]


def _columns_of(asked: Asked, expr: str) -> Iterator[str]:
    try:
        named = series_named(parse(expr))
    except Malformed:
        return
    for name in named:
        words = [selector.word for selector in name.selectors]
        for column in asked.named(name.name):
            if (not words and not asked.is_own(column)) or monitor_of(column) in words:
                yield column


def label(asked: Asked, column: str) -> str:
    """Return the name of a series in lines: FD; with its monitor, FD[proxy], where several have it."""
    series = series_of(column)
    name = _LABELS.get(series, series.upper())
    others = [each for each in asked.named(series) if not asked.is_own(each)]
    return f"{name}[{printable(monitor_of(column), 40)}]" if len(others) > 1 or asked.is_own(column) else name


def value(number: float, dimension: Dimension) -> str:
    """Return a value as one word: "24", "12.3MB", "1.2ms"."""
    if dimension == SIZE:
        return figures.size(number).replace(" ", "")
    if dimension == TIME:
        return figures.latency_word(number)
    if dimension == SHARE:
        return f"{100 * number:.3g}%"
    if dimension == PER_TIME:
        return f"{number:.4g}/s"
    return f"{number:.10g}" if number == int(number) else f"{number:.6g}"


def _reached(each: Reached, dimension: Dimension) -> str:
    if each.value is None:
        return "?"
    at = value(each.value, dimension)
    if each.growth is None or each.per_min is None:
        return f"{at} (new)"
    return f"{at} ({_signed(each.growth, dimension)}, {_per_min(each.per_min, dimension)})"


def _signed(number: float, dimension: Dimension) -> str:
    return f"{'-' if number < 0 else '+'}{value(abs(number), dimension)}"


def _per_min(number: float, dimension: Dimension) -> str:
    sign = "-" if number < 0 else ""
    if dimension in (SIZE, TIME, SHARE):
        return f"{sign}{value(abs(number), dimension)}/min"
    return f"{number:.1f}/min".replace("-0.0/", "0.0/")


def rate(each: Graded, per_ns: float | None) -> str:
    """Return a growth per minute: "40.1/min", "12.3KB/min"."""
    if per_ns is None:
        return figures.NOTHING
    number = per_ns * NS_PER_MIN
    if each.band.dimension.size:
        return _per_min(number, SIZE)
    return f"{number:.3g}/min" if abs(number) >= _LEAST_RATE else "0/min"


def span(each: Graded) -> str:
    """Return what a growth per minute may be: "3.9/min to 4.2/min", or one number where both are written alike."""
    low, high = rate(each, each.grown.low), rate(each, each.grown.high)
    return low if low == high else f"{low} to {high}"


_LEAST_RATE = 0.001


def length(seconds: float) -> str:
    """Return a length of time: "30m", "90s", "1.5s"."""
    tenths = round(seconds * 10)
    return format_duration(tenths * (NS_PER_S // 10)) if tenths % 10 else format_duration(tenths // 10 * NS_PER_S)


def minutes(t_s: float) -> str:
    """Return the time of a soak in upstream's spelling: "6min", "20s", "1min20s"."""
    if t_s < 0:
        return "settling"
    whole, rest = divmod(round(t_s, 1), 60)
    seconds = f"{rest:g}s"
    return f"{whole:.0f}min{seconds if rest else ''}" if whole else seconds


def moment(wall_s: float) -> str:
    """Return a time as people write it, in the zone of this machine: "2025-11-07 12:11:19 -0300"."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(wall_s))


def clock(wall_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(wall_s))
