"""Objectives and checks, and their answers, in records. No I/O."""

from __future__ import annotations

from loadgen.judge.check import Level, Verdict
from loadgen.percentiles import PERCENTILES
from loadgen.record.schema.field import field, part
from loadgen.record.schema.shape import (
    COUNT_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    SHARE,
    TEXT,
    TRUTH,
    Schema,
    object_of,
)

_METRICS = (*PERCENTILES, "errors", "timeouts", "hit_rate_min", "throughput_min")
OBJECTIVE: Schema = {
    "metric": {"enum": list(_METRICS)},
    "command": TEXT,
    "limit": NUMBER,
    "unit": {"enum": ["ns", "count", "share", "per_s"]},
}

CHECKED = part(
    field(
        "measured",
        NUMBER_OR_NULL,
        (
            "in its `unit`; null when there was nothing to measure. Latencies are response times, which in a "
            "closed loop say little about an objective"
        ),
    ),
    field(
        "answer",
        {"enum": ["met", "breached", "unknown"]},
        (
            "`met`, `breached`, or `unknown`: nothing was measured, or what is unanswered could still turn it "
            "into a breach"
        ),
    ),
    field("lower_bound", TRUTH, "the truth is at least `measured`"),
    field("few_samples", TRUTH, "fewer than 100 samples lie beyond the percentile"),
    field(
        "failed_share",
        SHARE,
        "where a latency is `null` because the percentile lies among requests that failed: their share; else 0",
    ),
)

CHECK = object_of({**OBJECTIVE, **CHECKED.shapes})
CONDITION: Schema = {"expr": TEXT, "level": {"enum": [*map(str, Level)]}}
ANSWERED: Schema = {**CONDITION, "answer": {"enum": [*map(str, Verdict)]}, "found": TEXT}
LIMIT: Schema = {"metric": TEXT, "quantile": SHARE, "command": TEXT, "limit_ns": COUNT_OR_NULL}
