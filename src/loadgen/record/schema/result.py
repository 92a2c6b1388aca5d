"""The record `result`: how a run ended. No I/O."""

from __future__ import annotations

from loadgen.command import MIXED
from loadgen.record.schema.accounts import COMMANDS, CONNECTIONS, COUNTS, PUSHES, TOTALS, VERDICT
from loadgen.record.schema.field import field, fields, part, record
from loadgen.record.schema.history import HISTORY
from loadgen.record.schema.hosts import HOST_PARTS
from loadgen.record.schema.latency import CLOCKS, COMMAND_US, LAG, LATENCY
from loadgen.record.schema.monitors import MONITORS
from loadgen.record.schema.nodes import NODES, REDIRECTS
from loadgen.record.schema.objective import ANSWERED, CHECK
from loadgen.record.schema.progress import BACKLOG
from loadgen.record.schema.shape import (
    COUNT,
    COUNT_OR_NULL,
    LOOP,
    NUMBER,
    NUMBER_OR_NULL,
    PERCENT_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TRUTH,
    array_of,
    map_of,
    object_of,
)
from loadgen.record.schema.trial import AT, AT_OR_NULL, REPORT

ALWAYS_IN_RESULT = ("get", "set")
"""The commands that have an object of their own in a result even where none was sent."""

WORKER_SIGNS = part(
    field("index", COUNT, "from 0"),
    field("agent", TEXT, "the name of the agent that ran it; absent without agents", optional=True),
    field(
        "cpu_share",
        NUMBER_OR_NULL,
        "CPU time as a part of the time that went by in the window, and until the last of its requests were sent",
    ),
    field(
        "queue_share",
        NUMBER_OR_NULL,
        "the part of that time in which it was ready to run and had no CPU; null when the system does not say",
    ),
    field("longest_pause_ns", COUNT, "the latest that its event loop woke"),
    field(
        "paused",
        object_of({"pauses": COUNT, "busy_ns": COUNT, "queued_ns": COUNT, "stopped_ns": COUNT}),
        (
            "wake-ups more than a millisecond late: their number (`pauses`), and where the time had gone: "
            "`busy_ns` (it was running), `queued_ns` (ready to run, without a CPU), `stopped_ns` (not even ready)"
        ),
    ),
    field(
        "overdue",
        COUNT,
        (
            "requests that were sent more than 10 ms after the window closed, or never, for no reason but the "
            "generator's own"
        ),
    ),
    field(
        "throttled",
        COUNT_OR_NULL,
        (
            "periods over the load in which a CPU quota of the worker's control groups was used up; null when the "
            "system does not say"
        ),
    ),
    field("quota_cpus", NUMBER_OR_NULL, "the least of those quotas, in CPUs; null when there is none"),
)

SIGNS = part(
    field("workers", array_of(WORKER_SIGNS.schema), "one for each worker process, see below"),
    field(
        "steal_share",
        NUMBER_OR_NULL,
        "the part of all CPUs' time that a hypervisor gave to others; null when the system does not say",
    ),
    field("clock_source", TEXT_OR_NULL, "what the kernel tells the time by, such as `tsc`; null when it does not say"),
)

_STANDING = object_of(
    {"ceiling_per_s": NUMBER, "share": NUMBER, "floor_p50_ns": COUNT, "floor_p99_ns": COUNT, "taken": TEXT}
)

SERVER = part(
    field("name", TEXT, "what the server is called: its server file, or its program"),
    field("cpu_s", NUMBER, "CPU seconds"),
    field("cpu_share", NUMBER, "CPUs that it kept busy: 1 for one"),
    fields(
        {"secs": NUMBER, "requests": COUNT},
        "how long it was watched, and how many requests were sent to it in that time",
    ),
    field(
        "cpu_us_per_request",
        NUMBER_OR_NULL,
        (
            "CPU time in microseconds per request sent to it, backfills too; null when none was sent. Not to be "
            "mixed up with `client`, which is what the load cost on this side"
        ),
    ),
    fields(
        dict.fromkeys(("max_rss_bytes", "max_threads", "max_fds"), COUNT),
        (
            "the most resident memory, threads and open files, of the moments at which it was looked at: one per "
            "interval"
        ),
    ),
    field("fate", TEXT_OR_NULL, "how it ended before it was told to, in a sentence; null when it did not"),
    field("complaints", TEXTS, "lines of its log that tell of an error"),
)

_PHASE = object_of(
    {
        "shape": {"enum": ["constant", "ramp", "step", "sine", "burst"]},
        "for_secs": NUMBER,
        "from_per_s": NUMBER,
        "to_per_s": NUMBER,
        "due": NUMBER,
        "offered_per_s": NUMBER,
        "achieved_per_s": NUMBER,
        "counted_secs": NUMBER,
        "latency": object_of({"all": object_of({"response": LATENCY})}),
        "commands": COMMANDS,
    }
)

OUTAGE = part(
    field("node", COUNT, "the node, from 1. Faults on a node at the same time have one outage, later ones have others"),
    field("name", TEXT_OR_NULL, "its endpoint as it was configured, as in `nodes`; null when that is not known"),
    field(
        "planned",
        TRUTH,
        "false when no fault explains what failed: the outage then begins and ends with the first and the last "
        "failure, and failures less than a second apart are one",
    ),
    fields(
        {"began_secs": AT, "ended_secs": AT_OR_NULL},
        "when the first of the faults had begun, and when the last had ended (null: it could not be), from the start "
        "of the window",
    ),
    fields(
        {"first_failed_secs": AT_OR_NULL, "last_failed_secs": AT_OR_NULL},
        "the first and the last request that failed, or attempt to connect, until the node was back; null when nothing "
        "failed",
    ),
    field("outage_secs", NUMBER_OR_NULL, "from the first of these to the last"),
    field(
        "back_secs",
        AT_OR_NULL,
        "the time from which the node was back inside the baseline's interval, to 0.1 s: its good replies per second "
        "and their p99, for a second, against the time before the first fault (see METHOD). null when it was not, or "
        "when there was no baseline (`has_baseline`)",
    ),
    field("recovered_secs", NUMBER_OR_NULL, "from the end of the last fault to `back_secs`"),
    fields({"failed": COUNT, "refused": COUNT}, "requests that failed until then, and attempts to connect"),
    field("has_baseline", TRUTH, "whether enough was measured before the first fault to tell"),
)

RESULT = record(
    "result",
    field(
        "duration_secs",
        NUMBER,
        (
            "the measured window; shorter than planned when interrupted. With a `request_limit`, the time from "
            "its begin to the last reply, or to the end of the drain where replies are missing"
        ),
    ),
    field("interrupted", TRUTH, "stopped by Ctrl-C"),
    fields({"embedded": TRUTH, "loop": LOOP, "seed": COUNT, "test": TEXT}, "as in `config`", optional=("test",)),
    field("requests", COUNT, "planned requests"),
    field("responses", COUNT, "replies before the timeout, error replies too"),
    field(
        "responses_in_time",
        COUNT,
        "those of the configured mix that came before the window closed: what `throughput` counts",
    ),
    field(
        "errors",
        COUNT,
        (
            "requests without a good reply: error replies + timeouts + lost + corrupt + unfinished. Failed "
            "connections are no requests and are in `conns_failed`"
        ),
    ),
    field("err_pct", PERCENT_OR_NULL, "`errors` in percent of `requests`"),
    fields(dict.fromkeys(("hits", "misses"), COUNT), "GETs that found their key, and that did not"),
    field("hit_pct", PERCENT_OR_NULL, "`hits` in percent of both"),
    field(
        "throughput",
        COUNT,
        (
            "replies that came within the window, per second of `duration_secs`, cut to an integer. Below "
            "`responses` / `duration_secs` by what the drain brought"
        ),
    ),
    field("ok_per_s", NUMBER, "good replies that came within the window, per second: what objectives count"),
    fields(dict.fromkeys(("rx_bytes", "tx_bytes"), COUNT), "bytes received and sent in the measure phase"),
    fields(dict.fromkeys(("rx_bps", "tx_bps"), COUNT), "the same as **bits** per second"),
    fields(
        dict.fromkeys((*MIXED, "backfill_set"), COMMAND_US),
        (
            "by command: `count` (replies before the timeout) and the fields of `sample` from `p50_us` on. "
            "Those but `get` and `set` only when there was one"
        ),
        optional=(*(name for name in MIXED if name not in ALWAYS_IN_RESULT), "backfill_set"),
    ),
    field("conns_active", COUNT, "connections that were ready at the end"),
    field("conns_failed", COUNT, "as `connections.failed`"),
    field("latency", {**map_of(CLOCKS), "required": ["all"]}, "`latency.<command>.<clock>`, see below"),
    field(
        "lag",
        LAG,
        (
            "send time − intended time of all commands, fields as in `latency`; absent in a closed loop. Its two "
            "parts have the same fields: `ours`, the generator's part (it was late while there was room, or stood "
            "still while the server ran dry: see METHOD), and `backpressure`, the rest. `ours_at_most` is `ours` "
            "if all pauses of which that is not certain were ours; the same as `ours` when there were none"
        ),
        optional=True,
    ),
    field("counts", COUNTS.schema, "where every request ended, see below"),
    field("commands", COMMANDS, "the same by command, `backfill` too"),
    field(
        "totals",
        TOTALS,
        (
            "over all phases and every command, `hello`, `auth` and `backfill` too, to be held against the "
            "server's own counters: `sent` (requests whose last byte went to the kernel), `received` (replies, "
            "late ones too), and both by command in `commands`"
        ),
    ),
    field(
        "connections",
        CONNECTIONS,
        (
            "over all phases: `opened`; `failed` (attempts that did not become ready); `closed` (ready ones that were "
            "lost, from either side); `reconnects` (opened in place of those); `recycled` (closed and opened again "
            "as planned, or for another node that serves instead, and no failure); `resets` (kept, and begun anew by "
            "RESET); `idle` (those that were only there at the end) and `idle_closed` (of `closed`); `resumed` (TLS "
            "handshakes that went on with an earlier session); `failures` (failed and closed ones by reason); "
            "`connect` (times to connect) and, with TLS, `handshake` (times after that), fields as in `latency`"
        ),
    ),
    field(
        "pushes",
        PUSHES,
        "over all phases, what RESP3's pushes said: `invalidations` (of client tracking), `invalidated_keys` (in "
        "these), `flushes` (of all keys), `others`; absent without any",
        optional=True,
    ),
    field(
        "client",
        object_of({"cpu_s": NUMBER, "cpu_us_per_request": NUMBER_OR_NULL, "max_rss_bytes": COUNT, "workers": COUNT}),
        (
            "what the load cost here: `cpu_s` (CPU seconds of all workers in the measure phase), "
            "`cpu_us_per_request` (the same in microseconds per request sent, backfills too), `max_rss_bytes` "
            "(the largest worker's memory), `workers`"
        ),
    ),
    field(
        "server",
        SERVER.schema,
        "what a server that loadgen started used and said, see below; absent for any other",
        optional=True,
    ),
    field(
        "verdict",
        VERDICT,
        (
            "`valid`: the result can be used as it stands; `failed_because`: that more requests or connections "
            "failed than `verdict_limits` allow (exit status 1), and `reasons` why the numbers are not the "
            "server's or a search has no answer, as sentences, both empty when valid; `warnings` about a run that "
            "is valid all the same; `codes`: for each of these three, the code of every sentence in its order, "
            "see [Codes](#codes)"
        ),
    ),
    field(
        "slo",
        array_of(CHECK),
        "each objective and what became of it, see below; absent without objectives",
        optional=True,
    ),
    field(
        "checks",
        array_of(object_of(ANSWERED)),
        "each `[[check]]`: `expr` and `level` as configured, the `answer` (`pass`, `fail` or `cannot-tell`), and in "
        "`found` the values that were compared or why it cannot be told, in words; absent without checks",
        optional=True,
    ),
    field(
        "faults",
        array_of(REPORT),
        "what each fault did: its `spells`, when it was on which node (`began_secs`, `ended_secs`) with its "
        "`effects`, from the start of "
        "the window; how often it took effect (`effects`), of how many packets that it was about (`seen`; null where "
        "it is not about packets), whether that is at least the least effect of its kind "
        "(`fired`), and its `failure`; absent without faults",
        optional=True,
    ),
    field(
        "outages",
        array_of(OUTAGE.schema),
        "what became of each node that faults were on, and what failed without a fault on one of several nodes, see "
        "below; absent without either",
        optional=True,
    ),
    field(
        "changes",
        array_of(object_of({"at_secs": AT, "words": TEXTS})),
        "when a cluster's nodes came, went or changed what they serve (`at_secs`, from the start of the window), and "
        "what changed, in words; absent without a change",
        optional=True,
    ),
    NODES,
    REDIRECTS,
    HOST_PARTS,
    HISTORY,
    MONITORS,
    field("signs", SIGNS.schema, "what the machine did to the generator in the measure phase, see below"),
    field(
        "standing",
        {**_STANDING, "type": ["object", "null"]},
        (
            "how near the run came to what the host can do at all, by its self-test: `ceiling_per_s` (requests "
            "per second), `share` (`throughput` as a part of that), `floor_p50_ns` and `floor_p99_ns` (response "
            "time at a low rate, against a server that does nothing), `taken` (the day of the test). null without "
            "a self-test"
        ),
    ),
    field(
        "error_examples",
        map_of(TEXT),
        "the first error reply of each class and the first failure of each reason, in the words that came",
    ),
    field(
        "overload",
        object_of(
            {
                "offered_per_s": NUMBER,
                "served_per_s": NUMBER,
                "backlog": object_of(BACKLOG),
                "growing": TRUTH,
                "only_grew": TRUTH,
                "left_by_warmup": COUNT,
                "named": TRUTH,
            }
        ),
        (
            "with a schedule only: `offered_per_s`; `served_per_s` (replies within the window); `backlog` when "
            "the window closed (`requests`, `age_ns`); `growing`: it was shorter half way; `only_grew`: from each "
            "interval's end to the next, so that response times say how long the run was; `left_by_warmup`: "
            "requests that the warm-up left unsent; `named`: less than 99 % was served, and the backlog is older "
            "than 200 ms"
        ),
        optional=True,
    ),
    field(
        "histograms",
        map_of(object_of({"response": TEXT}, {"service": TEXT})),
        (
            "`histograms.<command>.<clock>`: all counts as a base64 HdrHistogram V2 payload (ns, 3 digits), as in "
            "`.hlog` files. `service` only in an open loop"
        ),
    ),
    field(
        "phases",
        array_of(_PHASE),
        (
            "of `[[workload.phase]]`, one for each: `shape`, `for_secs`, `from_per_s`, `to_per_s`, `due` "
            "(requests), `offered_per_s`; `achieved_per_s`, `latency` and `commands` of the `counted_secs` whose "
            "intervals lie within the phase, by the time of the reply. An interval that two phases share is in "
            "neither"
        ),
        optional=True,
    ),
    field(
        "lag_histograms",
        object_of(dict.fromkeys(("lag", "lag_ours", "lag_backpressure"), TEXT)),
        "the same of `lag` and its parts `lag_ours` and `lag_backpressure`; only in an open loop",
        optional=True,
    ),
    field(
        "unaccounted", COUNT, "planned requests, of any phase, that ended nowhere or twice: not 0 is a bug in loadgen"
    ),
)
