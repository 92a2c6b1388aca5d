"""A kind whose failures name what was broken in the words of a spec file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loadgen.verify.case import Kind, Outcome
from loadgen.verify.tape import Tape


class Described:
    """Another kind, with the words that `described` makes of each invariant that it names."""

    def __init__(self, kind: Kind, described: Callable[[str], str]) -> None:
        self.name = kind.name
        self._kind = kind
        self._described = described

    def run(self, tape: Tape) -> Outcome:
        outcome = self._kind.run(tape)
        return replace(outcome, invariant=self._described(outcome.invariant)) if outcome.failed else outcome
