"""Where events become text: one file per format, one class each with `emit(event)`.

A format knows events, snapshots and plans; not where they come from, nor who else reads them. A new one is a file here
and a line in `create`. Each event is flushed before `emit` returns; what cannot be written raises OutputError.
"""

from __future__ import annotations

from typing import TextIO

from loadgen.events import Output
from loadgen.output import progress
from loadgen.output.clean import Clean
from loadgen.output.color import Paint, wants_color
from loadgen.output.json import Json
from loadgen.output.quiet import Quiet
from loadgen.output.sink import Sink, open_results, remark
from loadgen.output.slo import summary as objectives
from loadgen.output.verbose import Verbose

__all__ = ["FORMATS", "create", "create_progress", "objectives", "open_results", "remark"]

FORMATS = ("clean", "verbose", "json", "quiet")


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
            return Clean(sink, Paint(wants_color(stream, color)))
        case "verbose":
            return Verbose(sink)
        case "json":
            return Json(sink)
        case "quiet":
            return Quiet(sink)
        case _:
            raise ValueError(f'there is no format "{format}": it is one of {", ".join(FORMATS)}')


def create_progress(stream: TextIO | None, *, color: str = "auto") -> progress.Bar | progress.Lines:
    """What shows Progress events on standard error: to be given each event before the output is, and closed at last."""
    return progress.create(stream, wants_color(stream, color))
