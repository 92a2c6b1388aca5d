"""The engine's plan of a simulated case, drawn from its tape: connections, requests, keys, values and rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.plan import (
    Endpoint,
    Keyspace,
    Load,
    Plan,
    Segment,
    Target,
    Weights,
    Wire,
    WorkerPlan,
    Workload,
)
from loadgen.units import MAX_DURATION_NS, NS_PER_MS, NS_PER_S
from loadgen.verify.tape import MOST, SEED, Tape

PROTOCOLS = ("resp", "memcache", "resp3")
DISTRIBUTIONS = ("roundrobin", "greedy", "random", "least_inflight")
MIXES = (Weights(get=1, set=1), Weights(get=1), Weights(get=9, set=1), Weights(get=3, set=2, delete=1), Weights(set=1))
FAST = 20_000_000
"""The bytes/s of streams from which values are large: on others they would take all of a case's time."""
TIMEOUTS_NS = (NS_PER_S, 10 * NS_PER_S, 100 * NS_PER_MS)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the plans of one kind are drawn from, the simplest of each first."""

    servers: int = 3
    """The most."""
    connections: tuple[int, ...] = (2, 1, 4, 8)
    """To each server."""
    depths: tuple[int, ...] = (1, 2, 8, 64)
    keys: tuple[int, ...] = (100, 1, 10, 1000)
    """Of one server. Each of several servers must own a key: they have 100 at least."""
    mixes: tuple[Weights, ...] = MIXES
    value_bytes: tuple[int, ...] = (64, 16, 1000)
    """At least the mark by which a history knows a value."""


def drawn_plan(
    tape: Tape,
    shape: Shape,
    protocol: str,
    endpoints: Sequence[Endpoint],
    operations: int,
    round_trip_ns: int,
    bytes_per_s: int,
) -> Plan:
    """Return the plan of `operations` requests to some servers, in a closed or an open loop, as the tape has it.

    `round_trip_ns` is the longest that a request takes when nothing is lost and no link is full; `bytes_per_s` is the
    most that a stream, or all streams to a server together, carries.
    """
    several = len(endpoints) > 1
    connections = (tape.choice(shape.connections, "connections to each server"),) * len(endpoints)
    depth = tape.choice(shape.depths, "pipeline depth")
    prefill = tape.chance(0.2, "prefill")
    # A greeting, too, comes within the timeout: below a round trip hardly a connection would ever be ready.
    timeout_ns = max(tape.choice(TIMEOUTS_NS, "request timeout"), round_trip_ns)
    connect_timeout_ns = tape.choice((NS_PER_S, 5 * NS_PER_S), "connect timeout")
    sizes = [(4, size) for size in shape.value_bytes]
    value_bytes = tape.weighted([*sizes, (bytes_per_s >= FAST, 20_000)], "value bytes")
    if prefill:
        # A prefill goes on until each key was stored in time: with a timeout below a full link's, for ever.
        full_ns = transfer_ns(connections[0] * depth, value_bytes, bytes_per_s)
        timeout_ns = max(timeout_ns, 10 * round_trip_ns + 4 * full_ns)
        connect_timeout_ns = max(connect_timeout_ns, timeout_ns)
    wire = Wire(
        connections=sum(connections),
        pipeline_depth=depth,
        batch_size=tape.choice((depth, 1), "batch size"),
        connect_timeout_ns=connect_timeout_ns,
        request_timeout_ns=timeout_ns,
        request_distribution=tape.choice(DISTRIBUTIONS, "request distribution"),
        refill=tape.choice(("slot", "drained"), "refill"),
        longest_backoff_ns=tape.choice((5 * NS_PER_S, 100 * NS_PER_MS), "longest backoff"),
    )
    # Each of several servers must own a key.
    keys = tape.choice(tuple(n for n in shape.keys if n >= 100) if several else shape.keys, "keys")
    workload = Workload(
        Keyspace(keys, 16, tape.choice(("uniform", "zipf"), "distribution of keys"), 1.0),
        tape.choice(shape.mixes, "mix"),
        value_bytes,
        prefill=prefill,
        backfill_on_miss=tape.chance(0.2, "backfill"),
    )
    rate_per_s = tape.choice((0, 1_000, 10_000, 100_000), "requests/s, 0 in a closed loop")
    warmup_ns = round_trip_ns * tape.choice((0, 3), "warm-up, in round trips")
    load = Load(
        # In an open loop, no more requests than are measured fall due in the warm-up.
        warmup_ns=min(warmup_ns, operations * NS_PER_S // rate_per_s) if rate_per_s else warmup_ns,
        duration_ns=0,
        interval_ns=0,
        profile=(Segment(MAX_DURATION_NS, rate_per_s, rate_per_s),) if rate_per_s else (),
        arrival=tape.choice(("constant", "poisson"), "arrival") if rate_per_s else "constant",
        requests=operations,
    )
    seed = tape.below(MOST, SEED)
    worker = WorkerPlan(seed, None, connections, 1.0, 0, keys)
    return Plan(Target(protocol, tuple(endpoints)), wire, workload, load, seed, (worker,))


def transfer_ns(values: int, value_bytes: int, bytes_per_s: int) -> int:
    """Return about the time that so many values take with all around them; 0 without a limit."""
    return values * (value_bytes + 100) * NS_PER_S // bytes_per_s if bytes_per_s else 0


def in_words(plan: Plan) -> str:
    """Return the plan as text to read, in a line."""
    wire, workload, load = plan.wire, plan.workload, plan.load
    loop = f"{load.arrival} {load.rate_per_s:.0f}/s" if load.open_loop else f"closed loop, refill {wire.refill}"
    weights = workload.weights
    return (
        f"{load.requests} requests by {plan.target.protocol} on {wire.connections} connections to "
        f"{len(plan.target.endpoints)} servers, depth {wire.pipeline_depth}, batch {wire.batch_size}, "
        f"{wire.request_distribution}, {loop}, timeout {wire.request_timeout_ns / NS_PER_S:g} s, "
        f"{workload.keyspace.count} keys, {':'.join(map(str, weights.values()))}, {workload.value_bytes} bytes"
        f"{', prefill' * workload.prefill}{', backfill' * workload.backfill_on_miss}"
    )
