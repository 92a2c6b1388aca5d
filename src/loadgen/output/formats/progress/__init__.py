"""How far a long phase has come, on standard error: a bar on a terminal, elsewhere a line per stall.

What cannot be written is let go: a run does not fail because nobody watches it.
"""

from __future__ import annotations

from typing import TextIO

from loadgen.output.formats.format import Output
from loadgen.output.formats.progress.lines import Lines


def create(stream: TextIO | None, color: bool) -> Output:
    """What suits the stream: a bar where it is a terminal that can move its cursor."""
    if stream is None or stream.closed or not stream.isatty():
        return Lines(stream)
    from loadgen.output.formats.progress import bar

    return bar.create(stream, color)
