"""Mutants of the engine, and of what it stands on: a reactor that does not do what it promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loadgen.engine._engine import Engine
from loadgen.plan import Plan
from loadgen.verify.mutants import _grounds
from loadgen.verify.mutants.mutant import Mutant, Where
from loadgen.verify.world import engine_load


def _without_backoff(plan: Plan, *others: Any) -> Engine:
    """Make an engine that opens a connection that failed as soon as it looks at it again."""
    return Engine(replace(plan, wire=replace(plan.wire, longest_backoff_ns=0)), *others)


def _row(name: str, breaks: str, kind: str, piece: str, replacement: object) -> Mutant:
    return Mutant(name, breaks, Where.ENGINE, kind, ((engine_load, piece, replacement),))


MUTANTS = (
    _row(
        "lost news of a stream",
        "a stream that is ready beside others is not always reported",
        "engine_concurrent_operations",
        "Ground",
        _grounds.LostNews,
    ),
    _row(
        "reconnect herd",
        "a connection that failed is opened again without a wait, however often it has failed",
        "engine_connection_storm",
        "Engine",
        _without_backoff,
    ),
)
