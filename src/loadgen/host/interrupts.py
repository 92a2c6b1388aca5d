"""Ctrl-C, SIGTERM and SIGHUP as something that a wait can hear: who leads a load decides what becomes of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

INTERRUPTED = 130
"""The exit status."""

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
            if self.count == 3:
                raise KeyboardInterrupt
            if self.count > 3:
                end_at_once()
            with contextlib.suppress(OSError):
                self._ring.send(b"!")

        with handled(interrupt):
            yield


@contextmanager
def handled(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Gives the signals that ask to stop this handler; but where SIGHUP is ignored (nohup), it stays so."""
    old = {number: signal.signal(number, handler) for number in heeded()}
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)


def heeded() -> list[signal.Signals]:
    return [n for n in STOP_SIGNALS if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]


def end_at_once() -> NoReturn:
    """Ends the process as interrupted: the user does not wait for what is still to be put in order.

    Workers and keepers see their pipes end, and put their own things in order.
    """
    os._exit(INTERRUPTED)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does, but for the time in which signals are `caught`.

    For all that is done with servers of our own: they are ended, and whoever leads can still print what there is.
    """
    before_ns = 0

    def interrupt(number: int, frame: object) -> None:
        nonlocal before_ns
        now_ns = time.monotonic_ns()
        if now_ns - before_ns >= SAME_SIGNAL_NS:
            before_ns = now_ns
            raise KeyboardInterrupt

    with handled(interrupt):
        yield
