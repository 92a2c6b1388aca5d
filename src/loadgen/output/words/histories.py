"""Histories that were checked in words, the same in every format for people. Pure functions to plain text."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.escape import printable
from loadgen.output.words import figures
from loadgen.severity import Severity
from loadgen.units import span
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import KINDS, Shown, Violation

_LONGEST = 500

_BAR = 24
"""The columns of a bar: each time of a window has two, as long as they are enough."""

_ANSWERS = {Severity.GOOD: "LEGAL", Severity.FAILED: "ILLEGAL"}


def verdict(checked: HistoryChecked) -> str:
    """Return LEGAL, ILLEGAL or CANNOT TELL."""
    return _ANSWERS.get(checked.severity, "CANNOT TELL")


def summary(checked: HistoryChecked) -> str:
    """Return what was judged and how that ended: "register: 1,000 operations on 10 keys, 1 violation; 12 ms"."""
    answer = checked.answer
    found = figures.plural(answer.found, "violation", figures.grouped) if answer.found else "no violation"
    operations = figures.plural(answer.operations, "operation", figures.grouped)
    keys = figures.plural(answer.keys, "key", figures.grouped)
    return f"{answer.model}: {operations} on {keys}, {found}; {span(checked.took_ns)}"


def counts(checked: HistoryChecked) -> str:
    """Return the counts: "reads 1,000, writes 200"."""
    return ", ".join(f"{name} {count:,}" for name, count in checked.answer.counts.items())


def origin(checked: HistoryChecked) -> str:
    """Return what the history says of itself; empty for lines of text."""
    return ", ".join(f"{printable(name)} {printable(value)}" for name, value in checked.metadata.items() if value)


def kinds(checked: HistoryChecked) -> list[str]:
    """Return a line for each kind of violation: "2 × revived: a value came back after the key was absent"."""
    return [f"{count:,} × {kind}: {KINDS[kind]}" for kind, count in sorted(checked.answer.kinds.items()) if count]


def why(checked: HistoryChecked) -> list[str]:
    """Return why there is no answer, or none for some keys."""
    return [printable(doubt.words, _LONGEST) for doubt in checked.doubts]


def notes(checked: HistoryChecked) -> list[str]:
    return [printable(note.words, _LONGEST) for note in checked.notes]


def more(checked: HistoryChecked) -> str:
    """Return how many violations are counted and not shown; empty for none."""
    unseen = checked.answer.found - len(checked.answer.violations)
    return f"{figures.plural(unseen, 'more violation', figures.grouped)} of other keys" if unseen > 0 else ""


def title(violation: Violation) -> str:
    """Return the kind and the key: "overwritten, key 17"."""
    return f"{violation.kind}{f', key {printable(violation.key)}' if violation.key else ''}"


def sentence(violation: Violation) -> str:
    return printable(violation.why, _LONGEST)


def window(violation: Violation) -> list[tuple[str, str, str, bool]]:
    """Return a row for each operation, by process: process, bar, what it did and when, True for the impossible one.

    Times are from the first call on. A bar has two columns for each time at which something was called or returned, as
    long as there is room: its length is an order, not a duration.
    """
    rows = by_process(violation.window)
    start = min((row.call_ns for row in rows), default=0)
    times = sorted({at for row in rows for at in (row.call_ns, row.return_ns) if at is not None})
    last = max(len(times) - 1, 1)
    step = min(2.0, (_BAR - 1) / last)
    places = {at: round(number * step) for number, at in enumerate(times)}
    room = round(last * step) + 2
    found = []
    for row in rows:
        end = "no end" if row.return_ns is None else f"+{span(row.return_ns - start)}"
        when = f"{printable(row.words, _LONGEST)}  (+{span(row.call_ns - start)} to {end})"
        found.append((printable(row.process), _bar(row, places, room), when, row.accused))
    return found


def by_process(rows: Sequence[Shown]) -> list[Shown]:
    """Return operations by process, in the order of the processes' first calls, each process's by their calls."""
    first: dict[str, int] = {}
    for row in rows:
        first[row.process] = min(first.get(row.process, row.call_ns), row.call_ns)
    return sorted(rows, key=lambda row: (first[row.process], row.process, row.call_ns))


def _bar(row: Shown, places: dict[int, int], room: int) -> str:
    start = places[row.call_ns]
    if row.return_ns is None:
        return f"{' ' * start}├{'─' * (room - start - 2)}→".ljust(room)
    end = places[row.return_ns]
    body = f"├{'─' * (end - start - 1)}┤" if end > start else "│"
    return f"{' ' * start}{body}".ljust(room)
