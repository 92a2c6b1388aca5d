"""A page of coloured lines. It knows no event."""

from __future__ import annotations

from loadgen.output.paper.color import Paint
from loadgen.output.paper.sink import Sink


class Page:
    """A page written to a sink line by line, and the painter of its colours."""

    def __init__(self, sink: Sink, paint: Paint) -> None:
        self._sink = sink
        self.paint = paint

    def print(self, *lines: str) -> None:
        """Write the lines, all in one write."""
        self._sink.write("".join(f"{line}\n" for line in lines))
