"""Where results go: bytes written at once and whole, or one sentence about why not.

Knows streams and their encodings; does not know what is written. It writes past the stream's own buffer, so that
nothing is left there to fail a second time when the interpreter closes it. A reader that is slow is not waited for
while there is something better to do: what it has not taken is kept, and `settle` sees to it in the end.
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

# What the signs used in outputs become where the stream's encoding has none of them.
# The pieces of interval plots among them: a plot is to be read there too.
_ASCII = str.maketrans("µ≥≤─│…–−σ├┤┼●◄►┊", "u><-|.--s[]+o<>:")


_LONGEST = 2000
"""Of a remark on standard error, in characters: whole sentences, and no flood."""

_PIECE = 4096
"""Bytes of one write: a pipe that is ready takes as much without waiting (PIPE_BUF)."""

_KEPT = 4 << 20
"""So many bytes are kept for a reader that is slow; then it is waited for."""

PATIENCE_S = 30.0
"""A reader that takes nothing for so long is given up."""

READER_S = 10.0
"""So long `-o FIFO` waits for somebody to open its other end."""

_waiting: dict[int, Sink] = {}
"""Those that have not written everything."""


class Sink:
    """A text stream that is written through: as far as its reader keeps up, every write has reached the kernel."""

    def __init__(self, stream: TextIO | None) -> None:
        """`stream` is None where there is none, as sys.stdout is when it was closed before the start."""
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
        """How wide a terminal the stream is now; None where it is none, or does not say."""
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
        """Text in the stream's own encoding; signs it lacks are replaced by their nearest ASCII.

        What came from outside has been escaped where it was put in; what slipped through is escaped here.
        """
        text = guarded(text)
        try:
            data = text.encode(self._encoding)
        except UnicodeEncodeError:
            data = text.translate(_ASCII).encode(self._encoding, "replace")
        self._write(data)

    def write_utf8(self, data: bytes) -> None:
        """UTF-8, whatever the stream's encoding is: for formats whose encoding is not a matter of locale."""
        self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            # What others wrote to the stream comes first.
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
        """Writes what is left. Raises OutputError when the reader takes nothing for `PATIENCE_S`."""
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
        """Writes until the reader would have to be waited for longer than this, or nothing is left."""
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
    """Waits for readers that are slow, each as long as it takes something.

    Raises OutputError for the first that does not, when all the others have had theirs; not for that of `view`.
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
    """The file that `-o` names, empty, or a FIFO that has a reader. Raises OutputError when it cannot be written."""
    try:
        if _is_fifo(path):
            return os.fdopen(_with_reader(path), "w", encoding="utf-8")
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise _refusal(path, error) from error


def write_lines(stream: TextIO | None, lines: Iterable[bytes]) -> None:
    """Lines in UTF-8, as they are. Raises OutputError when they cannot be written."""
    sink = Sink(stream)
    for line in lines:
        sink.write_utf8(line)


def write_file(path: str, text: str, *, append: bool = False) -> None:
    """A file beside the results, whole, in UTF-8. Raises OutputError when it cannot be written."""
    try:
        with Path(path).open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise _refusal(path, error) from error


def remark(text: str) -> None:
    """One line on standard error, if there is one that takes it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(printable(text, _LONGEST), file=sys.stderr, flush=True)


def _poll(file: Any) -> select.poll | None:
    """What says whether a file takes more; None where it is no descriptor."""
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
    """A FIFO, open for writing when somebody has opened it for reading."""
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
