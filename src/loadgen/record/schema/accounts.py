"""The objects that records of runs and searches share: counts, totals, connections, verdict. No I/O."""

from __future__ import annotations

from loadgen.record.schema.field import field, fields, part
from loadgen.record.schema.latency import LATENCY
from loadgen.record.schema.shape import (
    CODES,
    COUNT,
    TEXTS,
    TRUTH,
    Schema,
    map_of,
    object_of,
)

COUNTS = part(
    field("planned", COUNT, "requests due in the measure phase"),
    field("ok", COUNT, "good replies, misses too"),
    fields(
        dict.fromkeys(("done", "not_done"), COUNT),
        "of `ok`: found, stored, deleted or answered, and not (GET and DELETE not found, SET not stored)",
    ),
    fields(
        dict.fromkeys(("keys", "keys_found"), COUNT),
        "of a command of several keys: the keys of the requests in `ok`, and those of them that were found or stored; "
        "only where there are any",
        optional=("keys", "keys_found"),
    ),
    field("error_replies", COUNT, "answered by an error"),
    field(
        "error_classes",
        map_of(COUNT),
        (
            "in `counts` only: error replies by class, which is the reply's first word. Those to backfills are "
            "among them"
        ),
    ),
    field("timeouts", COUNT, "no reply before the timeout"),
    field("late", COUNT, "of `timeouts`: the reply came after all, and was dropped"),
    field("lost", COUNT, "in flight, or waiting to be written, when their connection went"),
    field("corrupt", COUNT, "answered by bytes that are no reply to them"),
    field("unfinished", COUNT, "still open when the drain ended"),
    field("unsent", COUNT, "of `lost` and `unfinished`: never wholly given to the kernel"),
)

TALLY_NAMES = {"errors": "error_replies", "hits": "done", "misses": "not_done"}
"""The fields of a Tally that have another name in records: there, as in crucible's, `errors` are all failed requests,
and `hits` and `misses` are of GETs."""

OF_KEYS = ("keys", "keys_found")
TALLY: Schema = {name: shape for name, shape in COUNTS.shapes.items() if name not in ("error_classes", *OF_KEYS)}
"""The fields of COUNTS for one command."""
COMMANDS = map_of(object_of(TALLY, dict.fromkeys(OF_KEYS, COUNT)))
TOTALS = object_of(
    {"sent": COUNT, "received": COUNT, "commands": map_of(object_of({"sent": COUNT, "received": COUNT}))}
)

CONNECTION_COUNTS = ("opened", "failed", "closed", "reconnects", "resumed", "recycled", "resets", "idle_closed")
"""The fields of ConnectionCounts that add up over phases."""
CONNECTIONS = object_of(
    {**dict.fromkeys((*CONNECTION_COUNTS, "idle"), COUNT), "failures": map_of(COUNT), "connect": LATENCY},
    {"handshake": LATENCY},
)
TURNOVER = object_of(dict.fromkeys(("active", *CONNECTION_COUNTS), COUNT))
"""The connections of an interval."""
PUSHES = map_of(COUNT)

_SAID = ("failed_because", "reasons", "warnings")
VERDICT = object_of({"valid": TRUTH, **dict.fromkeys(_SAID, TEXTS), "codes": object_of(dict.fromkeys(_SAID, CODES))})
