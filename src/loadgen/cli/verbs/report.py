"""Show an earlier result of run, saturate, smoke, compare or gate in any format, or write the report of a soak.

FILE is the JSON that --json FILE or --format json wrote. The output is the same as that of the command itself. The exit
status is 0 whatever the result is, as the result is not judged again.

FILE may be the run folder of a soak: its report is written into the folder, with a picture of each series, and printed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from loadgen import output, record
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import FILE_NAME, choice
from loadgen.cli.options.load import COLORS, FORMATS
from loadgen.compare.answers import Compared
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.output.paper.sink import Sink, write_file
from loadgen.output.reports.templates import SHIPPED
from loadgen.record import ndjson
from loadgen.soak import folder

MOST_NAMED = 6
"""The most missing fields that are named."""


SYNTAX = Syntax(
    (
        OptionGroup(
            "results",
            (
                Option(("--format",), "format of the results", choice(FORMATS), default="clean"),
                Option(("-o", "--output"), "write the results to FILE instead of standard output", FILE_NAME),
                Option(("--color",), "use of colour; auto: on a terminal", choice(COLORS), default="auto"),
            ),
        ),
        OptionGroup(
            "for a comparison or a gate",
            (
                Option(("--plot",), "write the intervals as an SVG picture", FILE_NAME),
                Option(("--junit",), "write JUnit XML, with a test case for each metric", FILE_NAME),
                Option(("--markdown",), "append Markdown", FILE_NAME),
            ),
        ),
        OptionGroup(
            "for the run folder of a soak",
            (
                Option(
                    ("--template",),
                    "the report's template, in Jinja's language: a file, or one that comes with loadgen: "
                    f"{' or '.join(SHIPPED)} (default: {SHIPPED[0]})",
                    FILE_NAME,
                ),
            ),
        ),
    ),
    (
        Positional(
            "file",
            "FILE",
            "a JSON file of an earlier command, or the run folder of a soak; - is standard input",
            least=1,
        ),
    ),
)


def run(args: Given) -> ExitCode:
    """Print the records of the file, or the report of the folder. Raises UsageError for what loadgen did not write."""
    if args.file != ndjson.STDIN and Path(args.file).is_dir():
        return of_folder(args)
    if args.template is not None:
        raise UsageError("--template is for the run folder of a soak, and this is a file.")
    reading, shown = record.Reading(), printable(args.file)
    records = ndjson.read(args.file)
    try:
        events = [*reading.events(records)]
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        raise UsageError(f"{shown}: has a record that is not as loadgen writes it.") from None
    if not events:
        raise UsageError(f"{shown}: has no result; write one with `loadgen run … --json {shown}`.")
    reports = output.Wanted(format=None, plot=args.plot, junit=args.junit, markdown=args.markdown, live=False)
    if args.format == "json":
        copy(records, args.output)
        wanted = reports
    else:
        wanted = replace(reports, format=args.format, color=args.color, file=args.output)
    with output.opened(wanted) as outputs:
        for event in events:
            outputs.emit(event)
    if (args.plot or args.junit or args.markdown) and not any(isinstance(event, Compared) for event in events):
        raise UsageError("--plot, --junit and --markdown are of a comparison or a gate, and this file has none.")
    for words in unknown([*reading.missing], shown):
        output.remark(f"note: {words}")
    return ExitCode.YES


def of_folder(args: Given) -> ExitCode:
    """Write the report of a soak and its pictures, and print the report."""
    from loadgen.output.reports.soak_report import report
    from loadgen.output.reports.template import Template

    for name in ("format", "color", "plot", "junit", "markdown"):
        if args.word(name) is not None:
            raise UsageError(
                f"--{name} is for a file of results; for a run folder, write the template with --template."
            )
    name = args.template or SHIPPED[0]
    kept = folder.read(args.file)
    in_folder = kept.path / Path(name).name
    # In its own folder, an earlier report has the name of the template that it was made by.
    shipped = args.template is None or (name in SHIPPED and is_same(Path(name), in_folder))
    path = Path(args.output) if args.output is not None else in_folder
    if not shipped and is_same(path, Path(name)):
        raise UsageError("the report would be written over its template: name another file by --output.")
    for own in folder.FILES:
        if is_same(path, kept.path / own):
            raise UsageError(f"the report would be written over the soak's {own}: name another file by --output.")
    text = report(kept, Template(name, shipped=shipped), path)
    write_file(str(path), text)
    if args.output is not None:
        return ExitCode.YES
    Sink(sys.stdout).write_utf8(text.encode("utf-8", "backslashreplace"))
    return ExitCode.YES


def is_same(path: Path, other: Path) -> bool:
    """Return True when both are one file, which is there."""
    return path.exists() and other.exists() and path.samefile(other)


def copy(records: Sequence[record.Record], file: str | None) -> None:
    """Write the records as they are, with the fields that this loadgen does not know."""
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(output.open_results(file)) if file else sys.stdout
        stack.callback(output.settle)
        output.write_lines(stream, map(record.to_line, records))


def unknown(missing: Sequence[str], shown: str) -> Iterator[str]:
    """Yield a sentence for each kind of fact that the records lack."""
    if "config" in missing:
        yield f"{shown} has no config record, so the server and the load are not known"
    fields = [name for name in missing if name != "config"]
    if fields:
        more = f" and {len(fields) - MOST_NAMED} more" if len(fields) > MOST_NAMED else ""
        yield (
            f"{shown} is of an older loadgen, which did not write {', '.join(fields[:MOST_NAMED])}{more}: what depends "
            "on these is left out, or known to the microsecond only"
        )
