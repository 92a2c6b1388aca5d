"""`--format clean` of a saturation search: a row per step, and the answer."""

from __future__ import annotations

import textwrap

from loadgen.events import SearchEnded, StepTaken
from loadgen.output.formats import monitors
from loadgen.output.formats.clean import account
from loadgen.output.paper.layout import WIDTH, fact, indented, rule, width
from loadgen.output.paper.page import Page
from loadgen.output.words import figures, search, sentences
from loadgen.stats.search import Outcome
from loadgen.stats.trial import RateVerdict

_VERDICT_STYLES = {
    RateVerdict.PASS: "green",
    RateVerdict.FAIL: "red",
    RateVerdict.INCONCLUSIVE: "yellow",
    RateVerdict.GENERATOR_LIMITED: "bold yellow",
}


class Search:
    """A row for each step when it ends, and the answer."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def step(self, event: StepTaken) -> None:
        """Print a row, and below it the reason for a verdict that the row's percentile does not explain."""
        step = event.step
        tried = _tried(str(event.number), step.purpose, _cell(step.rate_per_s), _cell(step.achieved_per_s))
        verdict = self._page.paint(search.verdict(step), _VERDICT_STYLES[step.judgement.verdict])
        self._page.print(
            f"{tried}{_limited(*search.worst(step))}  {verdict}",
            *(self._page.paint(line, "dim") for line in indented(search.surprise(step), 5)),
        )

    def ended(self, event: SearchEnded) -> None:
        answer, grouped, paint = event.answer, figures.grouped, self._page.paint
        aim, found = search.aim(event.limits, grouped), search.found(event, grouped)
        headline = textwrap.wrap(f"{aim}: {found}", width())
        if len(headline) > 1:
            headline = [*textwrap.wrap(f"{aim}:", width()), *indented(found, 2)]
        notes = [sentences.EMBEDDED] * event.embedded + [search.KNEE] * (not event.limits)
        self._page.print(
            "",
            paint(f"SATURATION SEARCH{' (interrupted)' * event.interrupted}", "bold"),
            rule(),
            *(paint(line, _found_style(event)) for line in headline),
            "",
            *fact("because", search.reason(answer) if answer else ""),
            *fact("took", search.effort(answer, grouped) if answer else ""),
            *fact("capacity", search.capacity(answer, grouped) if answer else ""),
            *account.errors(event, paint),
            *fact("totals", search.totals(event, grouped)),
            *fact("connections", search.connections(event, grouped)),
            *fact("pushes", sentences.pushes(event, grouped)),
            *fact("history", sentences.history(event.history, grouped)),
            "",
            *monitors.painted(event.monitors, paint),
            *account.balance(event, paint),
            *(paint(line, "yellow") for note in notes for line in fact("note", note)),
            *account.verdict(event, paint),
        )


def _found_style(event: SearchEnded) -> str:
    if not event.valid or event.answer is None:
        return "bold red"
    return "bold green" if event.answer.outcome is Outcome.FOUND else "bold yellow"


def _tried(number: str, purpose: str, rate: str, achieved: str) -> str:
    return f"{number:>4} {purpose:<8}{rate:>10}{f'{achieved:>11}' * (width() >= WIDTH)}"


def _limited(name: str, measured: str, limit: str) -> str:
    return f" │{name:>14}{measured:>9}{limit:>9}" if width() >= WIDTH else f" │{name:>12}{measured:>9}"


def step_header() -> str:
    """Return the header of the table of steps."""
    return f"{_tried('step', 'purpose', 'req/s', 'achieved')}{_limited('worst limit', 'measured', 'limit')}  verdict"


def _cell(rate_per_s: float) -> str:
    """Return a rate in at most ten columns: in full when it fits, else scaled."""
    words = figures.whole_rate(rate_per_s, figures.grouped)
    return words if len(words) <= 10 else figures.rate(rate_per_s)
