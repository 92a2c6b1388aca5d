"""`--format verbose` of a stress test: the log of each load, then a line for it; the answer at the end."""

from __future__ import annotations

from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import figures, stress
from loadgen.severity import Severity
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded


class Stress:
    """A log of the loads."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def began(self, event: StressBegan) -> None:
        self._log.say(event.wall_s, stress.title(event))
        self._log.block(*hung([f"  options: {stress.options(event)}"]))

    def row(self, event: Stressed) -> None:
        *cells, _ = stress.cells(event)
        named = zip(stress.HEADINGS[3:-1], cells[3:], strict=True)
        figured = ", ".join(f"{heading} {figures.word(cell)}" for heading, cell in named)
        level = "INFO" if event.severity is Severity.GOOD else "WARN"
        self._log.say(event.wall_s, f"{stress.answer(event)} {stress.name(event)}: {figured}", level=level)
        self._log.block(
            *hung([f"  reason: {words}" for words in stress.reasons(event)]),
            *hung([f"  replay: {stress.replay(event)}"]),
        )

    def ended(self, event: StressEnded) -> None:
        level = "INFO" if event.severity is Severity.GOOD else "WARN"
        self._log.say(event.wall_s, f"{stress.verdict(event)} stress: {stress.summary(event)}", level=level)
        self._log.block(
            *hung([f"  reason: {words}" for words in stress.why(event)]),
            *hung([f"  note: {note}" for note in stress.notes(event)]),
        )
