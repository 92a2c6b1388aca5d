"""`--format verbose` of smoke tests: a line for each, and below it reasons, the load's figures and every criterion."""

from __future__ import annotations

from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import smoke
from loadgen.smoke.ended import SmokeEnded


class Smoke:
    """A log of the tests."""

    def __init__(self, log: Log, explained: set[str]) -> None:
        self._log = log
        self._explained = explained

    def ended(self, event: SmokeEnded) -> None:
        verdict = f"{smoke.verdict(event)} {smoke.server(event)}"
        self._log.say(event.wall_s, verdict, level="INFO" if event.passed else "WARN")
        marks = [note for note in smoke.marks(event) if note[0] not in self._explained]
        self._log.block(*hung([*_smoke(event), *(f"  note: {note}" for note in marks)]))
        self._explained |= {note[0] for note in marks}


def _smoke(event: SmokeEnded) -> list[str]:
    """Return the lines below the answer: reasons, the load's figures, every criterion, the end of the log."""
    measured = ", ".join(smoke.measured(event))
    limits = (f" ({check.limit})" if check.limit else "" for check in event.checks)
    return [
        *(f"  reason: {reason}" for reason in smoke.reasons(event)),
        *([f"  load: {measured}"] if measured else []),
        *(
            f"  {check.name}: {smoke.answer(check)}, {smoke.found(check)}{limit}"
            for check, limit in zip(event.checks, limits, strict=True)
        ),
        *(f"  log: {words}" for words in smoke.log_tail(event)),
    ]
