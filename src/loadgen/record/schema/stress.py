"""The records of a stress test: its beginning, each load, and its end. No I/O."""

from __future__ import annotations

from loadgen.record.schema.campaign import METADATA
from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.shape import (
    CODES,
    COUNT,
    COUNT_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    PERCENT_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TRUTH,
    Schema,
    array_of,
    map_of,
    object_of,
)
from loadgen.verify.case import Verdict

_SHAPE: Schema = {"connections": COUNT, "keys": COUNT, "value_bytes": COUNT}

STRESS_BEGAN = record(
    "stress-began",
    field("loads", array_of(object_of(_SHAPE)), "the loads to come: connections, keys that all of them share, values"),
    field("version", TEXT, "of loadgen"),
    field("options", map_of(TEXT), "what all loads have in common, in words"),
)

STRESS_LOAD = record(
    "stress-load",
    field("name", TEXT, "the load: connections × keys × bytes of a value"),
    field("seed", {"type": "integer", "minimum": 0}, "of everything random in it"),
    field("passed", {"type": ["boolean", "null"]}, "null where it cannot be told, or the load was skipped"),
    field(
        "verdict",
        {"enum": [str(each) for each in Verdict]},
        "`pass`, `fail` (more failed than is allowed, or an objective or a check was missed), `untold` (the numbers "
        "are in part the generator's own, or the load could not be put on) or `skipped`",
    ),
    field("duration_ms", NUMBER, "from the server's start to its end"),
    field("error", TEXT_OR_NULL, "why it did not pass"),
    field("server", TEXT_OR_NULL, "the server, name and version in its own words"),
    fields(_SHAPE, "the shape of the load"),
    fields(
        {"throughput": COUNT_OR_NULL, "p50_us": COUNT_OR_NULL, "p99_us": COUNT_OR_NULL, "hit_pct": PERCENT_OR_NULL},
        "as in `result`, which comes before it; null where no load was put on",
    ),
    field(
        "memory_bytes",
        COUNT_OR_NULL,
        "of a server that loadgen started, the most resident memory; of another, what it says it uses after the load",
    ),
    field(
        "in_flight_per_key",
        NUMBER_OR_NULL,
        "the mean number of requests under way on each key: throughput × mean service time / keys",
    ),
    fields(
        {"planned": COUNT_OR_NULL, "not_ok": COUNT_OR_NULL, "unfinished": COUNT_OR_NULL},
        "requests of the measure window, those of them that have no good reply, and those without an end when the "
        "drain was over",
    ),
    field("skipped", TEXT_OR_NULL, "why the load was not put on, on purpose"),
    field("failure", TEXT_OR_NULL, "why the load could not be put on"),
    field("replay_command", TEXT, "the command that puts on this load alone, with its seed"),
)

STRESS_SUMMARY = part(
    fields(dict.fromkeys(("total", "passed", "failed", "untold", "skipped"), COUNT), "loads, and how they ended"),
    field("duration_ms", NUMBER, "of all loads together"),
    field("success_rate", PERCENT_OR_NULL, "passed of all loads but those that were skipped, in percent"),
    field("interrupted", TRUTH, "stopped by Ctrl-C"),
    field("exit_status", COUNT, "of the command"),
    field("reasons", TEXTS, "why it did not pass, apart from what the loads say"),
    field("codes", object_of({"reasons": CODES}), "the code of every sentence there"),
)

STRESS = record(
    "stress",
    field("metadata", METADATA.schema, "as in `campaign`"),
    field("summary", STRESS_SUMMARY.schema, "the counts and the answer; see below"),
)
