"""All monitors of a command: a thread reads each on its own schedule, so that one that hangs holds up no other.

A reading that fails is a gap, and so is each time at which the reading before had not ended. `news` never waits.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from loadgen.escape import printable
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.making import make
from loadgen.monitors.monitor import Found, Monitor, UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.reading import Gap, Reading
from loadgen.monitors.schedule import Schedule
from loadgen.units import NS_PER_MS, NS_PER_S, format_duration

NOT_ENDED = "the reading that was begun {} before has not ended"
NOT_BEGUN = "loadgen was not running, or was too busy to read"

PATIENCE_S = 1.0
"""How long `close` waits for readings that are under way. What hangs does not keep the program from ending."""


class Board:
    """The monitors of a command, which are read from the construction until `close`. Used by one thread."""

    def __init__(self, monitors: Iterable[Monitor]) -> None:
        self._seats = [_Seat(monitor) for monitor in monitors]
        for seat in self._seats:
            seat.thread.start()

    @property
    def series(self) -> Mapping[str, Mapping[str, Known]]:
        """The series of each monitor, by the monitor's name."""
        return {seat.monitor.name: seat.monitor.series for seat in self._seats}

    @property
    def kinds(self) -> Mapping[str, str]:
        """The kind of each monitor, by the monitor's name."""
        return {seat.monitor.name: seat.monitor.kind for seat in self._seats}

    @property
    def every_ns(self) -> Mapping[str, int]:
        """The time between two readings of each monitor, by its name."""
        return {seat.monitor.name: seat.monitor.every_ns for seat in self._seats}

    def first_look(self, timeout_s: float) -> tuple[Gap, ...]:
        """Wait until the first reading of every monitor has ended, and return a gap for each that has failed.

        A monitor whose first reading does not end within the timeout has a gap too. `news` still returns what came.
        """
        deadline_s = time.monotonic() + timeout_s
        return tuple(gap for seat in self._seats if (gap := seat.first(deadline_s, timeout_s)) is not None)

    def news(self) -> list[Reading | Gap]:
        """Return what has come since the last call, in order of time. Never waits."""
        now_ns = time.monotonic_ns()
        return sorted((each for seat in self._seats for each in seat.news(now_ns)), key=lambda each: each.at_ns)

    def evidence(self, monitor: str) -> Mapping[str, str]:
        """Return the evidence of one monitor, texts by file name. Waits as `Monitor.evidence` does."""
        return next(seat.monitor for seat in self._seats if seat.monitor.name == monitor).evidence()

    def close(self, patience_s: float = PATIENCE_S) -> list[Reading | Gap]:
        """End all reading, and return the last news. A reading that hangs for longer than this is left behind."""
        for seat in self._seats:
            seat.closing.set()
        deadline_s = time.monotonic() + patience_s
        for seat in self._seats:
            seat.thread.join(max(0.0, deadline_s - time.monotonic()))
        return self.news()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def opened(plans: Iterable[MonitorPlan], under: UnderLoad | None = None) -> Board:
    """Return the board of the monitors of these plans."""
    return Board(make(plan, under) for plan in plans)


class _Seat:
    """A monitor and the thread that reads it."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._work, name=f"monitor {monitor.name}", daemon=True)
        self._lock = threading.Lock()
        # Guarded by the lock, as two threads use them.
        self._schedule = Schedule(monitor.every_ns, time.monotonic_ns())
        self._news: list[Reading | Gap] = []
        self._first: Gap | None = None
        self._came = threading.Event()
        """Set when the first reading has ended."""

    def news(self, now_ns: int) -> list[Reading | Gap]:
        with self._lock:
            begun_ns = self._schedule.begun_ns
            self._missed(self._schedule.passed(now_ns), begun_ns)
            # What has come since then is left: another monitor that was asked before may have older news by now.
            news = [each for each in self._news if each.at_ns <= now_ns]
            self._news = [each for each in self._news if each.at_ns > now_ns]
        return news

    def first(self, deadline_s: float, timeout_s: float) -> Gap | None:
        """Return the gap of the first reading; None for one that did not fail. `timeout_s` is for the words alone."""
        if not self._came.wait(max(0.0, deadline_s - time.monotonic())):
            now_ns = time.monotonic_ns()
            why = f"nothing could be read within {format_duration(round(timeout_s * 1000) * NS_PER_MS)}"
            return Gap(self.monitor.name, now_ns, time.time(), why)
        return self._first

    def _work(self) -> None:
        with contextlib.closing(self.monitor):
            while not self.closing.wait(max(0, self._schedule.due_ns - time.monotonic_ns()) / NS_PER_S):
                with self._lock:
                    self._missed(self._schedule.begin(time.monotonic_ns()), None)
                found = self._read()
                with self._lock:
                    begun_ns, now_ns = self._schedule.begun_ns, time.monotonic_ns()
                    self._missed(self._schedule.end(now_ns), begun_ns)
                    self._add(found, now_ns)
                self._came.set()

    def _read(self) -> Found | str:
        """Return what the monitor finds, or why it cannot be read."""
        try:
            return self.monitor.read()
        except Unreadable as unreadable:
            return str(unreadable)
        except Exception as error:
            return f"a bug in loadgen: {type(error).__name__}: {error}"

    def _add(self, found: Found | str, now_ns: int) -> None:
        name, wall_s = self.monitor.name, time.time()
        if isinstance(found, Found):
            self._news.append(Reading(name, now_ns, wall_s, found.values, found.identity))
        if why := found.lacking if isinstance(found, Found) else found:
            gap = Gap(name, now_ns, wall_s, printable(why))
            self._news.append(gap)
            if not self._came.is_set():
                self._first = gap

    def _missed(self, times_ns: list[int], begun_ns: int | None) -> None:
        if not times_ns:
            return
        ahead_s = time.time() - time.monotonic_ns() / NS_PER_S
        for at_ns in times_ns:
            why = NOT_BEGUN if begun_ns is None else NOT_ENDED.format(format_duration(at_ns - begun_ns))
            self._news.append(Gap(self.monitor.name, at_ns, at_ns / NS_PER_S + ahead_s, why))
