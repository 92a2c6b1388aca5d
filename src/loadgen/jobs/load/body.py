"""The job body of a load test: it does its work, and writes the begin and the end of each execution to the ledger.

The same body runs in our workers and in those of other libraries, which call `execute` or `execute_async` with the
payload. A worker says that it is ready by `say_ready`, before it takes its first job.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time

from loadgen.jobs.ledger import Entry, Ledger, What, named
from loadgen.jobs.load.work import Act, Work

WORKER = "LOADGEN_JOBS_WORKER"
"""The variable of the environment that has the worker's name: its number, from 1."""


class Failed(Exception):
    """The failure that a job was asked for."""


def execute(data: dict[str, object], attempt: int = 0) -> object:
    """Do the work of a job in this thread. `attempt` is 0 where it is not known. Raises Failed where it is to fail."""
    work, execution = _begun(data, attempt)
    if work.act is Act.HANG:
        while True:
            time.sleep(60.0)
    if work.busy:
        _burn(work.work_ns)
    elif work.work_ns:
        time.sleep(work.work_ns / 1e9)
    return execution.ended()


async def execute_async(
    data: dict[str, object], attempt: int = 0, fence: int = 0, worker: str = "", job: str = ""
) -> object:
    """Do the work of a job in a task. Raises Failed where the job is to fail.

    `attempt` and `fence` are 0 where the queue does not tell them. `job` is the id for the ledger; without it, the work
    has one.
    """
    work, execution = _begun(data, attempt, fence, worker, job)
    try:
        if work.act is Act.HANG:
            await asyncio.Event().wait()
        if work.busy:
            _burn(work.work_ns)
        elif work.work_ns:
            await asyncio.sleep(work.work_ns / 1e9)
    except asyncio.CancelledError:
        execution.cancelled()
        raise
    return execution.ended()


class _Execution:
    """One execution, with what the ledger says of it."""

    def __init__(self, work: Work, attempt: int, fence: int, worker: str, job: str) -> None:
        self._work = work
        self._job = job or work.n
        self._worker = worker or os.environ.get(WORKER, "")
        self._attempt = attempt
        self._fence = fence
        self._write(What.BEGIN)

    def ended(self) -> object:
        """Fail as the work asks for, or note the end and return the job's value."""
        if self._work.act is Act.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        execution = str(self._attempt or time.monotonic_ns())
        if self._work.act is Act.RAISE or self._work.fails(execution):
            self._write(What.RAISED, "asked to fail")
            raise Failed(f"job {self._work.n} was asked to fail")
        self._write(What.END)
        return object() if self._work.act is Act.UNSTORABLE else self._work.n

    def cancelled(self) -> None:
        """Note that the execution was cancelled, as after its timeout."""
        self._write(What.RAISED, "cancelled")

    def _write(self, what: What, words: str = "") -> None:
        _ledger().write(
            Entry(
                what,
                job=self._job,
                t_ns=time.monotonic_ns(),
                worker=self._worker,
                pid=os.getpid(),
                attempt=self._attempt,
                fence=self._fence,
                words=words,
            )
        )


def _begun(
    data: dict[str, object], attempt: int = 0, fence: int = 0, worker: str = "", job: str = ""
) -> tuple[Work, _Execution]:
    work = Work.of(data)
    return work, _Execution(work, attempt, fence, worker, job)


def _burn(length_ns: int) -> None:
    """Use CPU time of this thread."""
    until_ns = time.thread_time_ns() + length_ns
    while time.thread_time_ns() < until_ns:
        pass


_open: list[tuple[int, Ledger]] = []
"""The ledger, and the process that opened it: workers may fork after the import."""


def _ledger() -> Ledger:
    if not _open or _open[-1][0] != os.getpid():
        _open.append((os.getpid(), named()))
    return _open[-1][1]


def say_ready() -> None:
    """Note in the ledger that this process is about to take jobs."""
    _ledger().write(Entry(What.READY, t_ns=time.monotonic_ns(), worker=os.environ.get(WORKER, ""), pid=os.getpid()))
