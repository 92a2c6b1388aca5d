"""The kinds of the queues: what holds for every seed, and what seeds reach."""

from __future__ import annotations

from collections import Counter

import pytest

from loadgen.verify.kinds.simulated.jobs_laws import DEAD_LETTER, RECLAIMS, RETRIED, TWICE
from loadgen.verify.kinds.simulated.jobs_plan import PROFILES, Profile
from loadgen.verify.kinds.simulated.suite import SUITE
from loadgen.verify.tape import Tape

JOBS = 16
SEEDS = 5


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_queue_keeps_its_promises_with_every_seed_and_a_seed_is_one_run(profile: Profile) -> None:
    states: Counter[str] = Counter()
    with SUITE.opened([profile.name], {"ops": str(JOBS)}, print) as opened:
        for seed in range(SEEDS):
            outcome = opened.kinds[0].run(Tape.seeded(profile.name, seed))
            assert not outcome.failed, f"seed {seed}: {outcome.invariant}: {outcome.message}"
            states.update(outcome.sometimes)
    assert states[RECLAIMS], states
    assert states[TWICE], states
    assert states[RETRIED] + states[DEAD_LETTER], states
