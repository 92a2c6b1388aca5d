"""A dashboard that is shown: an output whose app runs in a thread of its own.

The main thread stays with the command, its signals and its unwinding: Ctrl-C works as it does without a dashboard. When
the app fails, the terminal is restored and the command goes on in plain text.
"""

from __future__ import annotations

import asyncio
import threading

from loadgen.events import Event
from loadgen.output.paper.sink import remark
from loadgen.output.tui.app import Page
from loadgen.output.tui.dashboard import Dashboard
from loadgen.output.tui.driver import driver
from loadgen.output.tui.terminal import Terminal

PATIENCE_S = 5.0
"""The time in which the app draws its first frame, and in which it ends; after that the terminal is restored anyway."""


class Shown:
    """A dashboard on the terminal of two descriptors, from `open` to `close`."""

    def __init__(self, dashboard: Dashboard, *, color: bool, reads: int = 0, writes: int = 1) -> None:
        self._terminal = Terminal(reads, writes)
        self._drawn = threading.Event()
        self._page = Page(
            dashboard,
            color=color,
            driver=driver(self._terminal),
            size=lambda: self._terminal.size,
            ready=self._drawn.set,
        )
        self._thread = threading.Thread(target=self._run, daemon=True, name="dashboard")
        self._ended = False

    @property
    def is_shown(self) -> bool:
        """True until `close`, or until the app has failed."""
        return not self._ended

    def open(self) -> None:
        """Show the dashboard, and return when its first frame is drawn."""
        self._thread.start()
        self._drawn.wait(PATIENCE_S)

    def emit(self, event: Event) -> None:
        if not self._ended:
            self._page.tell(event)

    def close(self) -> None:
        """End the app and restore the terminal, whatever the app is doing."""
        try:
            self._page.end()
            self._thread.join(PATIENCE_S)
        finally:
            self._ended = True
            self._terminal.leave()
        if self._page.failure is not None:
            remark(f"loadgen: the dashboard failed ({self._page.failure!r}); the results are not concerned")

    def _run(self) -> None:
        try:
            asyncio.run(self._page.run_async(mouse=False))
        except Exception as error:
            self._page.failure = self._page.failure or error
        finally:
            self._ended = True
            self._terminal.leave()
            self._drawn.set()
