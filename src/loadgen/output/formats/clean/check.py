"""`--format clean` of a history that was checked: the answer, and each violation with its operations by process."""

from __future__ import annotations

from collections.abc import Iterator

from loadgen.output.paper.layout import fact, indented, rule, wrapped
from loadgen.output.paper.page import Page
from loadgen.output.words import checks, histories
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Violation


class Check:
    """Violations first, the answer last."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint

    def ended(self, event: HistoryChecked) -> None:
        for violation in event.answer.violations:
            self._page.print(*self._violation(violation), "")
        verdict = f"{histories.verdict(event)}  "
        answer = indented(histories.summary(event), len(verdict), verdict)
        self._page.print(
            rule(),
            *(self._paint(line, checks.style(event.severity)) for line in answer),
            *(line for words in [*histories.kinds(event), *histories.why(event)] for line in indented(words, 2)),
            *fact("counts", histories.counts(event)),
            *fact("history", histories.origin(event)),
            *fact("not shown", histories.more(event)),
            *(line for note in histories.notes(event) for line in fact("note", note)),
        )

    def _violation(self, violation: Violation) -> Iterator[str]:
        for line in wrapped(f"✗ {histories.title(violation)}"):
            yield self._paint(line, "bold red")
        yield from indented(histories.sentence(violation), 2)
        rows = histories.window(violation)
        names = max((len(process) for process, *_ in rows), default=0)
        for process, bar, words, accused in rows:
            label = f"  {'✗' if accused else ' '} {process:>{names}}  {bar} "
            for line in indented(words, len(label), label):
                yield self._paint(line, "red") if accused else line
