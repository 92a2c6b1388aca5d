"""How far a long phase has come, on standard error: a bar on a terminal, elsewhere a line per stall.

What cannot be written is let go: a run does not fail because nobody watches it.
"""

from __future__ import annotations

from typing import Protocol, TextIO

from loadgen.events import Event
from loadgen.output.formats.lines import Lines


class Progressing(Protocol):
    """An output of Progress events."""

    def emit(self, event: Event) -> None: ...

    def close(self) -> None: ...


def create(stream: TextIO | None, color: bool) -> Progressing:
    """What suits the stream: a bar where it is a terminal that can move its cursor."""
    if stream is None or stream.closed or not stream.isatty():
        return Lines(stream)
    from loadgen.output.formats import bar

    return bar.create(stream, color)
