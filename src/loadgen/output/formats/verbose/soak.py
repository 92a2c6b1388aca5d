"""`--format verbose` of a soak: a log line for each checkpoint and note, and at the end every answer."""

from __future__ import annotations

from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import checks, soak
from loadgen.severity import Severity
from loadgen.soak.ended import Noted, SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted


class Soak:
    def __init__(self, log: Log) -> None:
        self._log = log

    def began(self, event: SoakBegan) -> None:
        self._log.say(event.wall_s, soak.title(event))
        self._log.block(*hung([f"  {words}" for words in soak.header(event)]))

    def baseline(self, event: SoakBaseline) -> None:
        for line in soak.baseline(event):
            self._log.say(event.wall_s, line)

    def checkpoint(self, event: SoakCheckpoint) -> None:
        self._log.say(event.wall_s, soak.checkpoint(event.asked, event.checkpoint))
        if left := soak.eta(event):
            self._log.say(event.wall_s, left)

    def note(self, event: SoakNoted) -> None:
        level = "WARN" if event.kind in (Noted.BREACH, Noted.WARN, Noted.GAP, Noted.RESTART) else "INFO"
        self._log.say(event.wall_s, soak.note(event), level=level)

    def ended(self, event: SoakEnded) -> None:
        level = "INFO" if event.severity is Severity.GOOD else "WARN"
        self._log.say(event.wall_s, soak.complete(event))
        self._log.say(event.wall_s, f"{soak.verdict(event)} soak: {soak.summary(event)}", level=level)
        self._log.block(
            *hung([f"  reason: {words}" for words in soak.why(event)]),
            *hung([f"  band: {words}" for words in soak.growths(event)]),
            *hung([f"  {soak.row_answer(row)}: {row.name}: {soak.found(row)}" for row in event.verdict.rows]),
            *hung([f"  check: {checks.line(each)}" for each in event.verdict.checked]),
            *hung([f"  note: {words}" for words in soak.notes(event)]),
            *hung([f"  run folder: {soak.folder(event)}"]),
        )
