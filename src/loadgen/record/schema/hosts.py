"""The machines of a load in the records `config` and `result`. No I/O."""

from __future__ import annotations

from loadgen.record.schema.accounts import COUNTS
from loadgen.record.schema.field import field, fields, part
from loadgen.record.schema.latency import LATENCY, US, marked
from loadgen.record.schema.shape import (
    COUNT,
    COUNT_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TRUTH,
    Schema,
    array_of,
    object_of,
)

_NS: Schema = {"type": "integer"}
"""Nanoseconds, also below 0."""

_CLOCK = fields(
    {"clock_ahead_ns": _NS, "clock_error_ns": COUNT},
    "the lead of its monotonic clock over the leader's, 0 for a machine that has the same clock, and the bound on the "
    "error of that",
)

AGENT = part(
    field("name", TEXT, "the agent's name, which no other one has"),
    field("host", TEXT, "the machine's own name"),
    fields({"version": TEXT, "python": TEXT}, "of loadgen and of Python there"),
    field("cpus", COUNT, "CPUs that its workers can use"),
    field("open_files", COUNT_OR_NULL, "the hard limit on a process's open files; null: none"),
    fields(dict.fromkeys(("workers", "connections"), COUNT), "its part of `threads` and `conns`"),
    field("rate_per_s", NUMBER_OR_NULL, "its part of `ratelimit`; null in a closed loop"),
    field("ceiling_per_s", NUMBER_OR_NULL, "what its workers can send, by its self-test; null: none is known"),
    _CLOCK,
    fields({"wall_ahead_ns": _NS, "wall_error_ns": COUNT}, "the same of its wall clock"),
)

HOST_PART = part(
    field("name", TEXT, "as in `config`"),
    fields(dict.fromkeys(("workers", "connections"), COUNT), "its part of `threads` and `conns`"),
    field("lost", TRUTH, "it was lost before the load's end: its counts are those of its last report"),
    field(
        "counts",
        {**COUNTS.schema},
        "where its requests ended, as in `counts` of the result. Over all agents they add up to those of the result",
    ),
    field("sent", COUNT, "requests whose last byte went to the kernel"),
    fields(
        {"throughput": COUNT, "responses_in_time": COUNT},
        "replies that came within the window, per second and in all, as in `result`",
    ),
    field("latency", LATENCY, "response times of its requests, see below"),
    field("lag_ours", LATENCY, "the generator's part of its send lag, as in `lag` of the result", optional=True),
    fields({"cpu_s": NUMBER, "cpu_share": NUMBER_OR_NULL}, "CPU time of its workers in the window, and CPUs used"),
    field("ceiling_per_s", NUMBER_OR_NULL, "as in `config`"),
    field("steal_share", NUMBER_OR_NULL, "as in `signs`, of this machine; null when it is not known"),
    field("clock_source", TEXT_OR_NULL, "as in `signs`, of this machine"),
    _CLOCK,
)

AGENTS = field(
    "agents",
    array_of(AGENT.schema),
    "the machines that send the load, in the order of their ranks, see below; absent where this machine sends it",
    optional=True,
)

DRY_RUN = field(
    "dry_run", {"const": True}, "nothing follows: `--dry-run` only shows what agents would do", optional=True
)

IN_SAMPLE = field(
    "agents",
    array_of(object_of({"name": TEXT, "ok": COUNT, "errors": COUNT, **marked(US)})),
    "of a load that at most 16 agents send, one for each: `name`; good replies (`ok`) and requests without one "
    "(`errors`) in the interval; the fields from `p50_us` on",
    optional=True,
)

HOST_PARTS = field(
    "agents",
    array_of(HOST_PART.schema),
    "each agent's part of the load, see [agents](#agents); absent where this machine sent it",
    optional=True,
)
