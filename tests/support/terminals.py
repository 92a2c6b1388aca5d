"""Programs under a terminal of their own (a pty): their output, the keys they get, and the terminal's modes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from command import TIMEOUT_S, wait_until

LOADGEN = str(Path(sys.executable).with_name("loadgen"))
ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
"""The alternate screen is shown, and left."""

FRAME = b"\x1b[?2026h"
SEQUENCES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|.)")


class InTerminal:
    """A program whose standard input, output and error are a terminal, from its start to its end."""

    def __init__(
        self, *command: str, columns: int = 80, lines: int = 24, environ: Mapping[str, str] | None = None
    ) -> None:
        self._end, program = os.openpty()
        self.resize(columns, lines)
        self.modes_before = self.modes()
        self.written = b""
        self._text = 0, ""
        self.times: list[tuple[float, int]] = []
        """For each piece that came: the monotonic time, and how many frames began in it."""
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            fcntl.ioctl(program, termios.TIOCSCTTY, 0)
            for descriptor in (0, 1, 2):
                os.dup2(program, descriptor)
            os.closerange(3, 256)
            os.execve(command[0], command, {**os.environ, "TERM": "xterm-256color", **(environ or {})})
        # The terminal's own end stays open, so that its modes can be read after the program.
        self._program = program
        self.status: int | None = None
        self.modes_after: list[Any] = []
        """The modes after the program's end, once `finish` has seen it."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._end, 65536):
                self.times.append((time.monotonic(), data.count(FRAME)))
                self.written += data

    def modes(self) -> list[Any]:
        return termios.tcgetattr(self._end)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @property
    def text(self) -> str:
        """All that was written, without control sequences."""
        if self._text[0] != len(self.written):
            self._text = len(self.written), SEQUENCES.sub("", self.written.decode("utf-8", "replace"))
        return self._text[1]

    @property
    def after(self) -> str:
        """The text that was written after the alternate screen was left."""
        return SEQUENCES.sub("", self.written.rpartition(LEFT)[2].decode()).replace("\r\n", "\n")

    def wait_for(self, words: str, beginning: int = 0) -> None:
        """Waits until these words were written, after so many characters of `text`."""
        self.wait_until(lambda: words in self.text[beginning:], words)

    def wait_until(self, condition: Callable[[], bool], what: str = "") -> None:
        wait_until(lambda: condition() or self._has_ended(), TIMEOUT_S)
        assert condition(), f"{what} did not come before the end:\n{self.text[-3000:]}"

    def _has_ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def cpu_s(self) -> float:
        """The program's own CPU time, without its children's."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def finish(self) -> int:
        """Waits for the program's end, and returns its exit status."""
        wait_until(self._has_ended, TIMEOUT_S)
        assert self.status is not None
        # What the terminal still holds is read when nothing more comes.
        seen = -1
        while seen != len(self.written):
            seen = len(self.written)
            time.sleep(0.05)
        self.modes_after = self.modes()
        return self.status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if not self._has_ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._program)
        self._reader.join(TIMEOUT_S)
        os.close(self._end)
