"""The queue of a test, as each of its processes opens it."""

from __future__ import annotations

from loadgen.jobs.leader.setup import QueueSetup
from loadgen.jobs.queue import Queue
from loadgen.units import NS_PER_S


def queue_of(told: QueueSetup, *, concurrency: int = 1, renews: bool = True, worker: str = "") -> Queue:
    """Return the queue of a setup, whose worker does not start by itself. Raises UsageError."""
    return Queue(
        told.storage,
        name=told.name,
        concurrency=concurrency,
        lease_s=told.lease_ns / NS_PER_S,
        sweep_s=told.sweep_ns / NS_PER_S,
        auto_start=False,
        worker=worker,
        max_deliveries=told.max_deliveries,
        result_ttl_s=told.result_ttl_ns / NS_PER_S,
        layout=told.layout,
        durability=told.durability,
        renews=renews,
    )
