"""What the JSON records may hold, as JSON Schema 2020-12. `docs/RESULTS.md` has the meanings. No I/O.

No record has a field that is not here: a field added to `events` and not to this file fails the tests.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_TRUTH: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number", "minimum": 0}
_COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
_NUMBER_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_PERCENT_OR_NULL: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 100}
_TIMESTAMP: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"}
_LOOP: Schema = {"enum": ["closed", "open"]}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _array_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _marked(values: Schema) -> Schema:
    """The values, and the names of those that are to be read with care."""
    names = {**_array_of({"enum": list(values)}), "uniqueItems": True}
    return {**values, "lower_bounds": names, "few_samples": names}


_US = {f"{name}_us": _COUNT_OR_NULL for name in ("p50", "p90", "p99", "p999", "p9999", "max")}
_NS: Schema = {
    "min_ns": _COUNT_OR_NULL,
    "mean_ns": _NUMBER_OR_NULL,
    **{f"{name}_ns": _COUNT_OR_NULL for name in ("p50", "p90", "p95", "p99", "p999", "p9999", "max")},
}
_COMMAND_US = _object({"count": _COUNT, **_marked(_US)})
_LATENCY_NS: Schema = {"count": _COUNT, "overflow": _COUNT, "censored": _COUNT, **_marked(_NS)}
_LATENCY = _object(_LATENCY_NS)
_LAG = _object({**_LATENCY_NS, "ours": _LATENCY, "backpressure": _LATENCY})
_CLOCKS = _object({"response": _LATENCY, "service": _LATENCY})
_TALLY: Schema = {
    "planned": _COUNT,
    "ok": _COUNT,
    "error_replies": _COUNT,
    "timeouts": _COUNT,
    "lost": _COUNT,
    "corrupt": _COUNT,
    "unfinished": _COUNT,
    "hits": _COUNT,
    "misses": _COUNT,
    "late": _COUNT,
    "unsent": _COUNT,
}

_COUNTS = _object({**_TALLY, "errors": _map_of(_COUNT)})
_COMMANDS = _map_of(_object(_TALLY))
_TOTALS = _object(
    {"sent": _COUNT, "received": _COUNT, "commands": _map_of(_object({"sent": _COUNT, "received": _COUNT}))}
)
_CONNECTIONS = _object(
    {"opened": _COUNT, "failed": _COUNT, "closed": _COUNT, "reconnects": _COUNT, "failures": _map_of(_COUNT)}
)
_VERDICT = _object({"valid": _TRUTH, "reasons": _TEXTS, "warnings": _TEXTS})
_METRICS = ("p50", "p90", "p95", "p99", "p999", "p9999", "max", "errors", "timeouts", "hit_rate_min", "throughput_min")
_OBJECTIVE: Schema = {
    "metric": {"enum": list(_METRICS)},
    "command": _TEXT,
    "limit": _NUMBER,
    "unit": {"enum": ["ns", "count", "share", "per_s"]},
}
_CHECK = _object(
    {
        **_OBJECTIVE,
        "measured": _NUMBER_OR_NULL,
        "answer": {"enum": ["met", "breached", "unknown"]},
        "lower_bound": _TRUTH,
        "few_samples": _TRUTH,
    }
)
_WORKER_SIGNS = _object(
    {
        "index": _COUNT,
        "cpu_share": _NUMBER_OR_NULL,
        "queue_share": _NUMBER_OR_NULL,
        "longest_pause_ns": _COUNT,
        "paused": _object({"count": _COUNT, "busy_ns": _COUNT, "queued_ns": _COUNT, "stopped_ns": _COUNT}),
        "overdue": _COUNT,
    }
)
_STANDING = _object(
    {"ceiling_per_s": _NUMBER, "share": _NUMBER, "floor_p50_ns": _COUNT, "floor_p99_ns": _COUNT, "taken": _TEXT}
)
_LIMIT: Schema = {"metric": _TEXT, "quantile": _SHARE, "command": _TEXT, "limit_ns": _COUNT_OR_NULL}

CONFIG = _object(
    {
        "type": {"const": "config"},
        "schema_version": {"const": 1},
        "ts": _TIMESTAMP,
        "version": _TEXT,
        "target": _TEXT,
        "server": _TEXT_OR_NULL,
        "embedded": _TRUTH,
        "protocol": {"enum": ["Resp", "Resp3", "Memcache", "Ping"]},
        "tls": _TRUTH,
        "threads": _COUNT,
        "conns": _COUNT,
        "pipeline": _COUNT,
        "batch_size": _COUNT,
        "keyspace": _COUNT,
        "key_size": _COUNT,
        "key_distribution": _TEXT,
        "value_size": _COUNT,
        "weights": _object({"get": _COUNT, "set": _COUNT, "delete": _COUNT}),
        "prefill": _TRUTH,
        "backfill_on_miss": _TRUTH,
        "engine": _TEXT,
        "loop": _LOOP,
        "search": {"anyOf": [{"type": "null"}, _array_of(_object(_LIMIT))]},
        "warmup_secs": _NUMBER,
        "duration_secs": _NUMBER,
        "interval_secs": _NUMBER,
        "request_timeout_secs": _NUMBER,
        "arrival": {"enum": ["constant", "poisson"]},
        "profile": _array_of(
            _object({"for_secs": _NUMBER, "from_per_s": _NUMBER, "to_per_s": _NUMBER}, {"period_secs": _NUMBER})
        ),
        "request_distribution": {"enum": ["roundrobin", "greedy", "random", "least_inflight"]},
        "spin": _TRUTH,
        "slo": _array_of(_object(_OBJECTIVE)),
        "verdict_limits": _object(
            {
                "lag_ns": _COUNT,
                "lag_share": _NUMBER,
                "shortfall": _NUMBER,
                "cpu_share": _NUMBER,
                "queue_share": _NUMBER,
                "steal_share": _NUMBER,
                "pause_ns": _COUNT,
                "ceiling_share": _NUMBER,
                "drift_p": _NUMBER,
            }
        ),
        "seed": _COUNT,
        "warnings": _TEXTS,
    },
    {"ratelimit": _NUMBER, "cpu_list": _TEXT},
)

PHASE = _object(
    {
        "type": {"const": "phase"},
        "ts": _TIMESTAMP,
        "phase": {"enum": ["connect", "precheck", "prefill", "warmup", "measure", "search", "drain"]},
    }
)

SAMPLE = _object(
    {
        "type": {"const": "sample"},
        "ts": _TIMESTAMP,
        "req_s": _COUNT,
        "err_s": _NUMBER,
        "hit_pct": _PERCENT_OR_NULL,
        **_marked(_US),
    },
    {"service": _object(_marked(_US)), "lag": _object(_marked(_US))},
)

RESULT = _object(
    {
        "type": {"const": "result"},
        "ts": _TIMESTAMP,
        "duration_secs": _NUMBER,
        "interrupted": _TRUTH,
        "embedded": _TRUTH,
        "loop": _LOOP,
        "requests": _COUNT,
        "responses": _COUNT,
        "errors": _COUNT,
        "err_pct": _PERCENT_OR_NULL,
        "hits": _COUNT,
        "misses": _COUNT,
        "hit_pct": _PERCENT_OR_NULL,
        "throughput": _COUNT,
        "rx_bytes": _COUNT,
        "tx_bytes": _COUNT,
        "rx_bps": _COUNT,
        "tx_bps": _COUNT,
        "get": _COMMAND_US,
        "set": _COMMAND_US,
        "conns_active": _COUNT,
        "conns_failed": _COUNT,
        "latency": {**_map_of(_CLOCKS), "required": ["all"]},
        "counts": _COUNTS,
        "commands": _COMMANDS,
        "totals": _TOTALS,
        "connections": _CONNECTIONS,
        "client": _object(
            {"cpu_s": _NUMBER, "cpu_us_per_request": _NUMBER_OR_NULL, "max_rss_bytes": _COUNT, "workers": _COUNT}
        ),
        "verdict": _VERDICT,
        "signs": _object(
            {"workers": _array_of(_WORKER_SIGNS), "steal_share": _NUMBER_OR_NULL, "clock_source": _TEXT_OR_NULL}
        ),
        "standing": {**_STANDING, "type": ["object", "null"]},
        "error_examples": _map_of(_TEXT),
        "seed": _COUNT,
        "histograms": _map_of(_object({"response": _TEXT}, {"service": _TEXT})),
    },
    {"delete": _COMMAND_US, "backfill_set": _COMMAND_US, "lag": _LAG, "slo": _array_of(_CHECK)},
)

STEP = _object(
    {
        "type": {"const": "step"},
        "ts": _TIMESTAMP,
        "number": _COUNT,
        "purpose": {"enum": ["base", "climb", "refine", "confirm"]},
        "rate_per_s": _NUMBER,
        "length_secs": _NUMBER,
        "offered_per_s": _NUMBER,
        "achieved_per_s": _NUMBER,
        "verdict": {"enum": ["PASS", "FAIL", "INCONCLUSIVE", "GENERATOR-LIMITED"]},
        "passed": _TRUTH,
        "why": _TEXT,
        "limits": _array_of(
            _object(
                {
                    **_LIMIT,
                    "x_ns": _COUNT,
                    "exceed_ratio": _SHARE,
                    "exceed_low": _SHARE,
                    "exceed_high": _SHARE,
                    "allowed": _SHARE,
                }
            )
        ),
    }
)

_OUTCOMES = ("found", "generator-limited", "never failed", "never passed", "wide", "unconfirmed")

SATURATION = _object(
    {
        "type": {"const": "saturation"},
        "ts": _TIMESTAMP,
        "interrupted": _TRUTH,
        "embedded": _TRUTH,
        "failure": _TEXT_OR_NULL,
        "limits": _array_of(_object(_LIMIT)),
        "outcome": {"enum": [*_OUTCOMES, None]},
        "reason": _TEXT_OR_NULL,
        "lo_per_s": _NUMBER_OR_NULL,
        "hi_per_s": _NUMBER_OR_NULL,
        "confirmed": {"type": ["boolean", "null"]},
        "capacity_per_s": _NUMBER_OR_NULL,
        "spent_secs": _NUMBER_OR_NULL,
        "steps": _COUNT_OR_NULL,
        "counts": _COUNTS,
        "commands": _COMMANDS,
        "totals": _TOTALS,
        "unaccounted": _COUNT,
        "connections": _CONNECTIONS,
        "verdict": _VERDICT,
        "error_examples": _map_of(_TEXT),
        "seed": _COUNT,
    }
)

RECORD: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A line of loadgen --format json",
    "oneOf": [CONFIG, PHASE, SAMPLE, RESULT, STEP, SATURATION],
}
