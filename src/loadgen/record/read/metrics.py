"""The metrics of a `result` record, in the units of comparisons and histories: per second, ns, bytes. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadgen.percentiles import COMPARED
from loadgen.units import NS_PER_US


def metrics(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics by name; None for a metric that the record lacks. Raise KeyError when it is no `result`."""
    response, server = record["latency"]["all"]["response"], record.get("server") or {}
    cpu_us = server.get("cpu_us_per_request")
    return {
        "throughput": record["throughput"],
        **{name: response[f"{name}_ns"] for name, _, _ in COMPARED},
        "server_cpu": None if cpu_us is None else cpu_us * NS_PER_US,
        "rss": server.get("max_rss_bytes"),
    }


def at_least(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the percentiles among the metrics that are lower bounds, as requests were not answered."""
    bounds = record["latency"]["all"]["response"]["lower_bounds"]
    return tuple(name for name, _, _ in COMPARED if f"{name}_ns" in bounds)


def rate_per_s(record: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    """Return the offered rate, from the `config` record before the `result`; 0 in a closed loop."""
    return config.get("ratelimit") or 0 if record["loop"] == "open" else 0
