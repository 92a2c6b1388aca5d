"""The kinds of the queues: the shipping `loadgen.jobs` on a stream, on lists and on SQLite, under load and faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from loadgen.jobs.worker import LOG
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds.simulated.jobs_case import Case
from loadgen.verify.kinds.simulated.jobs_plan import Profile
from loadgen.verify.scenario.run import Ran, policy_aside, ran, waits
from loadgen.verify.scenario.settings import Settings
from loadgen.verify.tape import Tape

FILE = "jobs.db"
MOST_CALLBACKS = 1_000_000
"""Some ten times as many as a case has: a worker that spins is found."""


class JobsKind:
    """Cases of a profile, of so many jobs at most."""

    def __init__(self, profile: Profile, operations: int) -> None:
        self.name = profile.name
        self._profile = profile
        self._operations = operations

    def run(self, tape: Tape) -> Outcome:
        case, found = self._ran(tape)
        finding = found.finding
        return Outcome(
            Verdict.PASS if finding is None else Verdict.FAIL,
            "" if finding is None else finding.invariant,
            "" if finding is None else finding.message,
            operations=() if finding is None else (*waits(found.window_ns), *case.lines(), *finding.detail),
            faults=found.faults,
            trace=found.trace,
            virtual_ns=found.simulated_ns,
            sometimes=found.states,
        )

    def events(self, tape: Tape) -> list[str]:
        """Run the case of a tape; return its plan and its ledger."""
        return [*self._ran(tape)[0].lines()]

    def _ran(self, tape: Tape) -> tuple[Case, Ran]:
        # The folder's name is drawn outside of the world.
        with TemporaryDirectory(prefix="lg-jobs-") as folder, _quiet():
            case = Case(self._profile, self._operations, str(Path(folder) / FILE))
            settings = Settings((), until_s=7200, most_callbacks=MOST_CALLBACKS)
            return case, ran(case.scenario, tape, settings, order=policy_aside)


@contextmanager
def _quiet() -> Iterator[None]:
    """Have workers write no log lines: the ledger has it all."""
    was, LOG.disabled = LOG.disabled, True
    try:
        yield
    finally:
        LOG.disabled = was
