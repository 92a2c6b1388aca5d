"""The ends of the tests of jobs of one command, until all of them have ended: what is one document is written once."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.jobs.load.ended import Axis, JobsCompared, JobsEnded


class JobsEnds:
    """Passes all tests to `write` when a JobsCompared comes, or at the close: a single test has none after it."""

    def __init__(self, write: Callable[[JobsCompared], None]) -> None:
        self._write = write
        self._ended: list[JobsEnded] = []

    def ended(self, event: JobsEnded) -> None:
        self._ended.append(event)

    def compared(self, event: JobsCompared) -> None:
        self._ended = []
        self._write(event)

    def close(self) -> None:
        ended, self._ended = self._ended, []
        if ended:
            interrupted = any(each.interrupted for each in ended)
            self._write(JobsCompared(Axis.TEST, tuple(ended), interrupted=interrupted, wall_s=ended[-1].wall_s))
