"""The signals by which a terminal, a supervisor or `timeout` asks a program to stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Keep the stop signals from processes that are started within: they inherit the blocked signals.

    A terminal sends Ctrl-C, and `timeout` SIGTERM, to the whole process group; but the process that started another
    decides when the other ends.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
