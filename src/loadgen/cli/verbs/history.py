"""Append results to a file, and draw how they changed over time: by metric, with what drifts and what steps.

Results of different hosts, servers, loads or rates are drawn apart. It judges nothing: the exit status is 0 whatever it
finds, and `loadgen gate` is what stops a change.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import TEXT, ValueKind, choice, whole
from loadgen.errors import ExitCode, OutputError, UsageError
from loadgen.escape import printable
from loadgen.history.history import METRICS, Point, to_point, to_points, to_rows
from loadgen.output import remark
from loadgen.output.formats.history import Ramp, clean, records
from loadgen.output.paper.color import Paint, wants_color
from loadgen.output.paper.sink import Sink
from loadgen.record import ndjson

BEGINNING = b'{"type": "history"'
"""Of every line that we wrote, cut off or not."""

MOST_POINTS = 500
"""A step is looked for among shuffles of them all, which takes a second or two of so many."""


def _metrics(word: str) -> list[str]:
    names = [name.strip() for name in word.split(",")]
    for name in names:
        if name not in METRICS:
            raise ValueError(f'there is no metric "{printable(name, 40)}"; there are {", ".join(METRICS)}')
    return names


SYNTAX = Syntax(
    (
        OptionGroup(
            "options",
            (
                Option(("--label",), "what to call these results by, such as a commit", TEXT, default=""),
                Option(("--name",), "the row they belong to (default: their server's name)", TEXT, default=""),
                Option(("--last",), "draw the last N points of each row", whole("N", 1, MOST_POINTS), default=60),
                Option(
                    ("--metric",),
                    f"draw only these of {', '.join(METRICS)} (default: all)",
                    ValueKind("NAME[,NAME]", _metrics),
                    default=list(METRICS),
                ),
                Option(("--format",), "how they are drawn", choice(("clean", "json")), default="clean"),
                Option(("--color",), "when to use colour", choice(("auto", "always", "never")), default="auto"),
            ),
        ),
    ),
    (
        Positional("file", "FILE", "the history; it is begun when it is not there", least=1),
        Positional(
            "results",
            "RESULT",
            "what --format json wrote, to be appended first; - is standard input",
            most=None,
        ),
    ),
)


def run(args: Given) -> ExitCode:
    """Appends all the results or none, and draws. Raises UsageError for a file that is not what it should be."""
    if (args.label or args.name) and not args.results:
        raise UsageError("--label and --name are for results that are appended: name a RESULT too.")
    # What cannot be drawn is not appended either, so that the same command can be tried again.
    sink = Sink(sys.stdout)
    points = read_history(Path(args.file), new=bool(args.results))
    added = [point for path in args.results for point in read_results(path, args.name, args.label)]
    fresh = _fresh(added, points)
    if fresh:
        append(Path(args.file), fresh)
    if len(fresh) < len(added):
        remark(f"warning: {len(added) - len(fresh)} of {len(added)} results were in {args.file} already")
    rows = to_rows([*points, *fresh], args.last)
    if args.format == "json":
        sink.write_utf8(records(rows, args.metric))
    else:
        sink.write(clean(rows, args.metric, Paint(wants_color(sys.stdout, args.color)), Ramp(sys.stdout)))
    return ExitCode.YES


def _fresh(added: Sequence[Point], points: Sequence[Point]) -> list[Point]:
    """A job that is run again brings results that it brought before."""
    seen = {(point.ts, point.group) for point in points}
    fresh: list[Point] = []
    for point in added:
        if (point.ts, point.group) not in seen:
            seen.add((point.ts, point.group))
            fresh.append(point)
    return fresh


def read_history(path: Path, *, new: bool) -> list[Point]:
    """The points of a history. Lines that a program was killed in are left out, with a warning.

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
