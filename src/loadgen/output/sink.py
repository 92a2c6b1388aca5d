"""Where results go: bytes written at once and whole, or one sentence about why not.

Knows streams and their encodings; does not know what is written. It writes past the stream's own buffer, so that
nothing is left there to fail a second time when the interpreter closes it.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from loadgen.errors import OutputError
from loadgen.escape import guarded, printable

# What the signs used in outputs become where the stream's encoding has none of them.
# The pieces of interval plots among them: a plot is to be read there too.
_ASCII = str.maketrans("µ≥≤─│…–−σ├┤┼●◄►┊", "u><-|.--s[]+o<>:")


_LONGEST = 2000
"""Of a remark on standard error, in characters: whole sentences, and no flood."""


class Sink:
    """A text stream that is written through: every write has reached the kernel, or raised OutputError."""

    def __init__(self, stream: TextIO | None) -> None:
        """`stream` is None where there is none, as sys.stdout is when it was closed before the start."""
        self._name = _name(stream)
        if stream is None or stream.closed:
            raise _refusal(self._name)
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        buffer = getattr(stream, "buffer", None)
        self._file: Any = getattr(buffer, "raw", buffer)

    @property
    def columns(self) -> int | None:
        """How wide a terminal the stream is now; None where it is none, or does not say."""
        try:
            if not self._stream.isatty():
                return None
            wanted = os.environ.get("COLUMNS", "")
            if wanted.isascii() and wanted.isdigit():
                return int(wanted[:4])
            return os.get_terminal_size(self._stream.fileno()).columns
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
            self._stream.flush()
            if self._file is None:
                self._stream.write(data.decode())
                return
            rest = memoryview(data)
            while rest:
                written = self._file.write(rest)
                if written is None:
                    # A non-blocking terminal or pipe that is full now.
                    select.select([], [self._file], [])
                    continue
                rest = rest[written:]
            self._file.flush()
        except OSError as error:
            raise _refusal(self._name, error) from error
        except ValueError as error:
            raise _refusal(self._name) from error


def open_results(path: str) -> TextIO:
    """The file that `-o` names, empty. Raises OutputError when it cannot be written."""
    try:
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


def _refusal(name: str, error: OSError | None = None) -> OutputError:
    reason = (error.strerror or str(error)) if error else "it is closed"
    return OutputError(f"results could not be written to {name}: {reason}")


def _name(stream: TextIO | None) -> str:
    name = getattr(stream, "name", "<stdout>")
    return name if isinstance(name, str) and name != "<stdout>" else "standard output"
