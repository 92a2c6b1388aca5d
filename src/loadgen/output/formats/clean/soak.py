"""`--format clean` of a soak: its header, a line for each checkpoint, what happens between, and the verdict."""

from __future__ import annotations

from loadgen.judge.check import Level
from loadgen.output.paper.layout import fact, indented, rule, width, wrapped
from loadgen.output.paper.page import Page
from loadgen.output.words import checks, soak
from loadgen.soak.ended import Noted, SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted

_GRAVE = (Noted.BREACH, Noted.RESTART, Noted.GAP)
_ANSWER = 6
_NARROWER = ((0, 1, 2, 3, 4, 8), (0, 3, 4, 5), (0, 1, 3))
"""Which columns of a table that is too wide are kept: of all, of those that are left, and of those."""
_GAP = 2


class Soak:
    """The lines of checkpoints are never wrapped: others read them by line."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint

    def began(self, event: SoakBegan) -> None:
        self._page.print(
            *(self._paint(line, "bold") for line in wrapped(soak.title(event))),
            *(line for words in soak.header(event) for line in wrapped(words)),
            "Getting baseline...",
        )

    def baseline(self, event: SoakBaseline) -> None:
        *load, baseline = soak.baseline(event)
        self._page.print(*(line for words in load for line in wrapped(words)), baseline, "")

    def checkpoint(self, event: SoakCheckpoint) -> None:
        self._page.print(soak.checkpoint(event.asked, event.checkpoint))

    def note(self, event: SoakNoted) -> None:
        style = "bold red" if event.kind is Noted.BREACH else "yellow" if event.kind in _GRAVE else "dim"
        self._page.print(*(self._paint(line, style) for line in indented(soak.note(event), _GAP, "")))

    def ended(self, event: SoakEnded) -> None:
        verdict = f"{soak.verdict(event)}  "
        style = checks.style(event.severity)
        self._page.print(
            "",
            *wrapped(soak.complete(event)),
            rule(),
            *(self._paint(line, style) for line in indented(f"soak: {soak.summary(event)}", len(verdict), verdict)),
            *(line for words in soak.why(event) for line in indented(words, len(verdict))),
            *self._bands(event),
            *self._rows(event),
            *self._checks(event),
            *(line for note in soak.notes(event) for line in fact("note", note)),
            *fact("run folder", soak.folder(event)),
        )

    def _bands(self, event: SoakEnded) -> list[str]:
        """Return the table of bands; where it is too wide, without the limits, and then without values."""
        graded = event.verdict.graded
        if not graded:
            return []
        table = [list(soak.HEADINGS), *(soak.cells(event.asked, each) for each in graded)]
        for kept in _NARROWER:
            if sum(map(_widest, zip(*table, strict=True))) + _GAP * (len(table[0]) - 1) > width():
                table = [[row[place] for place in kept] for row in table]
        widths = [*map(_widest, zip(*table, strict=True))]
        lines = [
            "  ".join(
                f"{cell:<{room}}" if place in (0, len(row) - 1) else f"{cell:>{room}}"
                for place, (cell, room) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
        return [
            "",
            self._paint(lines[0], "bold"),
            *(self._paint(line, soak.band_style(each)) for line, each in zip(lines[1:], graded, strict=True)),
        ]

    def _rows(self, event: SoakEnded) -> list[str]:
        found = []
        for level, title in ((Level.MUST, "must have"), (Level.NICE, "nice to have")):
            rows = [row for row in event.verdict.rows if row.level is level]
            room = max((len(row.name) for row in rows), default=0)
            found += ["", self._paint(title, "bold")] if rows else []
            for row in rows:
                label = f"  {soak.row_answer(row):<{_ANSWER}}{row.name:<{room}}  "
                found += [
                    self._paint(line, soak.row_style(row)) for line in indented(soak.found(row), len(label), label)
                ]
        return found

    def _checks(self, event: SoakEnded) -> list[str]:
        checked = event.verdict.checked
        lines = [line for each in checked for line in indented(checks.line(each), _GAP * 2, "")]
        return ["", self._paint("checks", "bold"), *lines] if checked else []


def _widest(cells: tuple[str, ...]) -> int:
    return max(map(len, cells))
