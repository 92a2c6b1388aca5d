"""The progress of a long phase, on standard error: a bar on a terminal, elsewhere a line per stall.

Errors of writing progress are ignored: a run does not fail because standard error is closed.
"""

from __future__ import annotations

from typing import TextIO

from loadgen.output.formats.format import Kinds, Output
from loadgen.output.formats.progress.lines import Lines


def create(stream: TextIO | None, color: bool, unprinted: Kinds = frozenset()) -> Output:
    """Return a bar for a terminal that can move its cursor, lines for any other stream.

    `unprinted` are the kinds of events for which no output prints anything, so that the bar can stay.
    """
    if stream is None or stream.closed or not stream.isatty():
        return Lines(stream)
    from loadgen.output.formats.progress import bar

    return bar.create(stream, color, unprinted)
