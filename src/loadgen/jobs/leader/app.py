"""The leader of a user's own test: one process that makes queues, publishes and executes, followed by its ledger."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.events import Event
from loadgen.host import machine
from loadgen.jobs import ledger
from loadgen.jobs.leader import place
from loadgen.jobs.leader.process import Process
from loadgen.jobs.leader.test import damaged
from loadgen.jobs.load import checks
from loadgen.jobs.load.book import Book
from loadgen.jobs.load.ended import JobsBegan, JobsEnded, JobsProgress, Stage
from loadgen.jobs.load.evidence import Evidence
from loadgen.jobs.load.plan import JobsPlan
from loadgen.reason import Code, Reason
from loadgen.runner.stop import Stop
from loadgen.severity import Severity
from loadgen.units import NS_PER_S
from loadgen.version import __version__

TICK_S = 0.05
SAMPLE_S = 1.0
STOP_S = 5.0

MOST_LINES = 20
"""The last lines of what the program prints that are shown."""


@dataclass(slots=True)
class AppTest:
    """One run of a user's test, in the thread that calls `ended`. It catches no signal: `stop` ends it."""

    app: str
    """`module:function`."""
    plan: JobsPlan
    """Of which the name, the checks and the patience are used."""
    emit: Callable[[Event], None]
    stop: Stop
    storage: str = ""
    """The URL that is passed to the function; empty: the function has its own."""
    _is_given_up: bool = False
    """True when jobs made no progress for the plan's patience, and the program was killed."""

    def ended(self) -> JobsEnded:
        """Run the test, and return its end, which is emitted too.

        Raises UsageError for what is no function, and for what the function itself raises as one.
        """
        # Its queues may be of any storage; the program registers its functions with terms of its own.
        book = Book(fenced=True, max_attempts=sys.maxsize)
        self.emit(JobsBegan(self.plan, self.app, __version__))
        reasons: tuple[Reason, ...] = ()
        said: tuple[str, ...] = ()
        began_ns = time.monotonic_ns()
        with place.folder() as folder:
            path = folder / "ledger"
            tail = ledger.Tail(path)
            words = [sys.executable, "-m", "loadgen.jobs.leader.main_app", self.app, *filter(None, [self.storage])]
            log, output = folder / "said", folder / "printed"
            process = Process(self.app, words, {ledger.VARIABLE: str(path)}, log, printed=output)
            try:
                interrupted = self._follow(process, tail, book, began_ns)
                status = process.status()
                said = _lines(output)
                if not interrupted and not self._is_given_up and status != ExitCode.YES:
                    error = process.last_words() or f"exit status {status}"
                    if status == ExitCode.USAGE:
                        raise UsageError(error)
                    reasons = (Reason(Code.COULD_NOT_RUN, error.removesuffix("."), Severity.COULD_NOT_RUN),)
            finally:
                process.close()
            book.take(tail.news())
        account = book.account(time.monotonic_ns())
        reasons = (*reasons, *damaged(tail))
        if not interrupted and not reasons and not account.counts.attempted:
            nothing = f"{self.app} published no job by loadgen.jobs.Queue"
            reasons = (Reason(Code.NOTHING_JUDGED, nothing, Severity.UNKNOWN),)
        evidence = Evidence(plan=self.plan, account=account)
        judged = not interrupted and not reasons
        end = JobsEnded(
            self.plan,
            self.app,
            __version__,
            account,
            checks=checks.judged(evidence) if judged else (),
            said=said,
            reasons=reasons,
            host=machine.fingerprint(),
            interrupted=interrupted,
        )
        self.emit(end)
        return end

    def _follow(self, process: Process, tail: ledger.Tail, book: Book, began_ns: int) -> bool:
        """Follow the process to its end; return True when somebody ended it."""
        next_ns, last, progress_ns = began_ns + round(SAMPLE_S * NS_PER_S), 0, began_ns
        while process.status() is None:
            if book.take(tail.news()) or not book.waiting:
                progress_ns = time.monotonic_ns()
            if time.monotonic_ns() - progress_ns > self.plan.patience_ns:
                self._is_given_up = True
                process.kill()
                return False
            if self.stop.is_set:
                process.begin_stop()
                process.await_end(STOP_S)
                return True
            if (now_ns := time.monotonic_ns()) >= next_ns:
                elapsed_s = (now_ns - began_ns) / NS_PER_S
                rate = (book.ended - last) / SAMPLE_S
                stage = Stage.EXECUTING if book.waiting else Stage.PUBLISHING
                self.emit(JobsProgress(stage, book.acknowledged, book.ended, 0, rate, None, elapsed_s))
                next_ns, last = now_ns + round(SAMPLE_S * NS_PER_S), book.ended
            time.sleep(TICK_S)
        return False


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(printable(line, 500) for line in lines[-MOST_LINES:])
