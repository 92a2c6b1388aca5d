"""The record of a history that was checked. No I/O."""

from __future__ import annotations

from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.shape import (
    CODES,
    COUNT,
    COUNT_OR_NULL,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TIMESTAMP,
    TRUTH,
    array_of,
    map_of,
    object_of,
)
from loadgen.verify.checkers.answer import KINDS

VIOLATION = part(
    field("kind", {"enum": [*KINDS]}, "what is broken; `docs/HISTORY.md` says what each means"),
    field("key", TEXT, "empty where the history has one object"),
    field("why", TEXT, "why it is impossible, in a sentence"),
    field("began_ns", NUMBER, "the time of the first call, by the history's clock"),
    field(
        "window",
        array_of(
            object_of(
                {
                    "process": TEXT,
                    "operation": TEXT,
                    "call_ns": COUNT,
                    "return_ns": COUNT_OR_NULL,
                    "accused": TRUTH,
                }
            )
        ),
        "the fewest operations that were found to show it, in the order of their calls: `process`, `operation` in "
        "words, `call_ns` and `return_ns` from `began_ns` on (null where the end is not known), and `accused`, true "
        "for the reply that cannot be",
    ),
)

CHECK_SUMMARY = part(
    field("model", TEXT, "register, counter, set, queue or list-append"),
    fields({"operations": COUNT, "keys": COUNT}, "of the history"),
    field("counts", map_of(COUNT), "by word, what the operations were and how they ended; `docs/HISTORY.md` has them"),
    field("violations", COUNT, "how many were found; of registers, at most one for each key"),
    field("kinds", map_of(COUNT), "by kind, how many"),
    field("unjudged", array_of(object_of({"key": TEXT, "why": TEXT})), "the first keys that could not be judged"),
    field("unjudged_keys", COUNT, "how many could not be judged"),
    field("nothing", TEXT_OR_NULL, "why nothing could be judged"),
    fields({"torn_bytes": COUNT, "torn_blocks": COUNT}, "of blocks that were not written to their end"),
    field("unclosed_workers", COUNT, "workers whose last records are missing: they ended before their time"),
    field("missing_writes", COUNT, "values that were read, and whose writes are among the missing records"),
    field("duration_ms", NUMBER, "to read the history and to judge it"),
    field("exit_status", COUNT, "of the command"),
    field("reasons", TEXTS, "why it is no pass, apart from violations"),
    field("codes", object_of({"reasons": CODES}), "the code of every sentence there"),
)

CHECK = record(
    "check",
    field(
        "metadata",
        object_of(
            {
                "tool": TEXT,
                "version": TEXT,
                "timestamp": TIMESTAMP,
                "history": TEXT,
                "origin": TEXT,
                "clock": TEXT,
                "sampling": TEXT,
            }
        ),
        "loadgen and its version, when, the file (`history`), and what a binary history says of itself: `origin`, "
        "`clock`, `sampling`",
    ),
    field("summary", CHECK_SUMMARY.schema, "the counts and the answer; see below"),
    field("results", array_of(VIOLATION.schema), "the first ten violations; see below"),
)
