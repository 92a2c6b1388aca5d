"""The shape of a load, which must be the same for two servers to be compared. A value; no I/O.

The amount of load, rate and time, is not part of a shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from loadgen.command import ALWAYS_STORED, MIXED
from loadgen.plan import Life, Plan, Weights
from loadgen.units import NS_PER_S, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shape of a load. Fields are named as in a `config` record; None for what a stored result does not say."""

    threads: int | None = None
    conns: int | None = None
    pipeline: int | None = None
    batch_size: int | None = None
    refill: str | None = None
    reconnect: str | None = None
    idle: int | None = None
    tracking: str | None = None
    keyspace: int | None = None
    key_size: int | None = None
    key_distribution: str | None = None
    value_size: int | None = None
    ttl_secs: float | None = None
    weights: Weights | None = None
    keys_per_request: int | None = None
    counters: int | None = None
    prefill: bool | None = None
    backfill_on_miss: bool | None = None
    arrival: str | None = None

    @classmethod
    def of(cls, plan: Plan) -> Shape:
        """Return the shape of a plan's load."""
        wire, workload = plan.wire, plan.workload
        return cls(
            threads=len(plan.workers),
            conns=wire.connections,
            pipeline=wire.pipeline_depth,
            batch_size=wire.batch_size,
            refill=wire.refill,
            reconnect=_reconnect(wire.life),
            idle=wire.life.idle,
            tracking=plan.target.tracking + " noloop" * plan.target.tracking_noloop,
            keyspace=workload.keyspace.count,
            key_size=workload.keyspace.length,
            key_distribution=workload.keyspace.distribution,
            value_size=workload.value_bytes,
            ttl_secs=workload.ttl_ns / NS_PER_S,
            weights=workload.weights,
            keys_per_request=workload.keys_per_request if workload.keys_per_request > 1 else None,
            counters=workload.keyspace.counters or None,
            prefill=workload.prefill,
            backfill_on_miss=workload.backfill_on_miss,
            arrival=plan.load.arrival,
        )

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Shape:
        """Return the shape that a record describes, without the fields that have no meaning in its `loop`.

        Raises TypeError or KeyError when the record is not as loadgen writes it.
        """
        found = {field.name: record.get(field.name) for field in fields(cls)}
        if (weights := found["weights"]) is not None:
            found["weights"] = Weights(**{name: weights.get(name, 0) for name in MIXED})
        shape = cls(**found)
        match record.get("loop"):
            case "open":
                return replace(shape, refill=None)
            case "closed":
                return replace(shape, arrival=None)
        return shape

    def record(self) -> dict[str, Any]:
        """Return the known fields, as a record has them."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _stored(value) for name, value in known.items() if value is not None}

    def or_else(self, other: Shape) -> Shape:
        """Return this shape, with its unknown fields taken from another."""
        mine = ((field.name, getattr(self, field.name)) for field in fields(self))
        return replace(other, **{name: value for name, value in mine if value is not None})

    def differences(self, other: Shape) -> list[str]:
        """Return the differences from another shape, such as "conns 50, not 100"; unknown fields do not differ."""
        pairs = ((field.name, getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        both = [(name, _words(a), _words(b)) for name, a, b in pairs if a is not None and b is not None]
        return [f"{name} {ours}, not {theirs}" for name, ours, theirs in both if ours != theirs]


def _reconnect(life: Life) -> str:
    """Return when connections are renewed, and how, in words: "never", "1 req, close"."""
    if not life.reconnect_requests and not life.reconnect_ns:
        return "never"
    every = f"{life.reconnect_requests} req" if life.reconnect_requests else format_duration(life.reconnect_ns)
    return f"{every}, {life.reconnect_by}"


def _stored(value: object) -> object:
    """Return a value as a record has it."""
    if isinstance(value, Weights):
        return {name: weight for name, weight in value.items() if weight or name in ALWAYS_STORED}
    return value


def _words(value: object) -> str:
    """Return a value in the words of a config file; weights as their shares."""
    if isinstance(value, Weights):
        return " / ".join(f"{share:.0%} {command}" for command, share in value.shares.items())
    return str(value).lower() if isinstance(value, bool) else str(value)
