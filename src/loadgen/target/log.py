"""A server's log as it grows: the lines that report an error, and the last lines.

Each call reads what was appended since the last one, and keeps a bounded part. This file does not know who writes the
log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from loadgen.escape import printable
from loadgen.secret import masked

MOST_LOG_ERRORS = 20
"""The limit on error lines kept: the first lines show the cause, and later errors follow from it."""

MOST_TAIL_LINES = 20

_LONGEST_LINE = 8192
"""In bytes; the rest of a longer line is not searched."""
_LONGEST_SHOWN = 300
_CHUNK = 1 << 18
_TAIL = 1 << 15

# What runtimes, allocators, sanitizers and servers print when a program is broken. Each entry is a text in lower case
# that a match contains, which is found quickly, and the expression that decides. Excluded are error *replies* that a
# verbose server logs (OOM command not allowed; SERVER_ERROR out of memory storing object) and names of settings that
# contain such words (oom-score-adj, --panic-on-oom).
_ALWAYS: tuple[tuple[bytes, str], ...] = (
    # Rust, Go, the kernel, redis ("Guru Meditation: Panic called at …"), PostgreSQL.
    (b"panic", r"(?i:(?<![-\w])panic(?:ked|king)?\b(?![-=]))"),
    (b"bug report", r"(?i:\bbug report\b)"),
    # glibc, BSD, Rust, redis ("=== ASSERTION FAILED ==="), Python.
    (b"assert", r"(?i:\bassert(?:ion)?\b.{0,500}\bfail(?:ed|ure)\b|\bassertion ?error\b|failed assertion)"),
    (b"memory", r"(?i:(?<!SERVER_ERROR )\bout of memory\b|\bcannot allocate memory\b|\ballocate memory failed)"),
    (b"alloc", r"(?i:\bmemory allocation of .{1,40} failed|\b[mcr]e?alloc(?:ation)?(?:\(\))? failed|\bbad_alloc\b)"),
    (b"oom", r"(?<![-\w])OOM\b(?!-| command| error| repl)|(?i:\boom[-_ ]?kill)"),
    (b"seg", r"(?i:\bsegmentation (?:fault|violation)\b|\bsegfault(?:ed)? (?:at|in)\b)|\bSIGSEGV\b"),
    (b"sig", r"\bSIG(?:ABRT|BUS|FPE|ILL)\b"),
    (b"crash", r"(?i:\bcrashed by signal\b)"),
    (b"fatal", r"(?i:\bfatal\b.{0,30}\b(?:error|exception|signal)\b)"),
    (b"sanitizer", r"(?:Address|HWAddress|Leak|Memory|Thread|UndefinedBehavior)Sanitizer\b"),
    (b"runtime error", r"\bruntime error: "),
    (b"data race", r"WARNING: DATA RACE"),
    (b"free", r"\bdouble free\b|\bfree\(\): invalid"),
    (b"corrupt", r"\bcorrupted (?:size vs|double-linked|unsorted)|(?i:\b(?:heap|memory|stack) corruption\b)"),
    (b"stack smashing", r"\*\*\* stack smashing detected"),
    (b"terminate called", r"\bterminate called (?:after|without)\b"),
    (b"traceback", r"^Traceback \(most recent call last\)"),
)
_BUILTIN = re.compile("|".join(f"(?:{expression})" for _, expression in _ALWAYS))
_HINTS = tuple(hint for hint, _ in _ALWAYS)


def is_error_line(line: str) -> bool:
    """True when a line matches one of the built-in expressions for errors."""
    return _BUILTIN.search(line) is not None


class ServerLog:
    """The part of a log file from `start` on. Owns the descriptor: a removed file can still be read to its end.

    `patterns` are regular expressions that mark a line as an error, beside the built-in ones; `password` is masked.
    """

    def __init__(self, file: int, start: int = 0, patterns: Sequence[str] = (), password: str = "") -> None:
        self._file = file
        self._password = password
        self._start = self._read = start
        self._own = [re.compile(pattern) for pattern in patterns]
        self._begun = b""
        """The beginning of a line whose end has not been written yet."""
        self._errors: list[str] = []
        self._last: tuple[str, ...] = ()

    def close(self) -> None:
        """Read the file to its end, and close it. The lines found remain available."""
        if self._file >= 0:
            self._errors, self._last = list(self.log_errors()), self.log_tail()
            self._begun = b""
            os.close(self._file)
            self._file = -1

    def log_errors(self) -> tuple[str, ...]:
        """Return the first lines that report an error, made printable."""
        if self._file >= 0:
            self._take()
        unended = self._judged(self._begun)
        return (*self._errors, *unended)[:MOST_LOG_ERRORS]

    def log_tail(self) -> tuple[str, ...]:
        """Return the last lines that are not empty, made printable; none when nothing was written."""
        if self._file < 0:
            return self._last
        return self.lines_from(self._start if self.length() >= self._start else 0)[-MOST_TAIL_LINES:]

    def length(self) -> int:
        """Return the length of the file; 0 after `close`."""
        return os.fstat(self._file).st_size if self._file >= 0 else 0

    def lines_from(self, start: int) -> tuple[str, ...]:
        """Return the lines since the file had this length that are not empty, made printable, of its last 32 KiB."""
        if self._file < 0:
            return ()
        begin = max(start, self.length() - _TAIL)
        lines = os.pread(self._file, _TAIL, begin).splitlines()
        # The first line is most likely the end of a longer one.
        whole = lines[1:] if begin > start and len(lines) > 1 else lines
        return tuple(self._shown(line) for line in whole if line.strip())

    def _take(self) -> None:
        """Search what was appended since the last call."""
        if os.fstat(self._file).st_size < self._read:
            # The server has truncated the file to begin anew.
            self._start = self._read = 0
            self._begun = b""
        while chunk := os.pread(self._file, _CHUNK, self._read):
            self._read += len(chunk)
            *lines, begun = (self._begun + chunk).split(b"\n")
            self._begun = begun[:_LONGEST_LINE]
            if len(self._errors) < MOST_LOG_ERRORS and (self._own or _may_hold_errors(lines)):
                self._errors += [said for line in lines for said in self._judged(line)]
                del self._errors[MOST_LOG_ERRORS:]

    def _judged(self, line: bytes) -> tuple[str, ...]:
        """Return the line, made printable, if it reports an error."""
        text = line[:_LONGEST_LINE].decode(errors="replace")
        if is_error_line(text) or any(pattern.search(text) for pattern in self._own):
            return (self._shown(line),)
        return ()

    def _shown(self, line: bytes) -> str:
        text = line[:_LONGEST_LINE].decode(errors="replace").replace("\t", " ").strip()
        return printable(masked(text, self._password), _LONGEST_SHOWN)


def _may_hold_errors(lines: Sequence[bytes]) -> bool:
    """True when one of the lines may report an error. A quick test: most logs are long and have no errors."""
    text = b"\n".join(lines).lower()
    return any(hint in text for hint in _HINTS)
