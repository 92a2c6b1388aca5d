"""The record `config`: the server, the load, and the limits that the result is judged by. No I/O."""

from __future__ import annotations

from loadgen.record.schema.field import field, fields, record
from loadgen.record.schema.hosts import AGENTS, DRY_RUN
from loadgen.record.schema.load import LOAD
from loadgen.record.schema.objective import CONDITION, LIMIT, OBJECTIVE
from loadgen.record.schema.shape import (
    CODES,
    COUNT,
    COUNT_OR_NULL,
    LOOP,
    NUMBER,
    NUMBER_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    TRUTH,
    Schema,
    array_of,
    object_of,
)
from loadgen.record.schema.trial import FAULT

_SHARE_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
CONFIG = record(
    "config",
    field("schema_version", {"const": 2}, "2; raised when a field goes or changes its meaning, not when one is added"),
    field("version", TEXT, "of loadgen"),
    field("target", TEXT, "endpoints as `host:port` or `unix:/path`, joined by commas"),
    field(
        "sharding",
        {"enum": ["ketama", "jump", "roundrobin", "mirrored"]},
        "the choice between several endpoints (docs/CONNECTIONS.md); only there",
        optional=True,
    ),
    field("database", COUNT, "the database that connections select; only where it is not 0", optional=True),
    field(
        "identity",
        TEXT_OR_NULL,
        "the server's name and version in its own words, such as `redis 7.0.15`; null when it does not say",
    ),
    field("embedded", TRUTH, "the target is loadgen's built-in server, which the figures describe"),
    field(
        "protocol",
        {"enum": ["Resp", "Resp3", "Memcache", "MemcacheMeta", "MemcacheBinary", "Ping"]},
        "`Resp`, `Resp3`, `Memcache`, `MemcacheMeta`, `MemcacheBinary` or `Ping`",
    ),
    field("tls", TRUTH, "whether connections are encrypted"),
    field("threads", LOAD["threads"], "worker processes"),
    field("conns", LOAD["conns"], "connections, over all workers"),
    field("pipeline", LOAD["pipeline"], "requests in flight per connection, at most"),
    field("batch_size", LOAD["batch_size"], "requests written by one send, at most"),
    field(
        "refill",
        LOAD["refill"],
        (
            "when a closed loop sends again on a connection: `slot` (as soon as a reply has made room) or "
            "`drained` (when every request on it has ended). Without a meaning in an open loop"
        ),
    ),
    field(
        "reconnect",
        LOAD["reconnect"],
        "when connections are renewed, and how: `never`, or such as `100 req, close` and `5s, reset`",
    ),
    field("idle", LOAD["idle"], "connections beside `conns` that are only there"),
    field("tracking", LOAD["tracking"], "client tracking: `off`, `on` or `bcast`, with ` noloop` or without"),
    field("keyspace", LOAD["keyspace"], "number of keys"),
    field("key_size", LOAD["key_size"], "bytes per key"),
    field("key_distribution", LOAD["key_distribution"], "`uniform` or `zipf`"),
    field("zipf_exponent", NUMBER, "of `zipf`, how skewed it is; only there", optional=True),
    field("key_prefix", TEXT, "what every key begins with; only where there is one", optional=True),
    field("value_size", LOAD["value_size"], "bytes per value"),
    field("ttl_secs", LOAD["ttl_secs"], "time to live of each key that is written; 0: for ever"),
    field(
        "weights",
        LOAD["weights"],
        "the command mix as weights: `get`, `set`, `delete`, and the others that are sent; only their ratios matter",
    ),
    field(
        "keys_per_request",
        LOAD["keys_per_request"],
        "the keys of each `mget` and `mset`; only where they are sent",
        optional=True,
    ),
    field("counters", LOAD["counters"], "the number of counters, where each key does not have its own", optional=True),
    field("prefill", LOAD["prefill"], "whether every key is written first"),
    field("backfill_on_miss", LOAD["backfill_on_miss"], "whether a GET that misses is followed by a SET of its key"),
    field("engine", TEXT, "`uvloop`"),
    field("loop", LOOP, "`closed` (a reply triggers the next request) or `open` (a schedule does)"),
    field(
        "search",
        {"anyOf": [{"type": "null"}, array_of(object_of(LIMIT))]},
        "`null`, or what a saturation search asks of each rate: limits as in `step`; empty for a knee",
    ),
    field(
        "ratelimit",
        NUMBER,
        "offered requests per second, over all workers, on average over `profile`; absent in a closed loop",
        optional=True,
    ),
    field(
        "arrival",
        LOAD["arrival"],
        "how due times lie in the profile: `constant` (evenly) or `poisson`. Without a meaning in a closed loop",
    ),
    field(
        "profile",
        array_of(
            object_of({"for_secs": NUMBER_OR_NULL, "from_per_s": NUMBER, "to_per_s": NUMBER}, {"period_secs": NUMBER})
        ),
        (
            "the offered rate over the measure phase, as a list of stretches that follow one another: `for_secs` "
            "(`null`: to the end of the run), and the rate, which goes straight from `from_per_s` to `to_per_s`. "
            "With `period_secs` it swings between the two like a cosine. Empty in a closed loop"
        ),
    ),
    field(
        "request_distribution",
        {"enum": ["roundrobin", "greedy", "random", "least_inflight"]},
        (
            "which connection a due request goes to: `roundrobin`, `greedy`, `random` or `least_inflight`. "
            "Without a meaning in a closed loop"
        ),
    ),
    field("spin", TRUTH, "the workers poll without sleeping"),
    field(
        "faults",
        array_of(FAULT.schema),
        "the faults that will come over the servers, with times from the start of the measurement; absent without any. "
        "The fields are those of `fault`",
        optional=True,
    ),
    AGENTS,
    DRY_RUN,
    field(
        "slo",
        array_of(object_of(OBJECTIVE)),
        (
            "the objectives: `metric`, `command` (`all` is the whole mix), `limit`, and the `unit` of the limit: "
            "`ns`, `count`, `share` (0 to 1) or `per_s`. A metric that ends in `_min` must not fall below its "
            "limit, each other one must not exceed it"
        ),
    ),
    field(
        "checks",
        array_of(object_of(CONDITION)),
        "the checks of `[[check]]` in their order, with `expr` and `level`; absent without checks",
        optional=True,
    ),
    field(
        "verdict_limits",
        object_of(
            {
                "lag_ns": COUNT,
                "lag_share": NUMBER,
                "shortfall": NUMBER,
                "cpu_share": NUMBER,
                "queue_share": NUMBER,
                "steal_share": NUMBER,
                "pause_ns": COUNT,
                "ceiling_share": NUMBER,
                "failures": _SHARE_OR_NULL,
                "connections": _SHARE_OR_NULL,
                "drift_p": NUMBER,
            }
        ),
        (
            "from where on a run has failed: `failures` (share of the planned requests), `connections` (share of "
            "those asked for, that never opened), null where any may; from where on it is invalid: `lag_ns` and "
            "`lag_share` (the p99 of `lag.ours`, and the same as a share of the p99 of response time; both must "
            "be exceeded), `shortfall` (the share of the plan that was not sent in time for a reason of the "
            "generator's); and from where on a warning is given: `cpu_share`, `queue_share`, `steal_share`, "
            "`pause_ns`, `ceiling_share`, and `drift_p` (the level of the trend test on the intervals' p99)"
        ),
    ),
    fields(
        {"warmup_secs": NUMBER, "duration_secs": NUMBER_OR_NULL, "interval_secs": NUMBER},
        (
            "planned seconds of warm-up, of the measure phase (`null`: no limit, as `request_limit` ends it), and "
            "of one sample"
        ),
    ),
    field(
        "request_limit",
        COUNT_OR_NULL,
        "how many requests the measure phase is to have, in all; `null`: as many as its time allows",
    ),
    field("request_timeout_secs", NUMBER, "seconds after which a request counts as timed out"),
    field("cpu_list", TEXT, "CPUs that workers are pinned to, such as `0,1`; absent when they are not", optional=True),
    field("seed", COUNT, "gives the same requests again, with the same config and number of workers"),
    field("test", TEXT, "of several tests (`-t`), which one this is, such as `GET`; only there", optional=True),
    field("warnings", TEXTS, "remarks on the configuration, as sentences"),
    field("codes", object_of({"warnings": CODES}), "`warnings`: the code of every sentence there, see [Codes](#codes)"),
    field(
        "host",
        TEXT_OR_NULL,
        (
            "the machine that loadgen runs on, by its processors and its kernel; null when that is not known. "
            "Numbers of different ones are not compared"
        ),
    ),
)
