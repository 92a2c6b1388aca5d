"""Textual's driver for a terminal whose process has its main thread and its signals elsewhere.

Textual's own driver sets handlers of signals, which only a main thread may do, and takes Ctrl-C from the terminal. This
driver runs in any thread: the app looks at the size itself, and Ctrl-C stays a signal. It reads single keys and asks
the terminal nothing, so that no answer of a terminal is ever taken for a key.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
from collections.abc import Callable
from typing import Any

from textual import events
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size

from loadgen.output.tui.terminal import FRAME_BEGINS, FRAME_ENDS, Terminal

_SEQUENCES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""The sequences of keys such as arrows (ECMA-48, 5.4), whose letters are no keys of the dashboard."""

_JOIN_S = 1.0


def driver(terminal: Terminal) -> type[Driver]:
    """Return a class of drivers for the terminal: Textual makes its driver itself."""

    class OfTerminal(ThreadDriver):
        def __init__(self, app: App[Any], **options: Any) -> None:
            super().__init__(app, terminal, **options)

    return OfTerminal


class ThreadDriver(Driver):
    """A driver that writes frames to a terminal, and reads keys from it in a thread."""

    def __init__(self, app: App[Any], terminal: Terminal, **options: Any) -> None:
        super().__init__(app, **options)
        self._terminal = terminal
        self._keys: _Keys | None = None

    def write(self, data: str) -> None:
        self._terminal.write(f"{FRAME_BEGINS}{data}{FRAME_ENDS}")

    def start_application_mode(self) -> None:
        self._terminal.enter()
        size = Size(*self._terminal.size)
        self.send_message(events.Resize(size, size))
        self._keys = _Keys(self._terminal.reads, lambda key: self.process_message(events.Key(key, key)))

    def disable_input(self) -> None:
        if self._keys is not None:
            self._keys.close()
            self._keys = None

    def stop_application_mode(self) -> None:
        self.disable_input()
        self._terminal.leave()


class _Keys:
    """A thread that reads keys of one character until `close`."""

    def __init__(self, reads: int, pressed: Callable[[str], None]) -> None:
        self._reads = reads
        self._pressed = pressed
        self._end, self._bell = os.pipe()
        self._thread = threading.Thread(target=self._listen, daemon=True, name="dashboard-keys")
        self._thread.start()

    def close(self) -> None:
        os.write(self._bell, b"!")
        self._thread.join(_JOIN_S)
        for end in (self._end, self._bell):
            os.close(end)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            while self._end not in (ready := select.select([self._reads, self._end], [], [])[0]):
                data = os.read(self._reads, 1024) if ready else b""
                if not data:
                    return
                for key in _SEQUENCES.sub("", data.decode("utf-8", "ignore")):
                    self._pressed(key)
