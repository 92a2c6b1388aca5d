"""The engine on a modelled cluster that changes under load: what ships passes, and planted defects are found."""

from __future__ import annotations

from collections import Counter

import pytest

from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds.simulated.cluster_operations import CLUSTER_KINDS, ClusterKind, ClusterOperations
from loadgen.verify.kinds.simulated.twice import Twice
from loadgen.verify.mutants.cluster import MUTANTS
from loadgen.verify.mutants.mutant import Mutant
from loadgen.verify.tape import Tape

OPERATIONS = 100
SEEDS = range(30)


KINDS = {kind.name: kind for kind in CLUSTER_KINDS}


def run(seed: int, kind: ClusterKind = CLUSTER_KINDS[0]) -> Outcome:
    return Twice(ClusterOperations(OPERATIONS, kind)).run(Tape(seed))


def test_replicas_answer_reads_with_what_there_was_and_never_with_what_there_was_not() -> None:
    reached: Counter[str] = Counter()
    for seed in SEEDS:
        outcome = run(seed, KINDS["engine_cluster_replicas"])
        assert outcome.verdict is Verdict.PASS, (seed, outcome.invariant, outcome.message, outcome.faults)
        reached.update(outcome.sometimes)
    assert min(count for state, count in reached.items() if state.startswith("change:")) > 0, reached
    assert reached["a replica answers a read"]


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
        outcomes = (ClusterOperations(OPERATIONS, KINDS[mutant.kind]).run(Tape(seed)) for seed in SEEDS)
        assert any(outcome.verdict is Verdict.FAIL for outcome in outcomes), mutant.breaks
