"""The streams that results are written to: a write succeeds whole, or raises OutputError with one sentence.

It knows streams and their encodings, and does not know what is written. Writes bypass the stream's own buffer, so that
the interpreter finds nothing there to fail on when it closes the stream. A write does not wait for a slow reader: bytes
that the reader has not taken are kept, and `settle` writes them at the end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from loadgen.errors import OutputError, ReaderGone
from loadgen.escape import guarded, printable

# ASCII for the signs of outputs, for streams whose encoding lacks one. The pieces of interval plots are included, so
# that plots stay readable.
_ASCII = str.maketrans("µ≥≤─│…–−σ├┤┼●◄►┊✗×→", "u><-|.--s[]+o<>:xx>")


_LONGEST = 2000
"""Characters of a remark on standard error: room for whole sentences, and a bound."""

_PIECE = 4096
"""Bytes of one write: a pipe that is ready takes as many without blocking (PIPE_BUF)."""

_KEPT = 4 << 20
"""Bytes kept for a slow reader. Beyond them, a write waits for the reader."""

PATIENCE_S = 30.0
"""The time after which a reader that takes nothing is given up."""

READER_S = 10.0
"""The time that `-o FIFO` waits for a reader to open the FIFO."""

_waiting: dict[int, Sink] = {}
"""The sinks with bytes left to write, by id."""


class Sink:
    """An unbuffered text stream: a write has reached the kernel when it returns, as far as the reader keeps up."""

    def __init__(self, stream: TextIO | None) -> None:
        """`stream` may be None, as sys.stdout is when it was closed before the start. Raise OutputError then."""
        self._name = _name(stream)
        if stream is None or stream.closed:
            raise _refusal(self._name)
        self.stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        buffer = getattr(stream, "buffer", None)
        self._file: Any = getattr(buffer, "raw", buffer)
        self._rest = bytearray()
        self._ready = _poll(self._file)

    @property
    def columns(self) -> int | None:
        """The width of the stream's terminal now; None when the stream is no terminal or its width is unknown."""
        try:
            if not self.stream.isatty():
                return None
            wanted = os.environ.get("COLUMNS", "")
            if wanted.isascii() and wanted.isdigit():
                return int(wanted[:4])
            return os.get_terminal_size(self.stream.fileno()).columns
        except (OSError, ValueError):
            return None

    def write(self, text: str) -> None:
        """Write text in the stream's own encoding, in the nearest ASCII when the encoding lacks a sign.

        Callers escape text from outside; this escapes what they missed.
        """
        text = guarded(text)
        try:
            data = text.encode(self._encoding)
        except UnicodeEncodeError:
            data = text.translate(_ASCII).encode(self._encoding, "replace")
        self._write(data)

    def write_utf8(self, data: bytes) -> None:
        """Write UTF-8, whatever the stream's encoding is: for formats whose encoding does not depend on the locale."""
        self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            # Text that others left in the stream's buffer goes out first.
            self.stream.flush()
            if self._file is None:
                self.stream.write(data.decode())
                return
            self._rest += data
            self._push(0)
            if len(self._rest) > _KEPT:
                self.settle()
        except OSError as error:
            self._forget()
            raise _refusal(self._name, error) from error
        except ValueError as error:
            self._forget()
            raise _refusal(self._name) from error

    def settle(self) -> None:
        """Write the bytes left. Raise OutputError when the reader takes nothing for `PATIENCE_S`."""
        while self._rest:
            before = len(self._rest)
            try:
                self._push(PATIENCE_S)
            except OSError as error:
                self._forget()
                raise _refusal(self._name, error) from error
            except ValueError as error:
                self._forget()
                raise _refusal(self._name) from error
            if len(self._rest) == before:
                self._forget()
                raise OutputError(
                    f"results could not be written to {self._name}: its reader took nothing for {PATIENCE_S:g} s"
                )

    def _push(self, patience_s: float) -> None:
        """Write until no bytes are left or the reader takes none. Wait up to `patience_s` for the first write only."""
        while self._rest and (self._ready is None or self._ready.poll(patience_s * 1000)):
            written = self._file.write(self._rest[:_PIECE])
            if written is None:
                break
            del self._rest[:written]
            patience_s = 0
        if self._rest:
            _waiting[id(self)] = self
        else:
            _waiting.pop(id(self), None)
            self._file.flush()

    def _forget(self) -> None:
        self._rest.clear()
        _waiting.pop(id(self), None)


def settle(view: TextIO | None = None) -> None:
    """Write the bytes left in all sinks, waiting for each reader as long as it takes some.

    Raise the first OutputError after all sinks are done. An error of the sink on `view` is ignored.
    """
    trouble: OutputError | None = None
    while _waiting:
        sink = _waiting[next(iter(_waiting))]
        try:
            sink.settle()
        except OutputError as error:
            if sink.stream is not view:
                trouble = trouble or error
    if trouble is not None:
        raise trouble


def open_results(path: str) -> TextIO:
    """Open the file that `-o` names, emptied, or a FIFO once it has a reader. Raise OutputError when that fails."""
    try:
        if _is_fifo(path):
            return os.fdopen(_with_reader(path), "w", encoding="utf-8")
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise _refusal(path, error) from error


def write_lines(stream: TextIO | None, lines: Iterable[bytes]) -> None:
    """Write lines of UTF-8 unchanged. Raise OutputError when they cannot be written."""
    sink = Sink(stream)
    for line in lines:
        sink.write_utf8(line)


def write_file(path: str, text: str, *, append: bool = False) -> None:
    """Write a file beside the results, in UTF-8. Raise OutputError when it cannot be written."""
    try:
        with Path(path).open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise _refusal(path, error) from error


def remark(text: str) -> None:
    """Print one line on standard error. Errors are ignored."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(printable(text, _LONGEST), file=sys.stderr, flush=True)


def _poll(file: Any) -> select.poll | None:
    """Return a poll object that reports when a file can be written; None when the file has no descriptor."""
    try:
        ready = select.poll()
        ready.register(file, select.POLLOUT)
    except (OSError, ValueError, TypeError):
        return None
    return ready


def _is_fifo(path: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(path).is_fifo()
    return False


def _with_reader(path: str) -> int:
    """Open a FIFO for writing once a reader has opened it. Raise OutputError after READER_S."""
    until_s = time.monotonic() + READER_S
    while True:
        try:
            opened = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= until_s:
                raise OutputError(
                    f"nobody reads {printable(path)}, a FIFO: start its reader first, or name a file"
                ) from None
            time.sleep(0.02)
        else:
            os.set_blocking(opened, True)
            return opened


def _refusal(name: str, error: OSError | None = None) -> OutputError:
    reason = (error.strerror or str(error)) if error else "it is closed"
    kind = ReaderGone if isinstance(error, BrokenPipeError) else OutputError
    return kind(f"results could not be written to {name}: {reason}")


def _name(stream: TextIO | None) -> str:
    name = getattr(stream, "name", "<stdout>")
    return name if isinstance(name, str) and name != "<stdout>" else "standard output"
