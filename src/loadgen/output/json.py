"""`--format json`: NDJSON and nothing else, one record per line. `docs/RESULTS.md` has the fields."""

from __future__ import annotations

from loadgen.comparison import JudgingEvent
from loadgen.events import Event
from loadgen.output.sink import Sink
from loadgen.record import encode
from loadgen.smoke import SmokeEnded


class Json:
    """The records as they are."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def emit(self, event: Event | SmokeEnded | JudgingEvent) -> None:
        if line := encode(event):
            self._sink.write_utf8(line)
