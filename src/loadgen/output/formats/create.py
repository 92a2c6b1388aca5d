"""Formats by their names."""

from __future__ import annotations

from typing import TextIO

from loadgen.output.formats.format import Output
from loadgen.output.paper.color import Paint, wants_color
from loadgen.output.paper.sink import Sink

FORMATS = ("clean", "verbose", "json", "quiet")
"""The formats of every command. A run also has csv, with a row for each load; trials have document and markdown."""


def create(format: str, stream: TextIO | None, *, color: str = "auto") -> Output:
    """Return an output that writes `format` to `stream`: one of FORMATS, csv, document or markdown.

    `color` is auto, always or never.
    Raise OutputError when `stream` is closed or None (as sys.stdout is in a process started with it closed), ValueError
    for an unknown format or colour.
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
        case "document":
            from loadgen.output.formats.document import Document

            return Document(sink)
        case "markdown":
            from loadgen.output.formats.markdown import Markdown

            return Markdown(sink)
        case "csv":
            from loadgen.output.formats.csv import Csv

            return Csv(sink)
        case _:
            raise ValueError(f'there is no format "{format}": it is one of {", ".join(FORMATS)}')
