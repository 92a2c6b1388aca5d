"""The proof that a mutant is found: the first seed that fails, its case shrunk, and the shrunk case run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadgen.verify.case import Kind, Outcome
from loadgen.verify.shrink import shrink
from loadgen.verify.tape import OPERATION, Draw, Recording, Tape

REPLAYS = 20
SHRINK_RUNS = 1000

IsOver = Callable[[], bool]


def unlimited() -> IsOver:
    """Return a budget of time that is never spent."""
    return lambda: False


@dataclass(frozen=True, slots=True)
class Proof:
    """What a search for a mutant came to."""

    mutant: str
    seeds: int
    """The seeds that were run, the one that failed included; all of them where none did."""
    found: Outcome | None
    """The outcome of the shrunk case; None where no seed failed."""
    drawn: Outcome | None = None
    """That of the seed's own case."""
    tape: Recording | None = None
    """What the shrunk case drew."""
    replays: int = 0
    """Of the runs of the shrunk case, those that failed in the same way with the same trace."""

    @property
    def operations(self) -> int:
        """The operations that the shrunk case asks for."""
        return 0 if self.tape is None else operations_of(self.tape)

    @property
    def faults(self) -> int:
        """The faults of the shrunk case."""
        return 0 if self.found is None else len(self.found.faults)


def operations_of(tape: Recording) -> int:
    """Return how many operations a simulated case asks for: its parts of that name, or the requests of a load."""
    requests = sum(1 + draw.value for draw in tape.draws if draw.site == "operations")
    return requests + sum(span.name == OPERATION for span in tape.spans)


def search(
    mutant: str,
    kind: Kind,
    seeds: Sequence[int],
    *,
    replays: int = REPLAYS,
    runs: int = SHRINK_RUNS,
    budget: Callable[[], IsOver] = unlimited,
) -> Proof:
    """Run a kind from one seed after the other, with the mutant already planted, up to the first failure.

    `budget()` is called when the shrinking begins, and returns what tells when its time is over.
    """
    for count, seed in enumerate(seeds, 1):
        tape = Tape.seeded(kind.name, seed)
        drawn = kind.run(tape)
        if drawn.failed:
            smallest = _shrunk(kind, drawn, tape.recording(), runs, budget())
            return Proof(mutant, count, smallest[0], drawn, smallest[1], _replayed(kind, *smallest, replays))
    return Proof(mutant, len(seeds), None)


def _shrunk(kind: Kind, drawn: Outcome, recording: Recording, runs: int, is_over: IsOver) -> tuple[Outcome, Recording]:
    outcomes: dict[tuple[Draw, ...], Outcome] = {}

    def run(draws: Sequence[Draw]) -> tuple[Recording, bool]:
        tape = Tape.repeating(draws)
        outcome = kind.run(tape)
        found = tape.recording()
        if fails := outcome.fingerprint == drawn.fingerprint:
            outcomes[found.draws] = outcome
        return found, fails

    smallest, outcome = recording, drawn
    for each in shrink(recording, run, is_over, runs):
        smallest, outcome = each, outcomes[each.draws]
        outcomes.clear()
    return outcome, smallest


def _replayed(kind: Kind, outcome: Outcome, recording: Recording, replays: int) -> int:
    again = [kind.run(Tape.repeating(recording.draws)) for _ in range(replays)]
    return sum((each.fingerprint, each.trace) == (outcome.fingerprint, outcome.trace) for each in again)
