"""The record `smoke`: how a smoke test ended. No I/O."""

from __future__ import annotations

from loadgen.record.schema.field import field, fields, record
from loadgen.record.schema.result import RESULT
from loadgen.record.schema.shape import (
    CODES,
    COUNT_OR_NULL,
    NUMBER_OR_NULL,
    PERCENT_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TRUTH,
    Schema,
    array_of,
    object_of,
)
from loadgen.smoke.criteria import CRITERIA

_TRUTH_OR_NULL: Schema = {"type": ["boolean", "null"]}
SMOKE = record(
    "smoke",
    field("name", TEXT, "what was tested: the server file, the program's name, or the address"),
    field("identity", TEXT_OR_NULL, "name and version in its own words; null when it did not come so far"),
    field("passed", TRUTH, "no criterion failed, the numbers are the server's own, and nobody interrupted it"),
    field("interrupted", TRUTH, "stopped by Ctrl-C"),
    field(
        "checks",
        array_of(
            object_of(
                {"name": {"enum": list(CRITERIA)}, "passed": _TRUTH_OR_NULL, "found": TEXT, "limit": TEXT_OR_NULL}
            )
        ),
        (
            "every criterion, always all of them and in the same order: `name`; `passed`, which is null where it "
            "does not apply or was not reached; `found`, in words; `limit`, what would pass, null where that goes "
            "without saying"
        ),
    ),
    field(
        "reasons",
        TEXTS,
        (
            "why it did not pass: the criteria that failed, then what makes the numbers doubtful. Where there are "
            "only doubts, nothing is known against the server"
        ),
    ),
    field("codes", object_of({"reasons": CODES}), "`reasons`: the code of every sentence there, see [Codes](#codes)"),
    fields(
        {
            "throughput": COUNT_OR_NULL,
            "p50_us": COUNT_OR_NULL,
            "p99_us": COUNT_OR_NULL,
            "p999_us": COUNT_OR_NULL,
            "hit_pct": PERCENT_OR_NULL,
        },
        "of the load, as in `result`; null when it did not come so far",
    ),
    field(
        "server_cpu_us_per_request",
        NUMBER_OR_NULL,
        "as `cpu_us_per_request` of a result's `server`; null when nobody watched",
    ),
    field("last_words", TEXTS, "the end of the server's log, where the test failed and there is one"),
    field(
        "result",
        {**RESULT.schema, "type": ["object", "null"]},
        "the `result` record of the test's load, null when there was none. A matrix has it nowhere else",
    ),
)
