"""A kind whose every case is run twice: the same tape must give the same run, event for event and byte for byte."""

from __future__ import annotations

from typing import Protocol

from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.tape import Tape, divergence

INVARIANT = "the same tape gives the same run"


class Logged(Kind, Protocol):
    """A kind that can tell the events of a run."""

    def events(self, tape: Tape) -> list[str]:
        """Run the case of a tape; return its events as text, each with the hash of all before it."""


class Twice:
    """Another kind, each of whose cases is run once more, from the draws of the first run."""

    def __init__(self, kind: Logged) -> None:
        self.name = kind.name
        self._kind = kind

    def run(self, tape: Tape) -> Outcome:
        outcome = self._kind.run(tape)
        again_tape = tape.again()
        again = self._kind.run(again_tape)
        if (outcome.trace, outcome.verdict, outcome.message) == (again.trace, again.verdict, again.message):
            return outcome
        where = divergence(tape.recording(), again_tape.recording()) or "after the same draws"
        message = f'not deterministic: trace "{outcome.trace}", then "{again.trace}", {where}; {self._event(tape)}'
        return Outcome(
            Verdict.FAIL,
            INVARIANT,
            message,
            trace=outcome.trace,
            sometimes=outcome.sometimes,
            fingerprint=f"{self.name}: not deterministic",
        )

    def _event(self, tape: Tape) -> str:
        """Run the case twice more, and return the first event that differs, in words."""
        first, second = self._kind.events(tape.again()), self._kind.events(tape.again())
        for number, (one, other) in enumerate(zip(first, second, strict=False), 1):
            if one != other:
                return f"in two further runs event {number} differs: {one}, then {other}"
        if len(first) != len(second):
            return f"of two further runs one has {len(first)} events and the other {len(second)}, the first ones alike"
        return f"two further runs have the same {len(first)} events: what differs comes from outside, and seldom"
