"""A kind whose every case is run twice: the same tape must give the same run, event for event and byte for byte."""

from __future__ import annotations

from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.tape import Tape, divergence

INVARIANT = "the same tape gives the same run"


class Twice:
    """Another kind, each of whose cases is run once more, from the draws of the first run."""

    def __init__(self, kind: Kind) -> None:
        self.name = kind.name
        self._kind = kind

    def run(self, tape: Tape) -> Outcome:
        outcome = self._kind.run(tape)
        again_tape = tape.again()
        again = self._kind.run(again_tape)
        if (outcome.trace, outcome.verdict, outcome.message) == (again.trace, again.verdict, again.message):
            return outcome
        where = divergence(tape.recording(), again_tape.recording()) or "after the same draws"
        message = f'trace "{outcome.trace}", then "{again.trace}", {where}'
        return Outcome(Verdict.FAIL, INVARIANT, message, trace=outcome.trace, sometimes=outcome.sometimes)
