"""The records `step` and `saturation`: a search for the highest rate. No I/O."""

from __future__ import annotations

from loadgen.record.schema.accounts import COMMANDS, CONNECTIONS, COUNTS, PUSHES, TOTALS, VERDICT
from loadgen.record.schema.field import field, fields, record
from loadgen.record.schema.history import HISTORY
from loadgen.record.schema.monitors import MONITORS
from loadgen.record.schema.objective import LIMIT
from loadgen.record.schema.shape import (
    COUNT,
    COUNT_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    SHARE,
    TEXT,
    TEXT_OR_NULL,
    TRUTH,
    array_of,
    map_of,
    object_of,
)

STEP = record(
    "step",
    field("number", COUNT, "from 1"),
    field(
        "purpose",
        {"enum": ["base", "climb", "refine", "confirm"]},
        (
            "why the rate was tried: `base` (a low rate that the knee is measured by), `climb` (no rate has "
            "failed yet, or none has passed), `refine` (between one that passed and one that failed), `confirm` "
            "(the answer again, on new connections)"
        ),
    ),
    field("rate_per_s", NUMBER, "the rate that was asked for"),
    field("length_secs", NUMBER, "how long was measured"),
    fields(
        dict.fromkeys(("offered_per_s", "achieved_per_s"), NUMBER),
        "requests that were due, and good replies, per second of that",
    ),
    field(
        "verdict",
        {"enum": ["PASS", "FAIL", "INCONCLUSIVE", "GENERATOR-LIMITED"]},
        (
            "`PASS`, `FAIL`, `GENERATOR-LIMITED` (the generator fell behind, so that nothing is known of the "
            "server), `INCONCLUSIVE` (still open after the longest look)"
        ),
    ),
    field("passed", TRUTH, "which side the rate was put on; of an inconclusive one, the likelier"),
    field("why", TEXT, "what the verdict rests on, in a sentence"),
    field(
        "limits",
        array_of(
            object_of(
                {
                    **LIMIT,
                    "x_ns": COUNT,
                    "exceed_ratio": SHARE,
                    "exceed_low": SHARE,
                    "exceed_high": SHARE,
                    "allowed": SHARE,
                }
            )
        ),
        (
            "for each limit: `metric`, `quantile` (0.99 of a p99), `command` (`all` is the whole mix), `limit_ns` "
            "(null for a percentile that was only looked at), `x_ns` (response time at the quantile), "
            "`exceed_ratio` (the share of requests that exceeded the limit), `exceed_low` and `exceed_high` "
            "(between them, with 95 % each, lies the true share), `allowed` (the share that may exceed it)"
        ),
    ),
)

_OUTCOMES = ("found", "generator-limited", "never failed", "never passed", "wide", "unconfirmed")
SATURATION = record(
    "saturation",
    fields({"interrupted": TRUTH, "embedded": TRUTH, "seed": COUNT}, "as in `result`"),
    HISTORY,
    MONITORS,
    field("failure", TEXT_OR_NULL, "why it could not run to its end; null when it did"),
    field(
        "limits",
        array_of(object_of(LIMIT)),
        (
            "what a rate had to meet: `metric`, `quantile`, `command`, `limit_ns`. Empty when the knee was "
            "searched: the last rate at which replies keep up and p99 is near that of a low rate"
        ),
    ),
    field(
        "outcome",
        {"enum": [*_OUTCOMES, None]},
        (
            "`found`; `generator-limited` (the generator reached its limit before the server); `never failed` "
            "(the server passed at the highest rate that may be tried); `never passed`; `wide` (the steps ran out "
            "before the interval was narrow enough); `unconfirmed` (rates that had passed failed on fresh starts)"
        ),
    ),
    field("reason", TEXT_OR_NULL, "the same in a sentence, with its numbers"),
    field("lo_per_s", NUMBER_OR_NULL, "the highest rate known to pass; 0 when none did"),
    field(
        "hi_per_s", NUMBER_OR_NULL, "the lowest rate above it at which the server failed; null when it failed at none"
    ),
    field("confirmed", {"type": ["boolean", "null"]}, "whether `lo_per_s` passed 2 of 3 fresh trials"),
    field(
        "capacity_per_s", NUMBER_OR_NULL, "what a closed loop achieved before the search; null when that was not tried"
    ),
    field("spent_secs", NUMBER_OR_NULL, "seconds of load"),
    field("steps", COUNT_OR_NULL, "how many `step` records there are"),
    fields({"counts": COUNTS.schema, "commands": COMMANDS}, "as in `result`, of all rates together"),
    fields({"totals": TOTALS, "connections": CONNECTIONS, "error_examples": map_of(TEXT)}, "as in `result`"),
    field("pushes", PUSHES, "as in `result`, of all rates together; absent without any", optional=True),
    field("unaccounted", COUNT, "requests that ended nowhere or twice, over all phases: not 0 is a bug in loadgen"),
    field(
        "verdict",
        VERDICT,
        (
            "as in `result`. That the search did not find what it was to find does not make it invalid; that it "
            "has no answer does"
        ),
    ),
)
