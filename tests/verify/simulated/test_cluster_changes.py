"""The engine on a modelled cluster that changes under load: what ships passes, and planted defects are found."""

from __future__ import annotations

from collections import Counter

import pytest

from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds.simulated.cluster_operations import ClusterOperations
from loadgen.verify.kinds.simulated.twice import Twice
from loadgen.verify.mutants.cluster import MUTANTS
from loadgen.verify.mutants.mutant import Mutant
from loadgen.verify.tape import Tape

OPERATIONS = 100
SEEDS = range(30)


def run(seed: int) -> Outcome:
    return Twice(ClusterOperations(OPERATIONS)).run(Tape(seed))


def test_the_engine_follows_a_cluster_that_changes_and_loses_nothing() -> None:
    reached: Counter[str] = Counter()
    for seed in SEEDS:
        outcome = run(seed)
        assert outcome.verdict is Verdict.PASS, (seed, outcome.invariant, outcome.message, outcome.faults)
        reached.update(outcome.sometimes)
    assert min(count for state, count in reached.items() if state.startswith("change:")) > 0, reached
    assert reached["a request is answered MOVED"]
    assert reached["a request is answered ASK"]
    assert reached["the load ends after the last change"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_defect_is_found_within_some_seeds(mutant: Mutant) -> None:
    with mutant.planted():
        outcomes = (ClusterOperations(OPERATIONS).run(Tape(seed)) for seed in SEEDS)
        assert any(outcome.verdict is Verdict.FAIL for outcome in outcomes), mutant.breaks
