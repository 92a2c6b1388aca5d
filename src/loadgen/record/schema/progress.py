"""The records `phase` and `sample`, written while a load runs. No I/O."""

from __future__ import annotations

from loadgen.phase import Phase
from loadgen.record.schema.accounts import COMMANDS, PUSHES, TURNOVER
from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.hosts import IN_SAMPLE as AGENTS_IN_SAMPLE
from loadgen.record.schema.latency import LATENCY, US, marked, names_of
from loadgen.record.schema.nodes import IN_SAMPLE
from loadgen.record.schema.shape import (
    COUNT,
    NUMBER,
    NUMBER_OR_NULL,
    PERCENT_OR_NULL,
    TEXT,
    TRUTH,
    array_of,
    object_of,
)

TOPOLOGY = record(
    "topology",
    field("changes", array_of(TEXT), "what changed, one sentence for each change"),
)

PHASE = record(
    "phase",
    field(
        "phase",
        {"enum": [*Phase]},
        (
            "the phase that begins: `connect`, `precheck`, `prefill`, `warmup`, `measure`, `drain`; `search` "
            "while a saturation search tries rates"
        ),
    ),
)

BACKLOG = {"requests": COUNT, "age_ns": COUNT}
USED = part(
    field(
        "cpu_share",
        NUMBER,
        "CPUs that it kept busy: 1 for one, 15.9 for nearly sixteen. The `srv%` of `clean` is the same in percent",
    ),
    field("cpu_s", NUMBER, "its CPU time in the interval, in seconds"),
    field(
        "cpu_us_per_request",
        NUMBER_OR_NULL,
        "its CPU time in microseconds per request sent in the interval, backfills too; null when none was sent",
    ),
    fields(
        dict.fromkeys(("rss_bytes", "threads", "fds"), COUNT),
        "its resident memory, threads and open files at the interval's end",
    ),
)

SAMPLE = record(
    "sample",
    field("req_s", COUNT, "replies before the timeout, per second, cut to an integer"),
    field("ok_per_s", NUMBER, "good replies before the timeout, per second"),
    field("err_s", NUMBER, "requests without a good reply, per second"),
    field("hit_pct", PERCENT_OR_NULL, "of the GETs answered with a hit or a miss, hits in percent"),
    fields(US, "percentiles and maximum, microseconds cut to integers"),
    field("lower_bounds", names_of(US), "names of those fields whose truth is at least the value, see below"),
    field("few_samples", names_of(US), "names of those that fewer than 100 samples lie beyond, see below"),
    field("interval_secs", NUMBER, "how long the interval was"),
    field(
        "latency",
        object_of({"all": object_of({"response": LATENCY})}),
        "`latency.all.response`: the response time of all commands in nanoseconds, with the fields of a result's",
    ),
    field("commands", COMMANDS, "where every request of the interval ended, by command, as in `result`"),
    field(
        "service",
        object_of(marked(US)),
        (
            "service time (reply − send time): the fields from `p50_us` on. Absent in a closed loop, and when "
            "nothing was sent or answered"
        ),
        optional=True,
    ),
    field("lag", object_of(marked(US)), "send lag (send − intended time), likewise", optional=True),
    field(
        "lag_ours",
        object_of(marked(US)),
        "the generator's own part of it, likewise; with a schedule only",
        optional=True,
    ),
    field(
        "offered_s", NUMBER, "requests that fell due in the interval, per second; with a schedule only", optional=True
    ),
    field(
        "backlog",
        object_of({**BACKLOG, "growing": TRUTH}),
        (
            "what was due and unsent at the interval's end: `requests`, `age_ns` of the oldest, and whether it is "
            "older than at the interval's begin (`growing`); with a schedule only"
        ),
        optional=True,
    ),
    field(
        "connections",
        TURNOVER,
        (
            "connections that came or went in the interval, as in `result`, and `active` (ready at its end); absent "
            "when none did"
        ),
        optional=True,
    ),
    field("pushes", PUSHES, "what was pushed in the interval, as in `result`; absent without any", optional=True),
    IN_SAMPLE,
    AGENTS_IN_SAMPLE,
    field(
        "server",
        USED.schema,
        (
            "what a server that loadgen started used in the interval, with its children. Absent for any other "
            "server, and when it is gone"
        ),
        optional=True,
    ),
)
