"""What load a server was measured under, in the words of a `config` record. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from loadgen.plan import Plan
from loadgen.record.schema.load import LOAD


def load(plan: Plan) -> dict[str, Any]:
    """The fields of LOAD. How much of it there is, rate and time, is none of them."""
    return {
        "threads": len(plan.workers),
        "conns": plan.wire.connections,
        "pipeline": plan.wire.pipeline_depth,
        "batch_size": plan.wire.batch_size,
        "refill": plan.wire.refill,
        "keyspace": plan.workload.keyspace.count,
        "key_size": plan.workload.keyspace.length,
        "key_distribution": plan.workload.keyspace.distribution,
        "value_size": plan.workload.value_bytes,
        "weights": asdict(plan.workload.weights),
        "prefill": plan.workload.prefill,
        "backfill_on_miss": plan.workload.backfill_on_miss,
        "arrival": plan.load.arrival,
    }


def load_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a `config` record says of the load, but for what has no meaning in its loop."""
    idle = "refill" if config["loop"] == "open" else "arrival"
    return {key: config[key] for key in LOAD if key in config and key != idle}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """In what two loads differ, such as "conns 50, not 100"; what one of them does not say is no difference."""
    both = [(key, _comparable(a[key]), _comparable(b[key])) for key in LOAD if key in a and key in b]
    return [f"{key} {ours}, not {theirs}" for key, ours, theirs in both if ours != theirs]


def _comparable(value: object) -> str:
    """In the words of a config file; of weights only the ratios count."""
    if isinstance(value, Mapping):
        whole = sum(value.values())
        return " / ".join(f"{weight / whole:.0%} {command}" for command, weight in value.items() if weight)
    return str(value).lower() if isinstance(value, bool) else str(value)
