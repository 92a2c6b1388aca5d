"""Mutants of what the engine stands on: a reactor that does not do what it promises."""

from __future__ import annotations

from loadgen.verify.mutants import _grounds
from loadgen.verify.mutants.mutant import Mutant, Where
from loadgen.verify.world import engine_load

OPERATIONS = "engine_concurrent_operations"


def _on(name: str, breaks: str, ground: type) -> Mutant:
    return Mutant(name, breaks, Where.ENGINE, OPERATIONS, ((engine_load, "Ground", ground),))


MUTANTS = (
    _on("lost news of a stream", "a stream that is ready beside others is not always reported", _grounds.LostNews),
)
