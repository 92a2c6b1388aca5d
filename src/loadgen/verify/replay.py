"""A replay: the case of an artifact run again, and where it left the recorded run. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.escape import printable
from loadgen.verify.artifact import Artifact
from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.tape import Recording, Tape, divergence, reread

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay."""

    outcome: Outcome
    divergence: str
    """The first draw, else the first operation or fault, that is not as recorded, in a sentence; empty for none."""
    remark: str
    """Why this is not the recorded failure, in a sentence; empty when it is."""


def replayed(artifact: Artifact, kind: Kind, *, whole: bool = False) -> Replayed:
    """Run the shrunk case of an artifact, or with `whole` the seed's own, whose tape it has.

    Raises LoadgenError as `Kind.run` does.
    """
    recorded = artifact.tape if whole and artifact.tape is not None else artifact.shrunk
    tape = Tape.repeating(recorded.draws)
    outcome = kind.run(tape)
    # The artifact has what the shrunk case did, and of the whole case its draws only.
    known = not whole or artifact.tape == artifact.shrunk
    where = divergence(recorded, tape.recording()) or (_step(artifact, outcome) if known else "")
    return Replayed(outcome, where, _remark(artifact, outcome, where))


def kept(artifact: Artifact, kind: Kind, renewal: str) -> Replayed:
    """Run the shrunk case of a seed bank, which is to pass. Raises LoadgenError as `Kind.run` does.

    A case that passes because this version reads its tape as another case is stale, and not judged; `renewal` says what
    is to be done then. A failure is one, whatever the tape now means.
    """
    tape = Tape.repeating(artifact.shrunk.draws)
    outcome = kind.run(tape)
    where = _stale(artifact, tape.recording(), outcome)
    if where and outcome.verdict is Verdict.PASS:
        outcome = Outcome(Verdict.UNTOLD, message=f"stale: {where}; {renewal}", operations=outcome.operations)
    return Replayed(outcome, where, "")


def _stale(artifact: Artifact, now: Recording, outcome: Outcome) -> str:
    """Return the first draw, else the first operation, that this version reads as another; empty for none.

    Replies are not looked at: those of a mended server are others.
    """
    if where := reread(artifact.shrunk, now):
        return where
    for number, steps in enumerate(zip(artifact.operations, outcome.operations, strict=False), 1):
        then, again = (printable(step.partition(" → ")[0], _LONGEST) for step in steps)
        if then != again:
            return f"at operation {number} of {len(artifact.operations)}: {then} when recorded, {again} now"
    return ""


def _step(artifact: Artifact, outcome: Outcome) -> str:
    """Return the first fault or operation that is not as recorded."""
    for noun, before, now in (
        ("fault", artifact.faults, outcome.faults),
        ("operation", artifact.operations, outcome.operations),
    ):
        for number in range(max(len(before), len(now))):
            then, again = (_words(steps, number) for steps in (before, now))
            if then != again:
                return f"at {noun} {number + 1} of {len(before)}: {then} when recorded, {again} now"
    if artifact.trace and outcome.trace != artifact.trace:
        return f"after all draws and operations: the trace is {outcome.trace or 'empty'}, and was {artifact.trace}"
    return ""


def _words(steps: tuple[str, ...], number: int) -> str:
    return printable(steps[number], _LONGEST) if number < len(steps) else "the end"


def _remark(artifact: Artifact, outcome: Outcome, where: str) -> str:
    if outcome.failed and outcome.fingerprint == artifact.fingerprint:
        return ""
    said = "failed in another way than when it was recorded" if outcome.failed else f"did not fail ({outcome.verdict})"
    recorded = f"; it was recorded as {printable(artifact.fingerprint, _LONGEST)}"
    return f"the case {said}{recorded}{f'; it diverged {where}' if where else ''}"
