"""Who calls next, and when: the intended times of a process's operations, handed out one by one. Sans-IO."""

from __future__ import annotations

from loadgen.trial.schedule import Schedule


class Claims:
    """The intended times of one caller process, each of which one caller takes.

    A caller that is late finds a time that has passed; no time is skipped, so the wait counts in the response time.
    """

    def __init__(self, schedule: Schedule, start_ns: int) -> None:
        self.schedule = schedule
        self.start_ns = start_ns
        self._taken = 0
        self._stopped_ns: int | None = None

    def stop(self, now_ns: int) -> None:
        """Let nothing fall due from now on."""
        self._stopped_ns = now_ns

    def take(self, now_ns: int) -> int:
        """Take the next intended time: in a closed loop now, or the start where that is later."""
        if not self.schedule.is_open:
            return max(now_ns, self.start_ns)
        self._taken += 1
        return self.start_ns + self.schedule.due_ns(self._taken - 1)

    def due(self, now_ns: int) -> int:
        """Return how many operations have fallen due; 0 in a closed loop."""
        until_ns = now_ns if self._stopped_ns is None else self._stopped_ns
        return self.schedule.due_by(until_ns - self.start_ns)
