"""Plans of callers, and clients with planted faults, for tests of `loadgen.trial`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from loadgen.plan import Endpoint
from loadgen.trial.plan import CallerPlan, ClientPlan
from loadgen.trial.workloads import WORKLOADS

HOST = "127.0.0.1"


def plan(
    ports: Sequence[int] = (1,),
    *,
    client: str = "nothing:nothing",
    options: Mapping[str, str | int | float | bool] | None = None,
    workload: str = "constant",
    rate_per_s: float | None = None,
    concurrency: int = 4,
    timeout_ms: int = 200,
    seed: int = 1,
    protocol: str = "memcache",
    report_ms: int = 50,
    shared_keys: int | None = None,
) -> CallerPlan:
    """A plan of one caller process."""
    traffic = WORKLOADS[workload]
    if rate_per_s is not None:
        traffic = replace(traffic, rate_per_s=rate_per_s)
    if shared_keys is not None:
        traffic = replace(traffic, shared_keys=shared_keys)
    return CallerPlan(
        client=ClientPlan(client, client, options or {}),
        nodes=tuple(Endpoint(HOST, port, HOST) for port in ports),
        protocol=protocol,
        traffic=traffic,
        concurrency=concurrency,
        timeout_ns=timeout_ms * 1_000_000,
        seed=seed,
        writer=1,
        writers=1,
        report_ns=report_ms * 1_000_000,
    )
