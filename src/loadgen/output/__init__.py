"""Events as text: a folder or a file per format, each a table from kinds of events to the functions that render them.

A format knows events, snapshots and plans. It does not know where events come from or who else reads them. A new format
is a file in `formats` and a case in `formats.create`. Each event is flushed before `emit` returns; `emit` raises
OutputError when the text cannot be written. Reports of a gate for CI systems are written after the last event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from loadgen.errors import UsageError
from loadgen.lazy import lazily

if TYPE_CHECKING:
    from loadgen.output.formats.create import FORMATS, create
    from loadgen.output.formats.format import Output
    from loadgen.output.outputs import Outputs, Wanted, opened
    from loadgen.output.paper.sink import open_results, remark, settle, write_lines
    from loadgen.output.tui.dashboard import Dashboard
    from loadgen.output.words.figures import count
    from loadgen.output.words.smoke import verdict as smoke_verdict

__all__ = [
    "FORMATS",
    "Dashboard",
    "Output",
    "Outputs",
    "Wanted",
    "count",
    "create",
    "create_progress",
    "no_csv",
    "open_results",
    "opened",
    "remark",
    "settle",
    "smoke_verdict",
    "write_lines",
]

__getattr__ = lazily(
    __name__,
    {
        **dict.fromkeys(("FORMATS", "create"), "formats.create"),
        "Output": "formats.format",
        "Dashboard": "tui.dashboard",
        **dict.fromkeys(("Outputs", "Wanted", "opened"), "outputs"),
        **dict.fromkeys(("open_results", "remark", "settle", "write_lines"), "paper.sink"),
        "count": "words.figures",
        "smoke_verdict": "words.smoke:verdict",
    },
)


def no_csv(what: str) -> UsageError:
    """Return the error for `--format csv` with `what`, which has no row in redis-benchmark's table."""
    return UsageError(f"the format csv has a row for each load, and {what} has none; --format json has all figures.")


def create_progress(stream: TextIO | None, *, color: str = "auto") -> Output:
    """Return the output of Progress events on a stream. Pass it each event before the results' output, and close it."""
    from loadgen.output.formats import progress
    from loadgen.output.paper.color import wants_color

    return progress.create(stream, wants_color(stream, color))
