"""The terminal that a dashboard is drawn on: its modes, its alternate screen, and standard error meanwhile.

`leave` undoes whatever `enter` did, once, whoever calls it: the dashboard at its end, or `restore` before the process
exits without unwinding. Standard error is kept in a file while the dashboard is shown, since its words would stand in
the middle of the page, and written out afterwards.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import tempfile
import termios
import threading
from typing import IO, Any

_STDERR = 2

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
"""The alternate screen, without a cursor and without wrapping at the right edge (xterm control sequences)."""

LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"

FRAME_BEGINS, FRAME_ENDS = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronised output: a terminal that knows this mode shows a frame at once, and any other ignores it."""

_PIECE = 4096
"""Bytes of one write: what a terminal takes at once."""

_LISTEN_S = 0.1
"""The time between two looks whether the dashboard has ended, where a terminal takes nothing."""

_shown: Terminal | None = None


def restore() -> None:
    """Leave the terminal of the dashboard that is shown, if one is: for a process that ends without unwinding."""
    if _shown is not None:
        _shown.leave()


class Terminal:
    """The terminal of standard input and output."""

    def __init__(self, reads: int, writes: int) -> None:
        """`reads` and `writes` are descriptors of the terminal."""
        self.reads = reads
        self._writes = writes
        self._before: list[Any] | None = None
        self._stderr = StandardError()
        self._entered = False
        self._lock = threading.Lock()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal now; 80 × 24 where the terminal does not say."""
        with contextlib.suppress(OSError):
            columns, lines = os.get_terminal_size(self._writes)
            if columns and lines:
                return columns, lines
        return 80, 24

    def enter(self) -> None:
        """Show the alternate screen, and read keys one by one. Ctrl-C stays a signal; Ctrl-Z and Ctrl-\\ are off."""
        global _shown
        self._entered = True
        _shown = self
        with contextlib.suppress(termios.error, OSError):
            self._before = termios.tcgetattr(self.reads)
            off = bytes([os.fpathconf(self.reads, "PC_VDISABLE") & 0xFF])
            termios.tcsetattr(self.reads, termios.TCSANOW, _by_key(termios.tcgetattr(self.reads), off))
        self._stderr.hold()
        self.write(ENTER)

    def leave(self) -> None:
        """Restore the modes and the screen, and print what came to standard error. A second call does nothing."""
        global _shown
        with self._lock:
            if not self._entered:
                return
            self._entered = False
            _shown = None
        self._put(LEAVE.encode(), until_left=False)
        with contextlib.suppress(termios.error):
            if self._before is not None:
                termios.tcflush(self.reads, termios.TCIFLUSH)
                termios.tcsetattr(self.reads, termios.TCSADRAIN, self._before)
        self._stderr.release()

    def write(self, text: str) -> None:
        """Write text. What a terminal does not take before `leave` is dropped, and so are errors of a closed one."""
        self._put(text.encode("utf-8", "replace"), until_left=True)

    def _put(self, data: bytes, *, until_left: bool) -> None:
        ready = select.poll()
        ready.register(self._writes, select.POLLOUT)
        with contextlib.suppress(OSError):
            while data and (self._entered or not until_left):
                if ready.poll(_LISTEN_S * 1000):
                    data = data[os.write(self._writes, data[:_PIECE]) :]
                elif not until_left:
                    return


class StandardError:
    """Standard error of this process and of its children, kept in a file while it is held. Only that of a terminal."""

    def __init__(self) -> None:
        self._kept: IO[bytes] | None = None
        self._own = -1

    def hold(self) -> None:
        if not os.isatty(_STDERR):
            return
        _flush()
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `release`
        self._own = os.dup(_STDERR)
        os.dup2(self._kept.fileno(), _STDERR)

    def release(self) -> None:
        """Print what was held. Children that are still there go on writing to the file, which nobody reads."""
        if self._kept is None:
            return
        _flush()
        os.dup2(self._own, _STDERR)
        os.close(self._own)
        with self._kept as kept, contextlib.suppress(OSError):
            kept.seek(0)
            os.write(_STDERR, kept.read())
        self._kept = None


def _flush() -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _by_key(modes: list[Any], off: bytes) -> list[Any]:
    """Return a terminal's modes with input by key and without echo; Ctrl-C makes a signal as before (termios(3)).

    `off` is the character that switches a special character off.
    """
    modes[0] &= ~(termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR)
    modes[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    characters = modes[6]
    characters[termios.VSUSP] = characters[termios.VQUIT] = off
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return modes
