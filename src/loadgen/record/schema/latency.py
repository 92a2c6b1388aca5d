"""Percentiles and distributions in records. No I/O."""

from __future__ import annotations

from loadgen.percentiles import IN_ROWS, PERCENTILES
from loadgen.record.schema.field import field, fields, part
from loadgen.record.schema.shape import (
    COUNT,
    COUNT_OR_NULL,
    NUMBER_OR_NULL,
    TEXT,
    Schema,
    array_of,
    object_of,
)


def marked(values: Schema) -> Schema:
    """Return the values' fields, and the lists that name those which are lower bounds or rest on few samples."""
    return {**values, "lower_bounds": names_of(values), "few_samples": names_of(values)}


def names_of(values: Schema) -> Schema:
    """Return the schema of a list of names of these fields."""
    return {**array_of({"enum": list(values)}), "uniqueItems": True}


US: Schema = {f"{name}_us": COUNT_OR_NULL for name, _, _ in IN_ROWS}
NS: Schema = {
    "min_ns": COUNT_OR_NULL,
    "mean_ns": NUMBER_OR_NULL,
    **{f"{name}_ns": COUNT_OR_NULL for name in PERCENTILES},
}

COMMAND_US = object_of({"count": COUNT, **marked(US)})

LATENCY_NS = part(
    field(
        "samples",
        COUNT,
        "replies to requests, and the requests that were not answered at the age at which they were given up",
    ),
    fields(dict.fromkeys(("min_ns", "max_ns"), COUNT_OR_NULL), "exact, nanoseconds"),
    field("mean_ns", NUMBER_OR_NULL, "exact to 0.1 ns"),
    fields(
        {f"{name}_ns": COUNT_OR_NULL for name in PERCENTILES if name != "max"},
        "quantiles of rank ⌈q·samples⌉: truth ≤ value ≤ truth × 1.001",
    ),
    field("overflow", COUNT, "samples over 68.7 s: in `samples`, `mean_ns` and `max_ns`, not in `histograms`"),
    field(
        "least_censored_ns", COUNT_OR_NULL, "the smallest sample that is only a lower bound; null when there is none"
    ),
    field("censored", COUNT, "samples that are only known to be at least as large: timeouts and unfinished requests"),
    field(
        "lower_bounds",
        names_of(NS),
        (
            'the fields that rest on censored samples: the truth is at least the value; shown as "≥" in the other '
            "formats"
        ),
    ),
    field(
        "few_samples",
        names_of(NS),
        (
            "the percentiles that fewer than 100 samples lie beyond, so that the next run may well contradict "
            'them; shown as "~" in the other formats, except in rows of intervals'
        ),
    ),
)

LATENCY = LATENCY_NS.schema
WHOLE_LATENCY: Schema = {
    **LATENCY,
    "properties": {**LATENCY["properties"], "histogram": TEXT},
    "required": [*LATENCY["required"], "histogram"],
}
"""With all counts, as a payload."""

LAG = object_of({**LATENCY_NS.shapes, "ours": LATENCY, "backpressure": LATENCY, "ours_at_most": LATENCY})
CLOCKS = object_of({"response": LATENCY, "service": LATENCY})
