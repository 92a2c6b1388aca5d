"""The page of the dashboard: its sections as lines, for a size of the terminal. Pure functions of state and time."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from loadgen.output.tui import of_load, of_trials
from loadgen.output.tui.drawings import bar, plot
from loadgen.output.tui.line import Line, Span, apart, cut, headed, heading, length
from loadgen.output.tui.model import Model
from loadgen.output.tui.numbers import rounded
from loadgen.output.tui.series import Column, round_top, step_s
from loadgen.output.tui.subject import Subject
from loadgen.output.words import figures

SECTIONS = ("header", "subject", "throughput", "plots", "table", "events")
"""The sections of a page, from top to bottom."""

_EVENTS_LEAST = 6
"""The lines of the log, its heading included, that a page keeps free before its plots grow."""

_PLOT_LINES = (3, 12)
"""The least and the most lines of a plot."""

_TABLE_LINES = 8
"""The most lines of the table on a page of 24 lines; a higher page gives it up to a third."""

_MARGIN = 1
"""Empty columns at both sides, where there is room."""

_NARROW = 60
"""The columns below which there are no margins."""

_FIRST = ("header", "subject", "throughput", "table", "plots", "events")
"""The sections in the order in which they get lines of a terminal that has too few for all."""


def page(model: Model, now_s: float, columns: int, lines: int) -> Mapping[str, Sequence[Line]]:
    """Return the lines of each section, `lines` at most in all. `now_s` is Unix time."""
    margin = _MARGIN if columns >= _NARROW else 0
    width = max(1, columns - 2 * margin)
    table_lines = max(_TABLE_LINES, lines // 3)
    if model.shows_trials:
        subject = of_trials.subject(model.trials, now_s)
        block = of_trials.block(model.trials, width, table_lines)
    else:
        subject = of_load.subject(model.load, now_s)
        block = of_load.block(model.load, width, table_lines, now_s)
    sections: dict[str, Sequence[Line]] = {
        "header": [_header(model, subject, now_s, width)],
        "subject": _subject(subject, width, 3 if lines >= 36 else 2),
        "throughput": _throughput(subject, width),
        "table": [heading(block.title, width), *block.lines],
    }
    free = lines - sum(map(len, sections.values()))
    least, most = _PLOT_LINES
    sections["plots"] = _plots(subject, width, max(least, min(most, (free - 1 - _EVENTS_LEAST) // 2)))
    sections["plots"] = sections["plots"] if len(sections["plots"]) <= free else []
    free -= len(sections["plots"])
    sections["events"] = [heading("events (UTC)", width), *model.log.lines(width, free - 1)]
    return _fitted(sections, lines, margin, width)


def _fitted(
    sections: Mapping[str, Sequence[Line]], lines: int, margin: int, width: int
) -> Mapping[str, Sequence[Line]]:
    """Return the sections from top to bottom, cut to the size of the terminal."""
    fitted: dict[str, Sequence[Line]] = {}
    for name in _FIRST:
        fitted[name] = [(((" " * margin), ""), *cut(line, width)) for line in sections[name][:lines]]
        lines -= len(fitted[name])
    return {name: fitted[name] for name in SECTIONS}


def _header(model: Model, subject: Subject, now_s: float, width: int) -> Line:
    keys: tuple[Span, ...] = (("q", "bold"), (" stop", "dim"))
    if model.can_skip:
        keys = (("n", "bold"), (" next   ", "dim"), *keys)
    if model.stopping:
        keys = (("stopping", "warn"),)
    runtime = (_runtime(max(0.0, now_s - model.began_s)), "bold")
    right = (runtime, ("   ", ""), *keys)
    name = f"loadgen {subject.verb}"
    what = list(subject.what)
    # The most important part is the first.
    while len(what) > 1 and len(name) + 3 + len(" · ".join(what)) + 1 + length(right) > width:
        what.pop()
    return apart(((name, "bold"), (f"   {' · '.join(what)}", "")), right, width)


def _runtime(seconds: float) -> str:
    """Return the time since the start, in tenths of a second: "1:02:03.4", "2:03.4"."""
    tenths = int(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    whole = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{whole}:{tenths // 10:02}.{tenths % 10}"


def _subject(subject: Subject, width: int, most: int) -> list[Line]:
    title = (subject.title, "alarm" if subject.faulted else "bold")
    right = (("fault on", "warn"),) if subject.faulted else ()
    words = textwrap.wrap(subject.words, width, max_lines=most, placeholder=" …") or [""]
    return [
        headed((title,), width, right),
        *(((line.replace("\N{NO-BREAK SPACE}", " "), ""),) for line in words),
        _stages(subject, width),
    ]


def _stages(subject: Subject, width: int) -> Line:
    """Return the phases, the one that is on marked, with a bar and the time left of it."""
    names: list[Span] = []
    for stage in subject.stages:
        style = ("alarm" if subject.faulted else "now") if stage.is_on else "dim"
        sign = "✓" if stage.is_over else " "
        names += [(f"{sign}{stage.name} ", style), (" ", "")]
    left = f"{figures.left(subject.left_ns)} left" if subject.left_ns is not None else subject.note
    room = width - length(names) - len(left) - 2
    if subject.share is None or room < 4:
        return apart(names, ((left, ""),), width)
    return (*names, *bar(subject.share, room, "warn" if subject.faulted else "accent"), (f"  {left}", ""))


def _throughput(subject: Subject, width: int) -> list[Line]:
    top = round_top(subject.top_per_s)
    rate = f"{figures.rate(round(subject.rate_per_s))} {subject.operations}/s"
    left: tuple[Span, ...] = ((f"{rate:<12}", "bold"),)
    right: tuple[Span, ...] = ((f" {rounded(top)}", "dim"),) * bool(subject.top_per_s)
    if subject.latencies:
        right = (*right, ("   ", ""), *subject.latencies)
    room = max(4, width - length(left) - length(right))
    gauge = bar(subject.rate_per_s / top, room, "warn" if subject.faulted else "accent")
    return [heading("throughput", width), (*left, *gauge, *right), subject.totals]


def _plots(subject: Subject, width: int, height: int) -> list[Line]:
    """Return two plots side by side: the rate, and the share of operations that failed."""
    left, right = (width - 2) // 2, width - 2 - (width - 2) // 2
    column_s = step_s(subject.whole_s, left, subject.sample_s)
    columns = subject.series.columns(left, column_s)
    rate_top = round_top(max((column.rate_per_s for column in columns if column), default=0.0))
    share_top = round_top(max(0.01, *(column.failed or 0.0 for column in columns if column), 0.0))
    rates = [(column.rate_per_s, _style(column, "accent")) if column else (None, "") for column in columns]
    shares = [(column.failed, "bad") if column else (None, "") for column in columns[-right:]]
    span = f"{subject.operations}/s, last {figures.left(left * column_s * 1e9)}"
    titles = (
        heading(span, left, rounded(rate_top) if columns else ""),
        heading("errors", right, f"{figures.share(min(1.0, share_top), 0)} %" if columns else ""),
    )
    halves = zip(plot(rates, rate_top, left, height), plot(shares, min(1.0, share_top), right, height), strict=True)
    return [(*titles[0], ("  ", ""), *titles[1]), *(_beside(one, other, left) for one, other in halves)]


def _style(column: Column, style: str) -> str:
    return "warn" if column.faulted else style


def _beside(one: Line, other: Line, width: int) -> Line:
    return (*one, (" " * (width - length(one) + 2), ""), *other)
