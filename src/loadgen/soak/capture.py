"""Captures of evidence, beside the load: a thread asks the monitors, as each may wait for what it asks.

The first capture is the baseline, which all later ones are held against.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from loadgen.soak.evidence import Difference, culprit, differences

MOST_WAITING = 8
"""Captures that may wait for those before them. One more is left out: it would show what the last of them shows."""


@dataclass(frozen=True, slots=True)
class Captured:
    """One capture."""

    why: str
    """What was asked for: "the baseline", a breach, the end."""
    files: Mapping[str, Mapping[str, str]]
    """By monitor, texts by file name; without monitors that have none."""
    differences: Mapping[str, tuple[Difference, ...]] = field(default_factory=dict)
    """By monitor, what has changed since the baseline; empty for the baseline."""

    def culprit(self, monitor: str, series: str) -> str:
        """Return who is behind the growth of a monitor's series, in words; empty where that is not known."""
        return culprit(series, self.differences.get(monitor, ()))

    def texts(self) -> list[tuple[str, str, str]]:
        """Return monitor, file name and text of all that is to be kept: each text, and what has changed in it."""
        kept = [(monitor, file, text) for monitor, files in self.files.items() for file, text in files.items()]
        for monitor, found in self.differences.items():
            for each in found:
                stem, dot, suffix = each.file.rpartition(".")
                kept.append((monitor, f"{stem or each.file}-grown{dot}{suffix if stem else ''}", each.text()))
        return kept


class Captures:
    """The captures of one soak. Used by one thread; `fetch` is called from another."""

    def __init__(self, fetch: Callable[[str], Mapping[str, str]], monitors: Sequence[str]) -> None:
        """`fetch` returns the evidence of one monitor, as `Board.evidence` does."""
        self._fetch = fetch
        self._monitors = tuple(monitors)
        self._asked: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._taken: queue.SimpleQueue[Captured] = queue.SimpleQueue()
        self._is_closed = False
        self._baseline: Mapping[str, Mapping[str, str]] | None = None
        self._thread = threading.Thread(target=self._work, name="evidence", daemon=True)
        self._thread.start()

    def ask(self, why: str) -> None:
        """Have the evidence captured. Does not wait."""
        with contextlib.suppress(queue.Full):
            self._asked.put_nowait(why)

    def taken(self) -> list[Captured]:
        """Return the captures that have ended since the last call. Does not wait."""
        found = []
        while not self._taken.empty():
            found.append(self._taken.get())
        return found

    def close(self, timeout_s: float) -> list[Captured]:
        """Wait until what was asked for is captured, for this long at most, and return the last captures."""
        deadline_s = time.monotonic() + timeout_s
        with contextlib.suppress(queue.Full):
            self._asked.put(None, timeout=timeout_s)
            self._thread.join(max(0.0, deadline_s - time.monotonic()))
        # What still waits is not captured: the thread ends after the capture under way.
        self._is_closed = True
        return self.taken()

    def _work(self) -> None:
        while not self._is_closed and (why := self._asked.get()) is not None:
            found = {monitor: files for monitor in self._monitors if (files := self._fetch(monitor))}
            before = self._baseline
            if before is None:
                self._baseline = found
                self._taken.put(Captured(why, found))
            else:
                grown = {name: differences(before[name], files) for name, files in found.items() if name in before}
                self._taken.put(Captured(why, found, grown))
