"""`--format clean` of a stress test: a row for each load when it ends, why it did not pass, and the answer."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.escape import printable
from loadgen.output.paper.layout import fact, indented, rule, width, wrapped
from loadgen.output.paper.page import Page
from loadgen.output.words import checks, commands, stress
from loadgen.verify.case import Verdict
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded

_WIDTHS = (6, 10, 8, 6, 8, 8, 8, 8, 6)
_ANSWER = 6
_NARROW = 7
"""The columns that a narrow row has: those up to memory."""
_SHORT = {"in flight/key": "per key", "connections": "conns"}
"""Headings that are shorter than in other formats."""


class Stress:
    """The table grows while the test runs."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint

    def began(self, event: StressBegan) -> None:
        self._page.print(
            *(self._paint(line, "bold") for line in wrapped(stress.title(event))),
            *fact("options", stress.options(event)),
            "",
            self._paint(_line([_SHORT.get(each, each) for each in stress.HEADINGS[:-1]]), "bold"),
        )

    def row(self, event: Stressed) -> None:
        *cells, answer = stress.cells(event)
        style = checks.style(event.severity)
        self._page.print(
            f"{_line(cells)}  {self._paint(answer, 'dim' if event.skipped else style)}",
            *(self._paint(line, style) for words in stress.reasons(event) for line in indented(words, 2)),
            *(_replay(event) if event.verdict in (Verdict.FAIL, Verdict.UNTOLD) else ()),
        )

    def ended(self, event: StressEnded) -> None:
        verdict = f"{stress.verdict(event)}  "
        answer = indented(f"stress: {stress.summary(event)}", len(verdict), verdict)
        self._page.print(
            rule(),
            *(self._paint(line, checks.style(event.severity)) for line in answer),
            *(line for words in stress.why(event) for line in indented(words, len(verdict))),
            *fact("server", printable(event.identity)),
            *(line for note in stress.notes(event) for line in fact("note", note)),
        )


def _replay(event: Stressed) -> list[str]:
    """Return the command that puts on the load again, to be copied."""
    label = "  replay  "
    first, *rest = commands.lines(event.replay, width() - len(label))
    return [label + first, *(" " * len(label) + line for line in rest)]


def _line(cells: Sequence[str]) -> str:
    shown = len(_WIDTHS) if sum(_WIDTHS) + _ANSWER <= width() else _NARROW
    return "".join(f"{cell:>{room}}" for cell, room in zip(cells[:shown], _WIDTHS[:shown], strict=True))
