"""Events as JSON records, one line of NDJSON each. The one door to orjson. No I/O.

`Configured` → `config` · a phase begins → `phase` · each interval → `sample` · the end → `result`; of a search, each
rate → `step` · the end → `saturation`; of a smoke test, the end → `smoke`; of a comparison, each round → `round` · the
end → `comparison`, or `noise`. `docs/RESULTS.md` says what each field means, `schema` what it may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.round import ContestBegan, RoundEnded
from loadgen.escape import json_line
from loadgen.events import (
    Configured,
    Event,
    PhaseBegan,
    Progress,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
)
from loadgen.phase import Phase
from loadgen.record.read import Reading, Record
from loadgen.record.write import comparison, run, search, smoke
from loadgen.smoke.ended import SmokeBegan, SmokeEnded

MOST_EXACT = 2**53 - 1
"""The largest integer of which JavaScript and jq, whose numbers are doubles, read every one apart."""

__all__ = ["RECORDS", "WITHOUT_RECORD", "Reading", "Record", "encode", "to_line", "to_record"]


def encode(event: Event) -> bytes:
    """One line of NDJSON, or nothing for an event that has no record."""
    record = to_record(event)
    return b"" if record is None else to_line(_portable(record))


def to_line(record: Record) -> bytes:
    """A record that was read, as a line of NDJSON again."""
    return json_line(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def _portable(value: Any) -> Any:
    """The value as every reader of JSON takes it.

    Without halves of surrogate pairs, as a command line can hold them, and with an integer that no double holds rounded
    to the double that JavaScript and jq would take it for.
    """
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case int() if abs(value) > MOST_EXACT:
            return float(value)
        case dict():
            return {_portable(key): _portable(inner) for key, inner in value.items()}
        case list():
            return [_portable(inner) for inner in value]
        case _:
            return value


def to_record(event: Event) -> dict[str, Any] | None:
    """The event as plain values for JSON, or None: progress and the samples of the warm-up are not part of a result.

    What cannot be known (a percentile of no request, a hit rate without a GET) is None, never 0 and never NaN.
    """
    if type(event) in WITHOUT_RECORD or (isinstance(event, Sample) and event.phase != Phase.MEASURE):
        return None
    return RECORDS[type(event)](event)


RECORDS: Mapping[type[Event], Callable[[Any], dict[str, Any]]] = {
    Configured: run.config,
    PhaseBegan: run.phase,
    Sample: run.sample,
    Result: run.result,
    StepTaken: search.step,
    SearchEnded: search.saturation,
    SmokeEnded: smoke.smoke,
    RoundEnded: comparison.round_ended,
    Compared: comparison.comparison,
    NoiseFound: comparison.noise,
}
"""What makes the record of an event."""

WITHOUT_RECORD: frozenset[type[Event]] = frozenset({Progress, ServerAwaited, SmokeBegan, ContestBegan})
"""The events whose content is in records of later ones, or that are no part of a result."""
