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


def _lower_bounds(names: Schema) -> Schema:
    return {"type": "array", "items": {"enum": list(names)}, "uniqueItems": True}


_US = {f"{name}_us": _COUNT_OR_NULL for name in ("p50", "p90", "p99", "p999", "p9999", "max")}
_NS: Schema = {
    "min_ns": _COUNT_OR_NULL,
    "mean_ns": _NUMBER_OR_NULL,
    **{f"{name}_ns": _COUNT_OR_NULL for name in ("p50", "p90", "p95", "p99", "p999", "p9999", "max")},
}
_COMMAND_US = _object({"count": _COUNT, **_US, "lower_bounds": _lower_bounds(_US)})
_LATENCY = _object({"count": _COUNT, **_NS, "overflow": _COUNT, "censored": _COUNT, "lower_bounds": _lower_bounds(_NS)})
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

CONFIG = _object(
    {
        "type": {"const": "config"},
        "schema_version": {"const": 1},
        "ts": _TIMESTAMP,
        "version": _TEXT,
        "target": _TEXT,
        "server": {"type": ["string", "null"]},
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
        "warmup_secs": _NUMBER,
        "duration_secs": _NUMBER,
        "interval_secs": _NUMBER,
        "request_timeout_secs": _NUMBER,
        "seed": _COUNT,
        "warnings": _TEXTS,
    },
    {"ratelimit": _NUMBER, "cpu_list": _TEXT},
)

PHASE = _object(
    {
        "type": {"const": "phase"},
        "ts": _TIMESTAMP,
        "phase": {"enum": ["connect", "precheck", "prefill", "warmup", "measure", "drain"]},
    }
)

SAMPLE = _object(
    {
        "type": {"const": "sample"},
        "ts": _TIMESTAMP,
        "req_s": _COUNT,
        "err_s": _NUMBER,
        "hit_pct": _PERCENT_OR_NULL,
        **_US,
        "lower_bounds": _lower_bounds(_US),
    }
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
        "counts": _object({**_TALLY, "errors": _map_of(_COUNT)}),
        "commands": _map_of(_object(_TALLY)),
        "totals": _object(
            {"sent": _COUNT, "received": _COUNT, "commands": _map_of(_object({"sent": _COUNT, "received": _COUNT}))}
        ),
        "connections": _object(
            {"opened": _COUNT, "failed": _COUNT, "closed": _COUNT, "reconnects": _COUNT, "failures": _map_of(_COUNT)}
        ),
        "client": _object(
            {"cpu_s": _NUMBER, "cpu_us_per_request": _NUMBER_OR_NULL, "max_rss_bytes": _COUNT, "workers": _COUNT}
        ),
        "verdict": _object({"valid": _TRUTH, "reasons": _TEXTS, "warnings": _TEXTS}),
        "error_examples": _map_of(_TEXT),
        "seed": _COUNT,
        "histograms": _map_of(_object({"response": _TEXT}, {"service": _TEXT})),
    },
    {"delete": _COMMAND_US, "backfill_set": _COMMAND_US, "lag": _LATENCY},
)

RECORD: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A line of loadgen --format json",
    "oneOf": [CONFIG, PHASE, SAMPLE, RESULT],
}
