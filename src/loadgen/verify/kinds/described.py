"""A kind whose failures name the invariant in the words of a spec file."""

from __future__ import annotations

from dataclasses import replace

from loadgen.verify.case import Kind, Outcome
from loadgen.verify.tape import Tape


class Described:
    """Another kind, with the invariant's description in place of its own."""

    def __init__(self, kind: Kind, invariant: str) -> None:
        self.name = kind.name
        self._kind = kind
        self._invariant = invariant

    def run(self, tape: Tape) -> Outcome:
        outcome = self._kind.run(tape)
        return replace(outcome, invariant=self._invariant) if outcome.failed else outcome
