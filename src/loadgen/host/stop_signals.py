"""The signals by which a terminal, a supervisor or `timeout` asks a program to stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Processes that are started within never get the stop signals: they inherit that these signals stay blocked.

    A terminal sends Ctrl-C, and `timeout` SIGTERM, to the whole process group; but whoever started a process decides
    when that process ends.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
