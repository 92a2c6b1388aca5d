"""The file of a history: a line for each point, read and appended to. What its points say is not known here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from loadgen.errors import OutputError, UsageError
from loadgen.escape import printable
from loadgen.history.point import Point, to_point
from loadgen.history.results import to_points
from loadgen.record import ndjson

BEGINNING = b'{"type": "history"'
"""Of every line that we wrote, cut off or not."""


def read(path: Path, remark: Callable[[str], None], *, new: bool) -> list[Point]:
    """The points of a history. Lines that a program was killed in are left out, with a remark.

    Raises UsageError when it cannot be read, when its first line is no point, and, unless it may be `new`, when it is
    not there or empty.
    """
    points: list[Point] = []
    if not new or path.exists():
        for number, line in ndjson.lines(str(path)):
            try:
                points.append(to_point(ndjson.parsed(line)))
            except ValueError:
                if not points and not line.startswith(BEGINNING):
                    raise UsageError(
                        f"{path}: is not a history, so nothing is appended to it; name another file."
                    ) from None
                remark(f"warning: {path}:{number}: is no point of a history, and is left out")
    if not points and not new:
        raise UsageError(f"{path}: is empty; append results with `loadgen history {path} RESULT`.")
    return points


def read_results(path: str, name: str, label: str) -> list[Point]:
    """The points of a result file, or of standard input. Raises UsageError when there are none that can be used."""
    shown = ndjson.shown(path)
    try:
        points = to_points(ndjson.read(path), printable(name), printable(label))
    except ValueError as error:
        raise UsageError(f"{shown}: {error}; take the results anew.") from None
    if not points:
        raise UsageError(f"{shown}: has no result; write one with `loadgen run … --format json -o result.json`.")
    return points


def append(path: Path, points: Sequence[Point]) -> None:
    """Adds a line for each point, all of them in one write, so that jobs which append at once do not mix their lines.

    Raises OutputError when they cannot be written.
    """
    lines = "".join(json.dumps(point.to_record(), ensure_ascii=False) + "\n" for point in points).encode()
    try:
        with path.open("a+b", buffering=0) as file:
            # A line that was cut off must not take the next one with it.
            if size := file.seek(0, os.SEEK_END):
                file.seek(size - 1)
                lines = lines if file.read(1) == b"\n" else b"\n" + lines
            written = file.write(lines)
    except OSError as error:
        raise OutputError(f"{path} could not be appended to: {error.strerror or error}") from None
    if written != len(lines):
        raise OutputError(f"{path} could not be appended to: the disk took {written} of {len(lines)} bytes")


def fresh_of(added: Sequence[Point], points: Sequence[Point]) -> list[Point]:
    """Those of `added` that are not among `points`: a job that is run again brings results that it brought before."""
    seen = {(point.ts, point.group) for point in points}
    fresh: list[Point] = []
    for point in added:
        if (point.ts, point.group) not in seen:
            seen.add((point.ts, point.group))
            fresh.append(point)
    return fresh
