"""A process that runs leased seeds of a campaign on one machine, as its agent tells it over a pipe.

Messages are those of `loadgen.fleet.seed_messages`, framed as in `multiprocessing.connection`, over the socket whose
descriptor is the only argument. When the socket closes, the agent is gone, and the process ends.
"""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections import deque
from dataclasses import replace
from multiprocessing.connection import Connection

from loadgen.cli import campaigns, verification
from loadgen.cli.verification import Job, Run
from loadgen.errors import LoadgenError
from loadgen.events import Event, Progress
from loadgen.fleet import source_files
from loadgen.fleet.leases import Lease
from loadgen.fleet.seed_messages import (
    Answer,
    Finish,
    Finished,
    Known,
    Order,
    Prepare,
    Ready,
    Reported,
    Shorten,
    Shortened,
    Take,
    Unable,
)
from loadgen.fleet.study import digest
from loadgen.reason import Code, Reason
from loadgen.units import NS_PER_MS
from loadgen.verify.account import Findings, joined
from loadgen.verify.artifact import Artifact, Origin
from loadgen.verify.campaign import Batch, Campaign
from loadgen.verify.kinds import Opened
from loadgen.version import __version__

REPORT_EVERY_NS = 250 * NS_PER_MS
"""The time after which seeds that have ended are reported, though their lease has not ended."""


class _Under:
    """A lease, and how far it is."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.next = lease.first
        """The seed under way, or the next one."""
        self.reported = lease.first
        """The first seed that is not reported."""
        self.end = lease.end


class SeedProcess:
    """The seeds of one process, run one after the other. Raises EOFError when its agent is gone."""

    def __init__(self, pipe: Connection, prepare: Prepare) -> None:
        """Make the campaign's jobs. Raises LoadgenError."""
        source_files.check(prepare.files)
        planned = campaigns.planned_by(prepare.verb, prepare.words)
        self._pipe = pipe
        self._number = prepare.process
        self._digest = digest(campaigns.parts_of(planned))
        self._parts: list[tuple[Job, Run]] = [(job, run) for job in planned.jobs for run in job.runs]
        self._artifacts: list[Artifact] = []
        self._findings: list[Findings] = []
        """Of each seed that has ended and is not reported."""
        self._campaign = Campaign(
            planned.name,
            Origin(__version__, verification.commit()),
            0,
            emit=self._emit,
            clock_ns=time.monotonic_ns,
            replay=verification.replay_command,
            keep=self._keep,
            limits=replace(planned.limits, duration_ns=0),
        )
        self._leases: deque[_Under] = deque()
        self._is_running = False
        """True while the next seed of the first lease is under way."""
        self._finishes = False
        self._reported_ns = 0
        self._stack = contextlib.ExitStack()
        self._job: Job | None = None
        self._opened: Opened | None = None

    def work(self) -> None:
        """Carry out orders until the agent is gone. Raises LoadgenError where a subject is gone."""
        try:
            identity = self._open(self._parts[0][0]).identity
            self._say(Ready(self._number, self._digest, identity))
            self._reported_ns = time.monotonic_ns()
            while True:
                self._hear(waits=self._finishes or not self._leases)
                if self._leases and not self._finishes:
                    self._next_seed()
        except LoadgenError:
            if self._leases:
                self._report(self._leases[0])
            raise
        finally:
            self._stack.close()

    def _next_seed(self) -> None:
        """Run the next seed of the first lease, and report what has ended where it is time to."""
        under = self._leases[0]
        if under.next < under.end:
            batch = self._batch(under.lease.part)
            self._is_running = True
            self._campaign.seed(batch, under.next)
            self._is_running = False
            self._findings.append(self._campaign.account.taken())
            under.next += 1
        if self._finishes:
            self._finished()
            return
        ends = under.next >= under.end
        if ends or under.lease.careful or time.monotonic_ns() - self._reported_ns >= REPORT_EVERY_NS:
            self._report(under)
        if ends:
            self._leases.popleft()

    def _report(self, under: _Under) -> None:
        if under.reported == under.next:
            return
        findings, artifacts = joined([_plain(each) for each in self._findings]), tuple(self._artifacts)
        self._findings, self._artifacts = [], []
        identity = self._opened.identity if self._opened is not None else ""
        number, first = under.lease.number, under.reported
        self._say(Reported(self._number, number, first, under.next, findings, artifacts, identity))
        under.reported = under.next
        self._reported_ns = time.monotonic_ns()

    # ── Orders ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, *, waits: bool) -> None:
        """Take the orders that have come; with `waits`, at least one."""
        while waits or self._pipe.poll():
            order: Order = self._pipe.recv()
            waits = False
            match order:
                case Take(_, lease):
                    self._leases.append(_Under(lease))
                case Shorten(_, number, end):
                    self._shorten(number, end)
                case Known(kind, fingerprint):
                    self._campaign.account.known(kind, fingerprint)
                case Finish():
                    self._finish()
                case _:
                    raise RuntimeError(f"it was told {order!r}, and knows no such order")

    def _shorten(self, number: int, end: int) -> None:
        for place, under in enumerate(self._leases):
            if under.lease.number == number:
                begun = under.next + (place == 0 and self._is_running)
                under.end = min(under.end, max(end, begun))
                if place == 0 and not self._is_running and under.next >= under.end:
                    self._report(under)
                self._say(Shortened(self._number, number, under.end))
                return

    def _finish(self) -> None:
        """End after the seed under way: what has ended is reported at once, and the seed when it ends."""
        self._finishes = True
        self._campaign.hurry()
        if not self._is_running:
            self._finished()

    def _finished(self) -> None:
        if self._leases:
            self._report(self._leases[0])
        self._say(Finished(self._number))

    def _say(self, answer: Answer) -> None:
        try:
            self._pipe.send(answer)
        except OSError:
            raise EOFError from None

    # ── The campaign ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _batch(self, part: int) -> Batch:
        job, run = self._parts[part]
        opened = self._open(job)
        kinds = [kind for kind in opened.kinds if kind.name in run.kinds]
        return verification.batch(job, opened, kinds, run.seeds)

    def _open(self, job: Job) -> Opened:
        """Bring up the subjects of a job in place of those of another."""
        if self._job is job and self._opened is not None:
            return self._opened
        self._stack.close()
        self._opened = self._stack.enter_context(job.suite.opened(job.kinds, job.options, lambda event: None))
        self._job = job
        for words in self._opened.notes:
            self._campaign.account.note(Reason(Code.NOT_TESTED, words))
        return self._opened

    def _emit(self, event: Event) -> None:
        """Take an event of the campaign; while a failure is shrunk, it is heard whether the leader wants an end."""
        if isinstance(event, Progress):
            self._hear(waits=False)

    def _keep(self, artifact: Artifact) -> str:
        """Send an artifact with the next report: the leader writes it."""
        self._artifacts.append(artifact)
        return ""


def _plain(findings: Findings) -> Findings:
    """Return findings with plain dicts, which messages may have."""
    failures = (
        replace(each, outcome=replace(each.outcome, sometimes=dict(each.outcome.sometimes)))
        for each in findings.failures
    )
    return replace(findings, failures=tuple(failures))


def main() -> None:
    pipe = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, OSError):
        prepare = pipe.recv()
        try:
            SeedProcess(pipe, prepare).work()
        except LoadgenError as error:
            pipe.send(Unable(str(error)))
        except EOFError:
            raise
        except Exception as error:
            pipe.send(Unable(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))))
