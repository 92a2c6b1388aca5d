"""`--format clean` of a campaign: each new failure when it has been shrunk, and at the end a row for each kind.

Cases that pass, and those that fail as an earlier one did, are counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadgen.output.paper.layout import LABEL, fact, facts, indented, rule, width, wrapped
from loadgen.output.paper.page import Page
from loadgen.output.words import campaigns, commands
from loadgen.verify.ended import CampaignBegan, CampaignEnded, FailureFound

_CELL = 9
"""The width of a count."""


class Campaign:
    """One campaign."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint

    def began(self, event: CampaignBegan) -> None:
        self._page.print(
            *(self._paint(line, "bold") for line in wrapped(campaigns.title(event))),
            *fact("options", campaigns.options(event)),
        )

    def failure(self, event: FailureFound) -> None:
        self._page.print(
            "",
            *(self._paint(line, "bold red") for line in wrapped(campaigns.failed(event))),
            *fact("invariant", campaigns.invariant(event)),
            *fact("found", campaigns.message(event)),
            *fact("size", campaigns.size(event)),
            *facts("case", campaigns.steps(event)),
            *fact("diverged", campaigns.divergence(event)),
            *facts("replay", commands.lines(event.replay, width() - LABEL)),
            *fact("artifact", campaigns.artifact(event)),
        )

    def ended(self, event: CampaignEnded) -> None:
        verdict = f"{campaigns.verdict(event)}  "
        answer = indented(f"{event.suite}: {campaigns.summary(event)}", len(verdict), verdict)
        self._page.print(
            rule(),
            *(self._paint(line, campaigns.style(event)) for line in answer),
            *(line for words in campaigns.reasons(event) for line in indented(words, len(verdict))),
            *facts("not judged", campaigns.unjudged(event)),
            *facts("alike", campaigns.alike(event)),
            *facts("compatible", campaigns.compatible(event)),
            *facts("writes", campaigns.survived(event)),
            *facts("states", campaigns.states(event)),
            *facts("machines", campaigns.machines(event)),
            *(line for note in campaigns.notes(event) for line in fact("note", note)),
            *self._rows(event),
        )

    def _rows(self, event: CampaignEnded) -> Iterator[str]:
        rows = campaigns.by_kind(event)
        if len(rows) < 2:
            return
        room = max(len("test"), min(max(len(row.kind) for row in rows) + 1, width() - len(campaigns.HEADINGS) * _CELL))
        yield ""
        yield self._paint(_line(room, "test", campaigns.HEADINGS), "bold")
        for row in rows:
            style = "red" if row.seeds else ""
            if wide := len(row.kind) > room:
                yield self._paint(row.kind, style)
            yield self._paint(_line(room, "" if wide else row.kind, campaigns.cells(row)), style)


def _line(room: int, first: str, cells: tuple[str, ...] | list[str]) -> str:
    return f"{first:<{room}}{''.join(f'{cell:>{_CELL}}' for cell in cells)}"
