"""The file of a history: one line per point, read and appended to. This file does not interpret the points."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from loadgen.errors import OutputError, UsageError
from loadgen.escape import printable
from loadgen.history import soaks
from loadgen.history.point import Point, to_point
from loadgen.history.results import to_points
from loadgen.record import ndjson
from loadgen.soak import folder
from loadgen.soak.recall import recalled
from loadgen.version import __version__

BEGINNING = b'{"type": "history"'
"""The beginning of every line that loadgen wrote, cut off or not."""


def read(path: Path, remark: Callable[[str], None], *, new: bool) -> list[Point]:
    """Return the points of a history. A line that was cut off by a kill is left out, with a remark.

    Raises UsageError when the file cannot be read, when its first line is not a point, and, unless `new`, when the file
    is missing or empty.
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
    """Return the points of a result file, of standard input, or of the run folder of a soak.

    Raises UsageError when none can be used.
    """
    shown = ndjson.shown(path)
    if path != ndjson.STDIN and Path(path).is_dir():
        kept = folder.read(path)
        return [soaks.to_point(recalled(kept, __version__), kept.run, printable(name), printable(label))]
    try:
        points = to_points(ndjson.read(path), printable(name), printable(label))
    except ValueError as error:
        raise UsageError(f"{shown}: {error}; take the results anew.") from None
    if not points:
        raise UsageError(f"{shown}: has no result; write one with `loadgen run … --format json -o result.json`.")
    return points


def append(path: Path, points: Sequence[Point]) -> None:
    """Append a line for each point, all lines in one write, so that jobs which append at once do not mix their lines.

    Raises OutputError when the lines cannot be written.
    """
    lines = "".join(json.dumps(point.to_record(), ensure_ascii=False) + "\n" for point in points).encode()
    try:
        with path.open("a+b", buffering=0) as file:
            # End a line that was cut off, so that the next line is whole.
            if size := file.seek(0, os.SEEK_END):
                file.seek(size - 1)
                lines = lines if file.read(1) == b"\n" else b"\n" + lines
            written = file.write(lines)
    except OSError as error:
        raise OutputError(f"{path} could not be appended to: {error.strerror or error}") from None
    if written != len(lines):
        raise OutputError(f"{path} could not be appended to: the disk took {written} of {len(lines)} bytes")


def fresh_of(added: Sequence[Point], points: Sequence[Point]) -> list[Point]:
    """Return the points of `added` that are not in `points`: a repeated job adds the same results again."""
    seen = {(point.ts, point.group) for point in points}
    fresh: list[Point] = []
    for point in added:
        if (point.ts, point.group) not in seen:
            seen.add((point.ts, point.group))
            fresh.append(point)
    return fresh
