"""A campaign: every seed with every kind, failures told apart, shrunk and kept.

It is told the time, and does no I/O but through what it is given: kinds, `emit`, and `keep`, which writes artifacts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from loadgen.errors import LoadgenError, OutputError
from loadgen.events import Event, Progress
from loadgen.reason import Code, Reason
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.account import Account
from loadgen.verify.artifact import Artifact, Origin, hash_of
from loadgen.verify.case import Kind, Outcome, Verdict
from loadgen.verify.ended import CampaignEnded, CaseEnded, FailureFound
from loadgen.verify.replay import Replayed
from loadgen.verify.shrink import shrink
from loadgen.verify.tape import Draw, Recording, Tape

PROGRESS_EVERY_NS = 100 * NS_PER_MS

SHRINK = "shrink"
"""The phase of progress events while a failure is shrunk."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some kinds, with their subjects up, and the seeds to run each with."""

    suite: str
    kinds: Sequence[Kind]
    seeds: Sequence[int]
    options: Mapping[str, str] = field(default_factory=dict)
    """What each case depends on beside its seed."""
    identity: str = ""
    """Name and version of the subjects in their own words."""
    spec_hash: str = ""
    """A hash of the spec file; empty without one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a campaign."""

    duration_ns: int = 0
    """The longest time in which cases are begun, that of shrinking included; 0: as long as there are seeds."""
    shrink_runs: int = 1000
    """The most runs to shrink one failure."""
    shrink_ns: int = 30 * NS_PER_S
    """The longest time to shrink one failure."""
    judges_states: bool = False
    """True when the campaign fails for a state of `Outcome.sometimes` that no case reached."""


LIMITS = Limits()


class Campaign:
    """A campaign of one batch after the other, and its account."""

    def __init__(
        self,
        suite: str,
        origin: Origin,
        seeds: int,
        *,
        emit: Callable[[Event], None],
        clock_ns: Callable[[], int],
        replay: Callable[[Batch, str, int], str],
        keep: Callable[[Artifact], str] | None = None,
        limits: Limits = LIMITS,
        host: str = "",
        interruptible: AbstractContextManager[object] | None = None,
    ) -> None:
        """`seeds` is the sum of the batches' seeds. `replay` returns the command that runs a kind with a seed
        again, and `keep` writes an artifact and returns its path; it may raise OutputError. Each case is run inside
        `interruptible`, where KeyboardInterrupt may be raised."""
        self.account = Account(suite)
        self._origin = origin
        self._seeds = seeds
        self._emit = emit
        self._clock_ns = clock_ns
        self._replay = replay
        self._keep = keep
        self._limits = limits
        self._host = host
        self._interruptible = nullcontext() if interruptible is None else interruptible
        self._began_ns = clock_ns()
        self._told_ns = self._began_ns
        self._seeds_done = 0
        self._earlier: list[Sequence[int]] = []
        """The seeds of the batches that have ended."""
        self._seeds_again = 0
        """Of the seeds done, those that an earlier batch had too."""
        self._hurries = False

    def run(self, batch: Batch) -> bool:
        """Run the cases of a batch. False when it was not run to its end: it was interrupted, or a subject is gone.

        The case that is interrupted is not counted; a failure that was being shrunk is kept as far as it is.
        """
        self.account.identity(batch.identity)
        try:
            for seed in batch.seeds:
                if self._is_over():
                    return True
                self.seed(batch, seed)
                self._seeds_done += 1
                self._seeds_again += any(seed in seeds for seeds in self._earlier)
                self._seed_ended(batch.suite)
        except KeyboardInterrupt:
            self.account.interrupted = True
            return False
        except OutputError:
            raise
        except LoadgenError as error:
            self.could_not_run(str(error))
            return False
        self._earlier.append(batch.seeds)
        return True

    def seed(self, batch: Batch, seed: int) -> None:
        """Run the cases of one seed. Raises KeyboardInterrupt where the campaign is interruptible, and LoadgenError."""
        for kind in batch.kinds:
            self._case(batch, kind, seed)

    def hurry(self) -> None:
        """Shrink no failure any further."""
        self._hurries = True

    def replay(
        self, batch: Batch, artifact: Artifact, path: str, replayed: Callable[[], Replayed], *, whole: bool = False
    ) -> None:
        """Run one recorded case as `replayed` does, and note where it left the recorded run. Nothing is shrunk.

        With `whole`, that is the seed's own case.
        """
        if self._recorded(batch, artifact, path, replayed, "" if whole else path):
            self._seeds_done += 1

    def shrunk(self, batch: Batch, artifact: Artifact, path: str, replayed: Callable[[], Replayed], again: str) -> bool:
        """Run the shrunk case of a seed as `replayed` does; `again` is the command that does. False as of `run`."""
        return self._recorded(batch, artifact, path, replayed, path, again)

    def _recorded(
        self,
        batch: Batch,
        artifact: Artifact,
        path: str,
        replayed: Callable[[], Replayed],
        shrunk: str,
        again: str = "",
    ) -> bool:
        self.account.identity(batch.identity)
        began_ns = self._clock_ns()
        try:
            with self._interruptible:
                found = replayed()
        except KeyboardInterrupt:
            self.account.interrupted = True
            return False
        except OutputError:
            raise
        except LoadgenError as error:
            self.could_not_run(str(error))
            return False
        outcome = found.outcome
        ended = replace(self._ended(batch, artifact.kind, artifact.seed, outcome, began_ns), shrunk=shrunk)
        if outcome.failed and again:
            ended = replace(ended, replay=again)
        self._count(ended, outcome)
        if outcome.failed and not self.account.knows(artifact.kind, outcome.fingerprint):
            self._found(_failure(batch, ended, outcome, outcome, path, divergence=found.divergence))
        if found.remark:
            self.account.note(Reason(Code.REPLAY_DIFFERS, found.remark))
        return True

    @property
    def interrupted(self) -> bool:
        return self.account.interrupted

    def could_not_run(self, words: str) -> None:
        """Note why the rest of the campaign cannot be run."""
        self.account.could_not_run(words)

    def note(self, words: str) -> None:
        """Note a remark on what the cases show, once."""
        self.account.note(Reason(Code.NOT_TESTED, words))

    def interrupt(self) -> None:
        """Note that the campaign was interrupted between batches."""
        self.account.interrupted = True

    def ended(self) -> CampaignEnded:
        """Return the end of the campaign, as far as it came."""
        return self.account.ended(
            self._origin.version,
            self._host,
            seeds=self._seeds_done - self._seeds_again,
            took_ns=self._clock_ns() - self._began_ns,
            judges_states=self._limits.judges_states,
        )

    # ── One case ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _case(self, batch: Batch, kind: Kind, seed: int) -> None:
        tape, began_ns = Tape.seeded(kind.name, seed), self._clock_ns()
        with self._interruptible:
            outcome = kind.run(tape)
        ended = self._ended(batch, kind.name, seed, outcome, began_ns)
        self._count(ended, outcome)
        if outcome.failed and not self.account.knows(kind.name, outcome.fingerprint):
            self._new_failure(batch, kind, ended, tape.recording(), outcome)

    def _ended(self, batch: Batch, kind: str, seed: int, outcome: Outcome, began_ns: int) -> CaseEnded:
        return CaseEnded(
            kind,
            seed,
            outcome.verdict,
            self._clock_ns() - began_ns,
            error=_error(outcome),
            fingerprint=outcome.fingerprint,
            trace=outcome.trace,
            operations=len(outcome.operations),
            replay=self._replay(batch, kind, seed) if outcome.failed else "",
            survival=outcome.survival,
        )

    def _count(self, ended: CaseEnded, outcome: Outcome) -> None:
        self.account.case(ended, outcome.sometimes, outcome.virtual_ns)
        self._emit(ended)

    def _new_failure(self, batch: Batch, kind: Kind, ended: CaseEnded, drawn: Recording, outcome: Outcome) -> None:
        """Shrink and keep a failure that no earlier case had."""
        found = _Smallest(kind, outcome, drawn)
        try:
            self._shrink(found)
        finally:
            # Also when an interrupt ends the shrinking: what there is, is kept.
            path = self._kept(batch, found, ended, drawn)
            self._found(_failure(batch, ended, found.outcome, outcome, path, reproduced=found.reproduced))

    def _found(self, failure: FailureFound) -> None:
        self.account.found(failure)
        self._emit(failure)

    def _shrink(self, found: _Smallest) -> None:
        began_ns = self._clock_ns()
        until_ns = began_ns + self._limits.shrink_ns

        def run(draws: Sequence[Draw]) -> tuple[Recording, bool]:
            self._progress(SHRINK, found.runs, self._limits.shrink_runs, "runs", began_ns)
            with self._interruptible:
                return found.run(draws)

        _, found.reproduced = run(found.recording.draws)
        if not found.reproduced:
            return
        smaller = shrink(
            found.recording, run, lambda: self._hurries or self._clock_ns() >= until_ns, self._limits.shrink_runs
        )
        for recording in smaller:
            found.take(recording)

    def _kept(self, batch: Batch, found: _Smallest, ended: CaseEnded, drawn: Recording) -> str:
        """Write the artifact; return its path, or empty where it could not be written, with a note."""
        if self._keep is None:
            return ""
        outcome = found.outcome
        artifact = Artifact(
            origin=replace(self._origin, config_hash=hash_of(batch.suite, batch.options), spec_hash=batch.spec_hash),
            suite=batch.suite,
            kind=ended.kind,
            seed=ended.seed,
            options=batch.options,
            server=batch.identity,
            invariant=outcome.invariant,
            message=outcome.message,
            fingerprint=outcome.fingerprint,
            operations=outcome.operations,
            faults=outcome.faults,
            trace=outcome.trace,
            reproduced=found.reproduced,
            tape=drawn,
            shrunk=found.recording,
        )
        try:
            return self._keep(artifact)
        except OutputError as error:
            self.account.note(Reason(Code.NO_ARTIFACT, str(error)))
            return ""

    def _is_over(self) -> bool:
        """Return True when no more cases are begun, as the time is over."""
        duration_ns = self._limits.duration_ns
        return bool(duration_ns) and self._clock_ns() - self._began_ns >= duration_ns

    def _seed_ended(self, suite: str) -> None:
        if duration_ns := self._limits.duration_ns:
            self._progress(suite, min(self._clock_ns() - self._began_ns, duration_ns), duration_ns, "", self._began_ns)
        else:
            self._progress(suite, self._seeds_done, self._seeds, "seeds", self._began_ns)

    def _progress(self, phase: str, done: int, total: int, unit: str, began_ns: int) -> None:
        now_ns = self._clock_ns()
        if now_ns - self._told_ns >= PROGRESS_EVERY_NS:
            self._told_ns = now_ns
            self._emit(Progress(phase, done, total, now_ns - began_ns, unit=unit))


class _Smallest:
    """The smallest case of one failure that is known, and the runs that look for a smaller one."""

    def __init__(self, kind: Kind, outcome: Outcome, recording: Recording) -> None:
        self.outcome = outcome
        self.recording = recording
        self.reproduced = False
        self.runs = 0
        self._kind = kind
        self._fingerprint = outcome.fingerprint
        self._outcomes: dict[tuple[Draw, ...], Outcome] = {}

    def run(self, draws: Sequence[Draw]) -> tuple[Recording, bool]:
        """Run the case of some draws; return what it drew, and True when it failed in the same way."""
        self.runs += 1
        tape = Tape.repeating(draws)
        outcome = self._kind.run(tape)
        recording = tape.recording()
        if fails := outcome.failed and outcome.fingerprint == self._fingerprint:
            self._outcomes[recording.draws] = outcome
        return recording, fails

    def take(self, recording: Recording) -> None:
        """Take what a run drew as the smallest case."""
        self.recording, self.outcome = recording, self._outcomes[recording.draws]
        self._outcomes.clear()


def _failure(
    batch: Batch,
    ended: CaseEnded,
    smallest: Outcome,
    drawn: Outcome,
    artifact: str,
    *,
    reproduced: bool = True,
    divergence: str = "",
) -> FailureFound:
    return FailureFound(
        suite=batch.suite,
        kind=ended.kind,
        seed=ended.seed,
        outcome=smallest,
        drawn_operations=len(drawn.operations),
        drawn_faults=len(drawn.faults),
        took_ns=ended.took_ns,
        replay=ended.replay,
        reproduced=reproduced,
        artifact=artifact,
        divergence=divergence,
    )


def _error(outcome: Outcome) -> str:
    return ": ".join(filter(None, [outcome.invariant, outcome.message])) if outcome.verdict is not Verdict.PASS else ""
