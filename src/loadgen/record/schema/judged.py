"""What the records of smoke tests and comparisons may hold, as JSON Schema 2020-12. No I/O."""

from __future__ import annotations

from loadgen.compare.answers import GateAnswer
from loadgen.compare.metric import METRICS
from loadgen.compare.settings import Idle
from loadgen.percentiles import COMPARED
from loadgen.record.schema.load import LOAD
from loadgen.record.schema.shape import (
    CODE_OR_NULL,
    CODES,
    COUNT,
    COUNT_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    PERCENT_OR_NULL,
    SHARE,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TIMESTAMP,
    TRUTH,
    Schema,
    array_of,
    map_of,
    object_of,
)
from loadgen.smoke.criteria import CRITERIA
from loadgen.stats.sequential import Shift

_TRUTH_OR_NULL: Schema = {"type": ["boolean", "null"]}

# Nothing can be less than none: a change of -1 is a fall to 0.
_CHANGE_OR_NULL: Schema = {"type": ["number", "null"], "minimum": -1}


def smoke(result: Schema) -> Schema:
    """A smoke test's end, with the record of its load's result."""
    return object_of(
        {
            "type": {"const": "smoke"},
            "ts": TIMESTAMP,
            "name": TEXT,
            "identity": TEXT_OR_NULL,
            "passed": TRUTH,
            "interrupted": TRUTH,
            "checks": array_of(
                object_of(
                    {"name": {"enum": list(CRITERIA)}, "passed": _TRUTH_OR_NULL, "found": TEXT, "limit": TEXT_OR_NULL}
                )
            ),
            "reasons": TEXTS,
            "codes": object_of({"reasons": CODES}),
            "throughput": COUNT_OR_NULL,
            **{f"{name}_us": COUNT_OR_NULL for name, _, _ in COMPARED},
            "hit_pct": PERCENT_OR_NULL,
            "server_cpu_us_per_request": NUMBER_OR_NULL,
            "last_words": TEXTS,
            "result": {**result, "type": ["object", "null"]},
        }
    )


_ABOUT: Schema = {
    "name": TEXT,
    "kind": {"enum": ["server", "endpoint", "results"]},
    "identity": TEXT_OR_NULL,
    "taken": TEXT_OR_NULL,
}
_CANDIDATE = object_of({**_ABOUT, "host": TEXT_OR_NULL, "load": object_of({}, LOAD)})

_VALUES = object_of({}, dict.fromkeys(METRICS, NUMBER_OR_NULL))

ROUND = object_of(
    {
        "type": {"const": "round"},
        "ts": TIMESTAMP,
        "number": COUNT,
        "max_rounds": COUNT,
        "candidates": TEXTS,
        "about": array_of(object_of(_ABOUT)),
        "order": array_of(COUNT),
        "values": array_of(_VALUES),
        "doubts": TEXTS,
        "late": array_of(TEXTS),
        "repeated": COUNT,
        "took_secs": NUMBER,
    }
)

_ROW = object_of(
    {
        "answer": {"enum": [str(answer) for answer in Shift]},
        "effect": _CHANGE_OR_NULL,
        "ci_low": _CHANGE_OR_NULL,
        "ci_high": _CHANGE_OR_NULL,
        "p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "rounds": COUNT,
        "threshold": NUMBER,
        "a": NUMBER_OR_NULL,
        "b": NUMBER_OR_NULL,
        "noise": NUMBER_OR_NULL,
        "more_rounds": COUNT_OR_NULL,
        "why": TEXT_OR_NULL,
        "level": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "took_secs": NUMBER,
        "unit": {"enum": ["per_s", "ns", "bytes"]},
    }
)

COMPARISON = object_of(
    {
        "type": {"const": "comparison"},
        "ts": TIMESTAMP,
        "version": TEXT,
        "host": TEXT_OR_NULL,
        "a": _CANDIDATE,
        "b": _CANDIDATE,
        "metrics": object_of({}, dict.fromkeys(METRICS, _ROW)),
        "gate": TRUTH,
        "answer": {"enum": [*(str(verdict) for verdict in GateAnswer), None]},
        "paired": TRUTH,
        "confidence": SHARE,
        "seed": COUNT,
        "rate_per_s": NUMBER,
        "slices": COUNT,
        "slice_secs": NUMBER,
        "settle_secs": NUMBER,
        "max_rounds": COUNT,
        "idle": {"enum": [str(idle) for idle in Idle]},
        "took_secs": NUMBER,
        "rounds": array_of(object_of({"a": _VALUES, "b": _VALUES})),
        "round_counts": array_of(COUNT),
        "notes": TEXTS,
        "failure": TEXT_OR_NULL,
        "refused": TEXT_OR_NULL,
        "codes": object_of({"notes": CODES, "failure": CODE_OR_NULL, "refused": CODE_OR_NULL}),
        "interrupted": TRUTH,
    }
)

NOISE = object_of(
    {
        "type": {"const": "noise"},
        "ts": TIMESTAMP,
        "candidate": _CANDIDATE,
        "host": TEXT_OR_NULL,
        "rounds": COUNT,
        "noise": map_of(NUMBER_OR_NULL),
        "false_alarms": map_of(SHARE),
        "interrupted": TRUTH,
        "failure": TEXT_OR_NULL,
        "codes": object_of({"failure": CODE_OR_NULL}),
        "took_secs": NUMBER,
    }
)
