"""The fields that describe the load on a server, as JSON Schema. No I/O."""

from __future__ import annotations

from loadgen.command import ALWAYS_STORED, MIXED
from loadgen.record.schema.shape import COUNT, NUMBER, TEXT, TRUTH, Schema, object_of

LOAD: Schema = {
    "threads": COUNT,
    "conns": COUNT,
    "pipeline": COUNT,
    "batch_size": COUNT,
    "refill": {"enum": ["slot", "drained"]},
    "reconnect": TEXT,
    "idle": COUNT,
    "tracking": TEXT,
    "keyspace": COUNT,
    "key_size": COUNT,
    "key_distribution": TEXT,
    "value_size": COUNT,
    "ttl_secs": NUMBER,
    "weights": object_of(
        dict.fromkeys(ALWAYS_STORED, COUNT), dict.fromkeys([name for name in MIXED if name not in ALWAYS_STORED], COUNT)
    ),
    "keys_per_request": COUNT,
    "counters": COUNT,
    "prefill": TRUTH,
    "backfill_on_miss": TRUTH,
    "arrival": {"enum": ["constant", "poisson"]},
}
