"""The records `reading` and `monitor-gap`, and the field `monitors` of results, as JSON Schema. No I/O."""

from __future__ import annotations

from loadgen.judge.expression.dimension import COUNT as A_COUNT
from loadgen.judge.expression.dimension import NUMBER as A_NUMBER
from loadgen.judge.expression.dimension import PER_TIME, SIZE, SIZE_PER_TIME, TIME
from loadgen.judge.expression.dimension import SHARE as A_SHARE
from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.shape import COUNT, TEXT, TEXT_OR_NULL, Schema, array_of, map_of

UNITS = {
    "ns": TIME,
    "bytes": SIZE,
    "count": A_COUNT,
    "number": A_NUMBER,
    "share": A_SHARE,
    "per_ns": PER_TIME,
    "bytes_per_ns": SIZE_PER_TIME,
}
"""By name, the dimension whose base unit it is."""

_VALUE: Schema = {"type": "number"}
_VALUE_OR_NULL: Schema = {"type": ["number", "null"]}

_TARGET = field("target", TEXT, "of a comparison, the candidate beside which it reads; absent elsewhere", optional=True)

READING = record(
    "reading",
    field("monitor", TEXT, "the monitor's name"),
    _TARGET,
    field(
        "identity",
        TEXT_OR_NULL,
        "what was read, in words that change when it is started again, such as a process with its start; null where "
        "that is not known",
    ),
    field(
        "values",
        map_of(_VALUE),
        "the value of each series, by its name: bytes, nanoseconds, or plain numbers (`monitors` of the result has the "
        "units). A series that could not be read is absent",
    ),
)

GAP = record(
    "monitor-gap",
    field("monitor", TEXT, "the monitor that had no reading at its time"),
    _TARGET,
    field("why", TEXT, "why it had none"),
)

SERIES = part(
    field("unit", {"enum": [*UNITS]}, "the unit of the values, and per minute that of the growth"),
    field("readings", COUNT, "readings that had a value of it"),
    fields(
        dict.fromkeys(("first", "least", "greatest", "last"), _VALUE),
        "the first and the last value, and the extremes",
    ),
    field(
        "growth_per_min",
        _VALUE_OR_NULL,
        "the slope of the line of least squares, per minute; null with fewer than three readings",
    ),
)

MONITOR = part(
    field("name", TEXT, "the monitor's name"),
    field("kind", TEXT, "its kind, as configured"),
    fields({"readings": COUNT, "gaps": COUNT}, "how often it was read within that time, and how often it was not"),
    field("why", TEXT_OR_NULL, "why it could not be read the last time, of the whole load; null when it always could"),
    field("restarts", COUNT, "readings of another process than the one before"),
    field("series", map_of(SERIES.schema), "by name, each series that had a value"),
)

MONITORS = field(
    "monitors",
    array_of(MONITOR.schema),
    "what each monitor read in the measure window (of a search: while rates were tried; of a trial: from the baseline "
    "on; of a test of jobs: from the order to begin to the last end), see "
    "[monitors](#monitors); absent without monitors",
    optional=True,
)
