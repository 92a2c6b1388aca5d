"""What the JSON records may hold, as JSON Schema 2020-12. `docs/RESULTS.md` has the meanings. No I/O.

Those of smoke tests and comparisons are in `judged`.

No record has a field that is not here: a field added to `events` and not to this file fails the tests.
"""

from __future__ import annotations

from loadgen.percentiles import IN_ROWS, PERCENTILES
from loadgen.phase import Phase
from loadgen.record.schema.judged import COMPARISON, NOISE, ROUND, smoke
from loadgen.record.schema.load import LOAD
from loadgen.record.schema.shape import (
    CODES,
    COUNT,
    COUNT_OR_NULL,
    LOOP,
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


def _marked(values: Schema) -> Schema:
    """The values, and the names of those that are to be read with care."""
    names = {**array_of({"enum": list(values)}), "uniqueItems": True}
    return {**values, "lower_bounds": names, "few_samples": names}


_US = {f"{name}_us": COUNT_OR_NULL for name, _, _ in IN_ROWS}
_NS: Schema = {
    "min_ns": COUNT_OR_NULL,
    "mean_ns": NUMBER_OR_NULL,
    **{f"{name}_ns": COUNT_OR_NULL for name in PERCENTILES},
}
_COMMAND_US = object_of({"count": COUNT, **_marked(_US)})
_LATENCY_NS: Schema = {
    "samples": COUNT,
    "overflow": COUNT,
    "censored": COUNT,
    "least_censored_ns": COUNT_OR_NULL,
    **_marked(_NS),
}
_LATENCY = object_of(_LATENCY_NS)
_LAG = object_of({**_LATENCY_NS, "ours": _LATENCY, "backpressure": _LATENCY, "ours_at_most": _LATENCY})
_CLOCKS = object_of({"response": _LATENCY, "service": _LATENCY})
_TALLY: Schema = {
    "planned": COUNT,
    "ok": COUNT,
    "error_replies": COUNT,
    "timeouts": COUNT,
    "lost": COUNT,
    "corrupt": COUNT,
    "unfinished": COUNT,
    "done": COUNT,
    "not_done": COUNT,
    "late": COUNT,
    "unsent": COUNT,
}

_SHARE_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}

_COUNTS = object_of({**_TALLY, "error_classes": map_of(COUNT)})
_COMMANDS = map_of(object_of(_TALLY))
_TOTALS = object_of(
    {"sent": COUNT, "received": COUNT, "commands": map_of(object_of({"sent": COUNT, "received": COUNT}))}
)
_CONNECTIONS = object_of(
    {"opened": COUNT, "failed": COUNT, "closed": COUNT, "reconnects": COUNT, "failures": map_of(COUNT)}
)
_SAID = ("failed_because", "reasons", "warnings")
_VERDICT = object_of({"valid": TRUTH, **dict.fromkeys(_SAID, TEXTS), "codes": object_of(dict.fromkeys(_SAID, CODES))})
_METRICS = (*PERCENTILES, "errors", "timeouts", "hit_rate_min", "throughput_min")
_OBJECTIVE: Schema = {
    "metric": {"enum": list(_METRICS)},
    "command": TEXT,
    "limit": NUMBER,
    "unit": {"enum": ["ns", "count", "share", "per_s"]},
}
_CHECK = object_of(
    {
        **_OBJECTIVE,
        "measured": NUMBER_OR_NULL,
        "answer": {"enum": ["met", "breached", "unknown"]},
        "lower_bound": TRUTH,
        "few_samples": TRUTH,
        "failed_share": SHARE,
    }
)
_WORKER_SIGNS = object_of(
    {
        "index": COUNT,
        "cpu_share": NUMBER_OR_NULL,
        "queue_share": NUMBER_OR_NULL,
        "longest_pause_ns": COUNT,
        "paused": object_of({"pauses": COUNT, "busy_ns": COUNT, "queued_ns": COUNT, "stopped_ns": COUNT}),
        "overdue": COUNT,
        "throttled": COUNT_OR_NULL,
        "quota_cpus": NUMBER_OR_NULL,
    }
)
_STANDING = object_of(
    {"ceiling_per_s": NUMBER, "share": NUMBER, "floor_p50_ns": COUNT, "floor_p99_ns": COUNT, "taken": TEXT}
)
_SERVER = object_of(
    {
        "name": TEXT,
        "secs": NUMBER,
        "requests": COUNT,
        "cpu_s": NUMBER,
        "cpu_share": NUMBER,
        "cpu_us_per_request": NUMBER_OR_NULL,
        "max_rss_bytes": COUNT,
        "max_threads": COUNT,
        "max_fds": COUNT,
        "fate": TEXT_OR_NULL,
        "complaints": TEXTS,
    }
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
        "latency": object_of({"all": object_of({"response": _LATENCY})}),
        "commands": _COMMANDS,
    }
)
_LIMIT: Schema = {"metric": TEXT, "quantile": SHARE, "command": TEXT, "limit_ns": COUNT_OR_NULL}

CONFIG = object_of(
    {
        "type": {"const": "config"},
        "schema_version": {"const": 2},
        "ts": TIMESTAMP,
        "version": TEXT,
        "target": TEXT,
        "identity": TEXT_OR_NULL,
        "embedded": TRUTH,
        "protocol": {"enum": ["Resp", "Resp3", "Memcache", "Ping"]},
        "tls": TRUTH,
        **LOAD,
        "engine": TEXT,
        "loop": LOOP,
        "search": {"anyOf": [{"type": "null"}, array_of(object_of(_LIMIT))]},
        "warmup_secs": NUMBER,
        "duration_secs": NUMBER_OR_NULL,
        "request_limit": COUNT_OR_NULL,
        "interval_secs": NUMBER,
        "request_timeout_secs": NUMBER,
        "profile": array_of(
            object_of({"for_secs": NUMBER_OR_NULL, "from_per_s": NUMBER, "to_per_s": NUMBER}, {"period_secs": NUMBER})
        ),
        "request_distribution": {"enum": ["roundrobin", "greedy", "random", "least_inflight"]},
        "spin": TRUTH,
        "slo": array_of(object_of(_OBJECTIVE)),
        "verdict_limits": object_of(
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
        "seed": COUNT,
        "warnings": TEXTS,
        "host": TEXT_OR_NULL,
    },
    {"ratelimit": NUMBER, "cpu_list": TEXT, "zipf_exponent": NUMBER, "test": TEXT, "key_prefix": TEXT},
)

PHASE = object_of(
    {
        "type": {"const": "phase"},
        "ts": TIMESTAMP,
        "phase": {"enum": [*Phase]},
    }
)

_BACKLOG = {"requests": COUNT, "age_ns": COUNT}

SAMPLE = object_of(
    {
        "type": {"const": "sample"},
        "ts": TIMESTAMP,
        "req_s": COUNT,
        "ok_per_s": NUMBER,
        "err_s": NUMBER,
        "hit_pct": PERCENT_OR_NULL,
        **_marked(_US),
        "interval_secs": NUMBER,
        "latency": object_of({"all": object_of({"response": _LATENCY})}),
        "commands": _COMMANDS,
    },
    {
        "service": object_of(_marked(_US)),
        "lag": object_of(_marked(_US)),
        "offered_s": NUMBER,
        "backlog": object_of({**_BACKLOG, "growing": TRUTH}),
        "lag_ours": object_of(_marked(_US)),
        "server": object_of(
            {
                "cpu_s": NUMBER,
                "cpu_share": NUMBER,
                "cpu_us_per_request": NUMBER_OR_NULL,
                "rss_bytes": COUNT,
                "threads": COUNT,
                "fds": COUNT,
            }
        ),
    },
)

RESULT = object_of(
    {
        "type": {"const": "result"},
        "ts": TIMESTAMP,
        "duration_secs": NUMBER,
        "interrupted": TRUTH,
        "embedded": TRUTH,
        "loop": LOOP,
        "requests": COUNT,
        "responses": COUNT,
        "responses_in_time": COUNT,
        "errors": COUNT,
        "err_pct": PERCENT_OR_NULL,
        "hits": COUNT,
        "misses": COUNT,
        "hit_pct": PERCENT_OR_NULL,
        "throughput": COUNT,
        "ok_per_s": NUMBER,
        "rx_bytes": COUNT,
        "tx_bytes": COUNT,
        "rx_bps": COUNT,
        "tx_bps": COUNT,
        "get": _COMMAND_US,
        "set": _COMMAND_US,
        "conns_active": COUNT,
        "conns_failed": COUNT,
        "latency": {**map_of(_CLOCKS), "required": ["all"]},
        "counts": _COUNTS,
        "commands": _COMMANDS,
        "totals": _TOTALS,
        "unaccounted": COUNT,
        "connections": _CONNECTIONS,
        "client": object_of(
            {"cpu_s": NUMBER, "cpu_us_per_request": NUMBER_OR_NULL, "max_rss_bytes": COUNT, "workers": COUNT}
        ),
        "verdict": _VERDICT,
        "signs": object_of(
            {"workers": array_of(_WORKER_SIGNS), "steal_share": NUMBER_OR_NULL, "clock_source": TEXT_OR_NULL}
        ),
        "standing": {**_STANDING, "type": ["object", "null"]},
        "error_examples": map_of(TEXT),
        "seed": COUNT,
        "histograms": map_of(object_of({"response": TEXT}, {"service": TEXT})),
    },
    {
        "delete": _COMMAND_US,
        "backfill_set": _COMMAND_US,
        "lag": _LAG,
        "overload": object_of(
            {
                "offered_per_s": NUMBER,
                "served_per_s": NUMBER,
                "backlog": object_of(_BACKLOG),
                "growing": TRUTH,
                "only_grew": TRUTH,
                "left_by_warmup": COUNT,
                "named": TRUTH,
            }
        ),
        "lag_histograms": object_of(dict.fromkeys(("lag", "lag_ours", "lag_backpressure"), TEXT)),
        "phases": array_of(_PHASE),
        "slo": array_of(_CHECK),
        "server": _SERVER,
        "test": TEXT,
    },
)

STEP = object_of(
    {
        "type": {"const": "step"},
        "ts": TIMESTAMP,
        "number": COUNT,
        "purpose": {"enum": ["base", "climb", "refine", "confirm"]},
        "rate_per_s": NUMBER,
        "length_secs": NUMBER,
        "offered_per_s": NUMBER,
        "achieved_per_s": NUMBER,
        "verdict": {"enum": ["PASS", "FAIL", "INCONCLUSIVE", "GENERATOR-LIMITED"]},
        "passed": TRUTH,
        "why": TEXT,
        "limits": array_of(
            object_of(
                {
                    **_LIMIT,
                    "x_ns": COUNT,
                    "exceed_ratio": SHARE,
                    "exceed_low": SHARE,
                    "exceed_high": SHARE,
                    "allowed": SHARE,
                }
            )
        ),
    }
)

_OUTCOMES = ("found", "generator-limited", "never failed", "never passed", "wide", "unconfirmed")

SATURATION = object_of(
    {
        "type": {"const": "saturation"},
        "ts": TIMESTAMP,
        "interrupted": TRUTH,
        "embedded": TRUTH,
        "failure": TEXT_OR_NULL,
        "limits": array_of(object_of(_LIMIT)),
        "outcome": {"enum": [*_OUTCOMES, None]},
        "reason": TEXT_OR_NULL,
        "lo_per_s": NUMBER_OR_NULL,
        "hi_per_s": NUMBER_OR_NULL,
        "confirmed": {"type": ["boolean", "null"]},
        "capacity_per_s": NUMBER_OR_NULL,
        "spent_secs": NUMBER_OR_NULL,
        "steps": COUNT_OR_NULL,
        "counts": _COUNTS,
        "commands": _COMMANDS,
        "totals": _TOTALS,
        "unaccounted": COUNT,
        "connections": _CONNECTIONS,
        "verdict": _VERDICT,
        "error_examples": map_of(TEXT),
        "seed": COUNT,
    }
)

SMOKE = smoke(RESULT)

RECORD: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A line of loadgen --format json",
    "oneOf": [CONFIG, PHASE, SAMPLE, RESULT, STEP, SATURATION, SMOKE, ROUND, COMPARISON, NOISE],
}
