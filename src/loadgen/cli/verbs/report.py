"""Show an earlier result of run, saturate, smoke, compare or gate in any format.

FILE is the JSON that --json FILE or --format json wrote. The output is the same as that of the command itself. The exit
status is 0 whatever the result is, as the result is not judged again.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from loadgen import output, record
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import FILE_NAME, choice
from loadgen.cli.options.load import COLORS, FORMATS
from loadgen.compare.answers import Compared
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.record import ndjson

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
    ),
    (Positional("file", "FILE", "a JSON file of an earlier command; - is standard input", least=1),),
)


def run(args: Given) -> ExitCode:
    """Print the records of the file. Raises UsageError for records that loadgen did not write."""
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
