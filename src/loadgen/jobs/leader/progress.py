"""How far a test is, and when it will be through: told the time."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.jobs.load.book import Book
from loadgen.jobs.load.ended import JobsProgress, Stage
from loadgen.units import NS_PER_S

SAMPLE_S = 1.0
"""The time between two reports of progress, and between two readings of memory and size."""


class Rate:
    """How far a test is, once a second."""

    def __init__(self, start_ns: int, expected: Callable[[], int]) -> None:
        self._start_ns = start_ns
        self._expected = expected
        self._next_ns = start_ns + round(SAMPLE_S * NS_PER_S)
        self._last_ns, self._last = start_ns, 0

    def is_due(self, now_ns: int) -> bool:
        return now_ns >= self._next_ns

    def event(self, now_ns: int, book: Book, *, publishing: bool) -> JobsProgress:
        """Return how far the test is, and begin the next second."""
        expected, elapsed_s = self._expected(), (now_ns - self._start_ns) / NS_PER_S
        rate = (book.ended - self._last) * NS_PER_S / (now_ns - self._last_ns)
        mean = book.ended / elapsed_s
        self._last_ns, self._last = now_ns, book.ended
        self._next_ns = now_ns + round(SAMPLE_S * NS_PER_S)
        return JobsProgress(
            Stage.PUBLISHING if publishing else Stage.EXECUTING,
            acknowledged=book.acknowledged,
            ended=book.ended,
            expected=expected,
            jobs_per_s=rate,
            left_s=(expected - book.ended) / mean if mean and expected else None,
            elapsed_s=elapsed_s,
        )
