"""The times at which a monitor is read, and those that were missed. Pure: told the time.

The times are `every_ns` apart and do not depend on how long a reading takes. Each of them comes to one thing: a reading
begins, or the time is missed, because the last reading had not ended or because nobody was there to begin one.
"""

from __future__ import annotations


class Schedule:
    """The times of one monitor, the first of which is `first_ns`."""

    def __init__(self, every_ns: int, first_ns: int) -> None:
        self.due_ns = first_ns
        """The first time of which nothing has come yet."""
        self.begun_ns: int | None = None
        """The time of the reading that has begun and not ended; None where there is none."""
        self._every_ns = every_ns

    def begin(self, now_ns: int) -> list[int]:
        """Begin the reading of the newest time that has come, at `due_ns` or later; return the times missed before."""
        newest_ns = self.due_ns + (now_ns - self.due_ns) // self._every_ns * self._every_ns
        missed = [*range(self.due_ns, newest_ns, self._every_ns)]
        self.begun_ns, self.due_ns = newest_ns, newest_ns + self._every_ns
        return missed

    def passed(self, now_ns: int) -> list[int]:
        """Return the times that have come while a reading was under way, each once."""
        if self.begun_ns is None:
            return []
        missed = [*range(self.due_ns, now_ns, self._every_ns)]
        self.due_ns += len(missed) * self._every_ns
        return missed

    def end(self, now_ns: int) -> list[int]:
        """End the reading; return the times that have passed meanwhile and were not returned yet."""
        missed = self.passed(now_ns)
        self.begun_ns = None
        return missed
