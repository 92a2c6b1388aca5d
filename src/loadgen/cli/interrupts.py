"""Ctrl-C, SIGTERM and SIGHUP: for a load, they set a stop token; for cases, they interrupt one between two outputs.

No other module catches signals.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from loadgen.errors import ExitCode
from loadgen.host.stop_signals import STOP_SIGNALS
from loadgen.runner.stop import Stop

# Signals less than this apart are one: `timeout` sends its signal to a process and then to the group that it is in.
SAME_SIGNAL_NS = 100_000_000


@contextmanager
def caught(stop: Stop) -> Iterator[None]:
    """Set `stop` at each stop signal while a load waits for the token; raise KeyboardInterrupt while no load does.

    A server that is being started is thus ended at once, and a load drains. The third signal to a load raises
    KeyboardInterrupt, wherever the load hangs, and a later one ends the process. For the main thread only.
    """
    before_ns = 0
    signals = 0

    def interrupt(number: int, frame: object) -> None:
        nonlocal before_ns, signals
        now_ns = time.monotonic_ns()
        if now_ns - before_ns < SAME_SIGNAL_NS:
            return
        before_ns = now_ns
        if not stop.is_awaited:
            raise KeyboardInterrupt
        signals += 1
        if signals == 3:
            raise KeyboardInterrupt
        if signals > 3:
            end_at_once()
        stop.set()

    with handled(interrupt):
        yield


class Deferred:
    """Stop signals that raise KeyboardInterrupt inside `with deferred:` only. One that comes outside is raised there
    next, so that what is printed or written outside is whole.

    The third signal ends the process, wherever it hangs. For the main thread only.
    """

    def __init__(self) -> None:
        self._is_inside = False
        self._signals = 0
        self._before_ns = 0

    def __enter__(self) -> None:
        # In this order, so that a signal between the two is not missed.
        self._is_inside = True
        if self._signals:
            self._is_inside = False
            raise KeyboardInterrupt

    def __exit__(self, *error: object) -> None:
        self._is_inside = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle the stop signals until the end."""
        with handled(self._signal):
            yield

    def _signal(self, number: int, frame: object) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._before_ns < SAME_SIGNAL_NS:
            return
        self._before_ns = now_ns
        self._signals += 1
        if self._signals > 2:
            end_at_once()
        if self._is_inside:
            self._is_inside = False
            raise KeyboardInterrupt


@contextmanager
def handled(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle the stop signals by `handler` until the end. SIGHUP stays ignored if it is ignored (nohup)."""
    old = {number: signal.signal(number, handler) for number in heeded()}
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)


def heeded() -> list[signal.Signals]:
    return [n for n in STOP_SIGNALS if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]


def end_at_once() -> NoReturn:
    """End the process as interrupted, without cleaning up: the user does not wait for that.

    Workers and keepers see their pipes end, and clean up after themselves. A dashboard's terminal is restored.
    """
    if (terminal := sys.modules.get("loadgen.output.tui.terminal")) is not None:
        terminal.restore()
    os._exit(ExitCode.INTERRUPTED)
