"""Another's go/no-go signal, polled by a thread, so that a leader never waits for who answers late or never."""

from __future__ import annotations

import threading
from collections.abc import Callable

from loadgen.soak.signal import Answer, Obeyed, Signal, understood
from loadgen.web.get import NoPageError, get

EVERY_S = 1.0
"""The time from one poll to the next."""

END_S = 1.0
"""The longest wait for the thread's end; a poll under way is left behind."""

Fetch = Callable[[str], tuple[int, bytes]]
"""Returns status and body of a URL. Raises NoPageError, whose text says why there is none."""

TIMEOUT_S = 3.0
"""The longest that one poll waits."""


def _fetch(url: str) -> tuple[int, bytes]:
    page = get(url, TIMEOUT_S, MOST_BYTES)
    return page.status, page.body


MOST_BYTES = 1 << 16


class ObservedSignal:
    """The signal at a URL, polled from the construction until `close`. Used by one thread."""

    def __init__(self, url: str, fetch: Fetch = _fetch, every_s: float = EVERY_S) -> None:
        self.url = url
        self._fetch = fetch
        self._every_s = every_s
        self._now = Obeyed()
        self._closing = threading.Event()
        self._came = threading.Event()
        self._thread = threading.Thread(target=self._work, name="observes go/no-go", daemon=True)
        self._thread.start()

    @property
    def now(self) -> Obeyed:
        """Whether the load may go on, by the answers so far. Does not wait."""
        return self._now

    def first(self, timeout_s: float) -> Obeyed | None:
        """Wait for the first answer, or for what stands in its place; None when nothing comes within the timeout."""
        return self._now if self._came.wait(timeout_s) else None

    def close(self) -> None:
        """End the polling."""
        self._closing.set()
        self._thread.join(END_S)

    def _work(self) -> None:
        while not self._closing.is_set():
            self._now = self._now.told(self._poll())
            self._came.set()
            self._closing.wait(self._every_s)

    def _poll(self) -> Answer:
        try:
            status, body = self._fetch(self.url)
        except NoPageError as error:
            return Answer(Signal.UNREACHABLE, str(error))
        return understood(status, body)
