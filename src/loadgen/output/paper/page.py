"""A page of coloured lines. It knows no event."""

from __future__ import annotations

from loadgen.output.paper.color import Paint
from loadgen.output.paper.sink import Sink


class Page:
    """A sink that is written to by the line, and the colours that it has."""

    def __init__(self, sink: Sink, paint: Paint) -> None:
        self._sink = sink
        self.paint = paint

    def print(self, *lines: str) -> None:
        """Each line with its end; all of them at once."""
        self._sink.write("".join(f"{line}\n" for line in lines))
