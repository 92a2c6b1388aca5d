"""An event loop in a thread of its own, for libraries that publish by coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class Loop:
    """The loop; its thread is started by the first `run`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="adapter", daemon=True)
        self._starting = threading.Lock()

    def run(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine on the loop, and return what it does or raise what it raises. For any thread."""
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """End the thread, after what is running."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
