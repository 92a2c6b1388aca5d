"""What a run is told: plain frozen values that pickle small, with every number resolved and every seed drawn.

A `Plan` is made by `loadgen.config` and read by everything else. It knows nothing of TOML, files or outputs.
Times are int nanoseconds, sizes are bytes, rates are requests per second.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server address. `host` is as the user wrote it, `address` is what it resolved to."""

    host: str
    port: int
    address: str
    """A numeric IPv4 or IPv6 address."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Keyspace:
    """Keys are the ids 0 … count-1, written in lower-case hex, zero-padded to `length` characters."""

    count: int
    length: int
    distribution: str
    """`uniform` or `zipf`."""
    zipf_exponent: float


@dataclass(frozen=True, slots=True)
class Weights:
    """The command mix as whole-number weights; only their ratios matter."""

    get: int
    set: int
    delete: int


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """One worker process's own share of the load."""

    seed: int
    cpu: int | None
    """The CPU that the process is pinned to."""
    connections: tuple[int, ...]
    """How many connections it opens to each of the plan's endpoints, in their order."""
    rate_per_s: float
    """Its share of the offered rate; 0 in a closed loop."""
    prefill_first: int
    prefill_count: int
    """It prefills the ids prefill_first … prefill_first + prefill_count - 1."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. Every worker gets the Plan and its index in `workers`."""

    protocol: str
    """`resp`, `resp3`, `memcache` or `ping`."""
    endpoints: tuple[Endpoint, ...]
    username: str
    password: str
    """Empty: no AUTH is sent."""
    connections: int
    pipeline_depth: int
    batch_size: int
    """At most this many requests are written by one send(2)."""
    connect_timeout_ns: int
    request_timeout_ns: int
    request_distribution: str
    """`roundrobin` or `greedy`: which connection a due request goes to when there is a schedule."""
    rate_per_s: float
    """The offered rate over all workers; 0 means a closed loop."""
    prefill: bool
    prefill_timeout_ns: int
    """0: no limit."""
    backfill_on_miss: bool
    keyspace: Keyspace
    weights: Weights
    value_bytes: int
    warmup_ns: int
    duration_ns: int
    interval_ns: int
    seed: int
    workers: tuple[WorkerPlan, ...]
