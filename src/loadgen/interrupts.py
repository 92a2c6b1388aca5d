"""Ctrl-C and SIGTERM as something that a wait can hear: who leads a load decides what becomes of it."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Signals less than this apart are one: `timeout` sends its signal to a process and then to the group that it is in.
SAME_SIGNAL_NS = 100_000_000


class Interrupts:
    """How often the user has asked to stop, from `caught` on; the third time ends the program wherever it hangs.

    It can be waited for, like a socket: readable until `heard`. One serves several crews that are at work together.
    """

    def __init__(self) -> None:
        self.count = 0
        self._alarm, self._ring = socket.socketpair()
        self._ring.setblocking(False)

    def fileno(self) -> int:
        return self._alarm.fileno()

    def heard(self) -> None:
        """Takes note of one signal that made this readable."""
        self._alarm.recv(1)

    def close(self) -> None:
        self._alarm.close()
        self._ring.close()

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Counts signals instead of being ended by them."""
        before_ns = 0

        def interrupt(number: int, frame: object) -> None:
            nonlocal before_ns
            now_ns = time.monotonic_ns()
            if now_ns - before_ns < SAME_SIGNAL_NS:
                return
            before_ns = now_ns
            self.count += 1
            if self.count > 2:
                raise KeyboardInterrupt
            with contextlib.suppress(OSError):
                self._ring.send(b"!")

        old = {number: signal.signal(number, interrupt) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as Ctrl-C does, but for the time in which signals are `caught`.

    For all that is done with servers of our own: they are ended, and whoever leads can still print what there is.
    """
    before_ns = 0

    def interrupt(number: int, frame: object) -> None:
        nonlocal before_ns
        now_ns = time.monotonic_ns()
        if now_ns - before_ns >= SAME_SIGNAL_NS:
            before_ns = now_ns
            raise KeyboardInterrupt

    old = {number: signal.signal(number, interrupt) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, action in old.items():
            signal.signal(number, action)
