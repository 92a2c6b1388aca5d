"""Formats by their names."""

from __future__ import annotations

from typing import TextIO

from loadgen.output.formats.format import Output
from loadgen.output.paper.color import Paint, wants_color
from loadgen.output.paper.sink import Sink

FORMATS = ("clean", "verbose", "json", "quiet")
"""Those that every command has; a run also has csv, with a row for each load."""


def create(format: str, stream: TextIO | None, *, color: str = "auto") -> Output:
    """The output that writes `format`, one of FORMATS, to `stream`; `color` is auto, always or never.

    `stream` may be None, as sys.stdout is where it was closed. Raises OutputError when it cannot be written at all,
    ValueError for a format or colour that there is not.
    """
    if color not in ("auto", "always", "never"):
        raise ValueError(f'color is "auto", "always" or "never", not "{color}"')
    sink = Sink(stream)
    match format:
        case "clean":
            from loadgen.output.formats.clean import Clean

            return Clean(sink, Paint(wants_color(stream, color)))
        case "verbose":
            from loadgen.output.formats.verbose import Verbose

            return Verbose(sink)
        case "json":
            from loadgen.output.formats.json import Json

            return Json(sink)
        case "quiet":
            from loadgen.output.formats.quiet import Quiet

            return Quiet(sink)
        case "csv":
            from loadgen.output.formats.csv import Csv

            return Csv(sink)
        case _:
            raise ValueError(f'there is no format "{format}": it is one of {", ".join(FORMATS)}')
