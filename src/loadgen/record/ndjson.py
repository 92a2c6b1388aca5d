"""The lines of a file of JSON that an earlier command wrote: results, or a history. It does not know their meaning.

Files that PowerShell redirected are read too: with a byte order mark, or in UTF-16 from older versions.
"""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from loadgen.errors import UsageError
from loadgen.escape import printable

STDIN = "-"

LONGEST = 1 << 30
"""Bytes of a file: a bound on endless input. A result takes some 20 KB, a row of one less than 1 KB."""

LONGEST_LINE = 1 << 24
"""Bytes of a line: a bound on input without line ends."""

LONGEST_UTF16 = 1 << 28
"""Bytes of a file in UTF-16, which is held in memory whole."""


def read(path: str) -> list[Mapping[str, Any]]:
    """Return the records of a file, or of standard input for `-`. Raise UsageError when they cannot be read."""
    return [_record(line, number, path) for number, line in lines(path)]


def lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, in UTF-8, with their numbers.

    Raise UsageError when the file cannot be read, or is too long to be a file of loadgen.
    """
    try:
        if path == STDIN and sys.stdin is None:
            raise UsageError("standard input is closed, so no records can be read from it.")
        with nullcontext(sys.stdin.buffer) if path == STDIN else Path(path).open("rb") as file:
            yield from _lines(file, shown(path))
    except OSError as error:
        raise UsageError(f"{shown(path)}: cannot be read ({error.strerror or error}).") from None


def parsed(line: bytes) -> Any:
    """Return the value of a line. Raise ValueError when the line is not JSON in UTF-8."""
    try:
        return json.loads(line.decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def shown(path: str) -> str:
    """Return the file's name for messages."""
    return "standard input" if path == STDIN else printable(path)


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    number = total = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            file = _as_utf8(line, file, name)
            line = file.readline(LONGEST_LINE + 1)
        elif number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) > LONGEST_LINE:
            raise UsageError(f"{name}:{number}: is longer than {LONGEST_LINE >> 20} MiB, so it is no record.")
        total += len(line)
        if total > LONGEST:
            raise UsageError(f"{name}: is larger than {LONGEST >> 30} GiB, so it is no file of results.")
        if line.strip():
            yield number, line


def _as_utf8(first: bytes, rest: BinaryIO, name: str) -> BinaryIO:
    """Return a UTF-16 file that began with `first` as UTF-8. Raise UsageError when it is too large or not UTF-16."""
    data = first + rest.read(LONGEST_UTF16 + 1)
    try:
        if len(data) <= LONGEST_UTF16:
            return io.BytesIO(data.decode("utf-16").encode())
    except UnicodeError:
        raise UsageError(f"{name}: cannot be read (it begins like UTF-16, and is none).") from None
    raise UsageError(f"{name}: is UTF-16 and over {LONGEST_UTF16 >> 20} MiB; write it as UTF-8.")


def _record(line: bytes, number: int, path: str) -> Mapping[str, Any]:
    try:
        record = parsed(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("type"), str):
        raise UsageError(f"{shown(path)}:{number}: is no record; a result file is what --json or --format json wrote.")
    return record
