"""`--format verbose` of a history that was checked: a line for each violation, its operations, and the answer."""

from __future__ import annotations

from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import histories
from loadgen.severity import Severity
from loadgen.verify.checked import HistoryChecked


class Check:
    """A log of what was found."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def ended(self, event: HistoryChecked) -> None:
        for violation in event.answer.violations:
            words = f"{histories.title(violation)}: {histories.sentence(violation)}"
            self._log.say(event.wall_s, words, level="WARN")
            for process, bar, words, accused in histories.window(violation):
                self._log.block(f"  {'✗' if accused else ' '} {process:>4}  {bar} {words}")
        level = "INFO" if event.severity is Severity.GOOD else "WARN"
        self._log.say(event.wall_s, f"{histories.verdict(event)} {histories.summary(event)}", level=level)
        said = [
            *(f"  kind: {words}" for words in histories.kinds(event)),
            *(f"  reason: {words}" for words in histories.why(event)),
            f"  counts: {histories.counts(event)}",
            *[f"  history: {origin}" for origin in [histories.origin(event)] if origin],
            *(f"  note: {note}" for note in histories.notes(event)),
        ]
        self._log.block(*hung(said))
