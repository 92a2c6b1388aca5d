"""Factories of clients with one defect each, for trials: what checks of clients must find.

To put a mutant on trial, name its factory, such as `client_mutants:late_reply_delivered`, with this folder on
PYTHONPATH. The defects are those of `loadgen.verify.mutants.client`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from loadgen.trial.adapters.builtin import Builtin
from loadgen.verify.mutants import client
from loadgen.verify.mutants.mutant import Mutant

MUTANTS = {mutant.name: mutant for mutant in client.OF_TRIALS}
"""By name."""


def _factory(mutant: Mutant) -> Callable[..., Builtin]:
    def make(nodes: Sequence[tuple[str, int]], timeout_s: float, **options: Any) -> Builtin:
        mutant.plant()
        return Builtin(nodes, timeout_s, **options)

    return make


# Each mutant's factory, by its name with underscores.
globals().update({name.replace(" ", "_").replace("-", "_"): _factory(mutant) for name, mutant in MUTANTS.items()})
