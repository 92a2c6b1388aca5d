"""The records in a file that an earlier command wrote as JSON, one a line. It knows lines, not what records mean.

Redirection may have changed the file on its way: PowerShell puts a byte order mark before it, and older ones write
UTF-16. Both are read.
"""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from loadgen.errors import UsageError
from loadgen.escape import printable

STDIN = "-"

LONGEST = 1 << 30
"""Bytes of a file: what has no end must not fill the memory. A result takes some 20 KB, a row of one less than 1 KB."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(path: str) -> list[Mapping[str, Any]]:
    """The records of a file, or of standard input for `-`. Raises UsageError when they cannot be read."""
    shown = "standard input" if path == STDIN else printable(path)
    return [*_records(_text(_bytes(path, shown), shown), shown)]


def _bytes(path: str, shown: str) -> bytes:
    try:
        if path != STDIN:
            with Path(path).open("rb") as file:
                data = file.read(LONGEST + 1)
        elif sys.stdin is None:
            raise UsageError("standard input is closed, so no records can be read from it.")
        else:
            data = sys.stdin.buffer.read(LONGEST + 1)
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read ({error.strerror or error}).") from None
    if len(data) > LONGEST:
        raise UsageError(f"{shown}: is larger than {LONGEST >> 30} GiB, so it is no file of results.")
    return data


def _text(data: bytes, shown: str) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError(f"{shown}: cannot be read (it is neither UTF-8 nor UTF-16).") from None


def _records(text: str, shown: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("type"), str):
            raise UsageError(f"{shown}:{number}: is no record; a result file is what --json or --format json wrote.")
        yield record
