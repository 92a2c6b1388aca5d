"""`--format json`: NDJSON and nothing else, one record per line. `docs/RESULTS.md` has the fields."""

from __future__ import annotations

from loadgen.events import Event
from loadgen.output.formats.format import Format
from loadgen.output.paper.sink import Sink
from loadgen.record import RECORDS, WITHOUT_RECORD, encode


class Json(Format):
    """The records of events. The records of a single smoke test's load come before the test's own."""

    silent = WITHOUT_RECORD
    logs_tests = True

    def __init__(self, sink: Sink) -> None:
        def written(event: Event) -> None:
            if line := encode(event):
                sink.write_utf8(line)

        super().__init__(dict.fromkeys(RECORDS, written))
