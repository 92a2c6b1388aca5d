"""The kinds of the queues: what holds for every seed, what seeds reach, and that each law finds what breaks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from loadgen.jobs.worker import Worker
from loadgen.verify.kinds.simulated import jobs_case, jobs_laws
from loadgen.verify.kinds.simulated.jobs_laws import DEAD_LETTER, RECLAIMS, RETRIED, TWICE
from loadgen.verify.kinds.simulated.jobs_plan import PROFILES, Profile
from loadgen.verify.kinds.simulated.suite import SUITE
from loadgen.verify.mutants.registry import MUTANTS
from loadgen.verify.tape import Tape
from loadgen.verify.world.redis.queues import _Queue, _Stream

JOBS = 16
OPTIONS = {"ops": str(JOBS)}
SEEDS = 5
MOST_SEEDS = 16
"""For a law to find what breaks it."""


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_queue_keeps_its_promises_with_every_seed_and_a_seed_is_one_run(profile: Profile) -> None:
    states: Counter[str] = Counter()
    with SUITE.opened([profile.name], OPTIONS, print) as opened:
        for seed in range(SEEDS):
            outcome = opened.kinds[0].run(Tape.seeded(profile.name, seed))
            assert not outcome.failed, f"seed {seed}: {outcome.invariant}: {outcome.message}"
            states.update(outcome.sometimes)
    assert states[RECLAIMS], states
    assert states[TWICE], states
    assert states[RETRIED] + states[DEAD_LETTER], states


COUNTS = (
    ("ack before execution", 1, "stuck"),
    ("claim without lease", 0, "duplicate_executions"),
    ("reclaim ignores deliveries", 11, "executions"),
    ("ack not fenced", 3, "duplicate_effects"),
    ("XDEL before XACK", 33, "stuck"),
)
"""Mutants, with a seed that finds each, and the count of the account that tells."""


@pytest.mark.parametrize(("name", "seed", "count"), COUNTS)
def test_a_count_of_the_account_tells_a_queue_that_is_broken(name: str, seed: int, count: str) -> None:
    mutant = MUTANTS[name]
    with mutant.planted(), SUITE.opened([mutant.kind], OPTIONS, print) as opened:
        outcome = opened.kinds[0].run(Tape.seeded(mutant.kind, seed))
    assert outcome.message.startswith(f"{count} "), outcome
    with SUITE.opened([mutant.kind], OPTIONS, print) as opened:
        assert not opened.kinds[0].run(Tape.seeded(mutant.kind, seed)).failed


def _forgets(original: Callable[..., Any]) -> Callable[..., Any]:
    """Acknowledge every job, and store none without a delay."""

    def publish(self: Any, job: Any, key_ms: bytes) -> Any:
        return original(self, job, key_ms) if int(job[4]) else (job[0], 0)

    return publish


def _same_fence(original: Callable[..., Any]) -> Callable[..., Any]:
    def begin(self: Any, id: bytes, *words: Any) -> Any:
        self._call("HSET", self._job(id), "f", 0)
        return original(self, id, *words)

    return begin


def _early(original: Callable[..., Any]) -> Callable[..., Any]:
    def promote(self: Any) -> Any:
        self._now += 10_000
        try:
            return original(self)
        finally:
            self._now -= 10_000

    return promote


def _late(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, worker, lease_ms, cursor: original(self, worker, 3 * lease_ms, cursor)


def _stays(original: Callable[..., Any]) -> Callable[..., Any]:
    def finish(self: Any, id: bytes, state: str, keep_ms: bytes, *fields: Any) -> Any:
        return original(self, id, state, b"1000000000", *fields)

    return finish


def _deaf(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: None


@pytest.mark.parametrize(
    ("law", "owner", "name", "broken"),
    [
        (jobs_laws.LOST, _Queue, "_publish", _forgets),
        (jobs_laws.GROWS, _Queue, "_begin", _same_fence),
        (jobs_laws.EARLY, _Queue, "_promote", _early),
        (jobs_laws.RECLAIM, _Stream, "_expired", _late),
        (jobs_laws.EMPTY, _Queue, "_finish", _stays),
        (jobs_case.STOPS, Worker, "stop", _deaf),
    ],
)
def test_a_law_finds_what_breaks_it(
    law: str, owner: type, name: str, broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, broken(getattr(owner, name)))
    found: Counter[str] = Counter()
    with SUITE.opened(["jobs_streams"], OPTIONS, print) as opened:
        for seed in range(MOST_SEEDS):
            outcome = opened.kinds[0].run(Tape.seeded("jobs_streams", seed))
            found[outcome.invariant] += 1
            if outcome.invariant == law:
                return
    pytest.fail(f"{found}")
