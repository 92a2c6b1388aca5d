"""Append results to a file, and draw each metric over time, with its drifts and steps.

Results of different hosts, servers, loads or rates are drawn in separate rows. Nothing is judged: the exit status is 0
whatever the history shows, and `loadgen gate` is the verb that stops a change.
"""

from __future__ import annotations

import sys
from pathlib import Path

from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import TEXT, ValueKind, choice, whole
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.history import file
from loadgen.history.point import METRICS
from loadgen.history.series import to_rows
from loadgen.output import remark
from loadgen.output.formats.history import Ramp, clean, records
from loadgen.output.paper.color import Paint, wants_color
from loadgen.output.paper.sink import Sink

MOST_POINTS = 500
"""The most points of a row. The search for a step shuffles all of them, which takes a second or two for so many."""


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
                Option(("--label",), "label of the appended results, such as a commit", TEXT, default=""),
                Option(
                    ("--name",), "row of the appended results (default: the name of their server)", TEXT, default=""
                ),
                Option(("--last",), "draw the last N points of each row", whole("N", 1, MOST_POINTS), default=60),
                Option(
                    ("--metric",),
                    f"metrics to draw, out of {', '.join(METRICS)} (default: all)",
                    ValueKind("NAME[,NAME]", _metrics),
                    default=list(METRICS),
                ),
                Option(("--format",), "format of the history", choice(("clean", "json")), default="clean"),
                Option(
                    ("--color",),
                    "use of colour; auto: on a terminal",
                    choice(("auto", "always", "never")),
                    default="auto",
                ),
            ),
        ),
    ),
    (
        Positional("file", "FILE", "the file of the history; created when it does not exist", least=1),
        Positional(
            "results",
            "RESULT",
            "results that --format json wrote, or run folders of soaks, to be appended before drawing; - is standard "
            "input",
            most=None,
        ),
    ),
)


def run(args: Given) -> ExitCode:
    """Append all results or none, and draw the rows. Raises UsageError for a malformed file."""
    if (args.label or args.name) and not args.results:
        raise UsageError("--label and --name are for results that are appended: name a RESULT too.")
    # A standard output that cannot be used raises before results are appended: the command can be repeated.
    sink = Sink(sys.stdout)
    points = file.read(Path(args.file), remark, new=bool(args.results))
    added = [point for path in args.results for point in file.read_results(path, args.name, args.label)]
    fresh = file.fresh_of(added, points)
    if fresh:
        file.append(Path(args.file), fresh)
    if len(fresh) < len(added):
        remark(f"warning: {len(added) - len(fresh)} of {len(added)} results were in {args.file} already")
    rows = to_rows([*points, *fresh], args.last)
    if args.format == "json":
        sink.write_utf8(records(rows, args.metric))
    else:
        sink.write(clean(rows, args.metric, Paint(wants_color(sys.stdout, args.color)), Ramp(sys.stdout)))
    return ExitCode.YES
