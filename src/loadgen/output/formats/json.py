"""`--format json`: NDJSON and nothing else, one record per line. `docs/RESULTS.md` has the fields."""

from __future__ import annotations

from loadgen.events import Event
from loadgen.output.paper.sink import Sink
from loadgen.record import encode


class Json:
    """The records as they are."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def emit(self, event: Event) -> None:
        if line := encode(event):
            self._sink.write_utf8(line)
