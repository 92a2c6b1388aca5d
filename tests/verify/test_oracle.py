"""The oracle: two servers of one kind agree, and each planted bug is found and shrunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import planted_subjects
import pytest
from planted_subjects import Planted

from loadgen.protocol import Wire
from loadgen.verify.artifact import Origin
from loadgen.verify.campaign import Batch, Campaign
from loadgen.verify.ended import FailureFound
from loadgen.verify.grammar.groups import GROUPS
from loadgen.verify.grammar.memcache import MEMCACHE_GROUPS
from loadgen.verify.kinds.oracle import OracleKind
from loadgen.verify.subject import named
from loadgen.verify.subject.of_model import ModelSubject
from loadgen.verify.subject.subject import Subject
from loadgen.verify.tape import Tape


@pytest.fixture(scope="module")
def redis() -> Iterator[Subject]:
    with named.opened(named.Wanted("redis", Wire.RESP), lambda progress: None) as subject:
        yield subject


@pytest.fixture(scope="module")
def builtin() -> Iterator[Subject]:
    with named.opened(named.Wanted("builtin", Wire.RESP), lambda progress: None) as subject:
        yield subject


def failure_of(kind: OracleKind, seeds: int) -> FailureFound:
    """The first failure of a kind, shrunk."""
    found: list[FailureFound] = []
    campaign = Campaign(
        "oracle",
        Origin("test"),
        seeds,
        emit=lambda event: found.append(event) if isinstance(event, FailureFound) else None,
        clock_ns=lambda: 0,
        replay=lambda batch, name, seed: "",
    )
    campaign.run(Batch("oracle", [kind], range(seeds)))
    assert found, "the planted bug was not found"
    return found[0]


@pytest.mark.parametrize("group", GROUPS)
def test_redis_agrees_with_the_model(group: str, redis: Subject) -> None:
    """The model is the truth of properties: this is the test of the model."""
    kind = OracleKind(GROUPS[group], redis, ModelSubject(Wire.RESP))
    for seed in range(4 if group == "expiry" else 12):
        outcome = kind.run(Tape.seeded(kind.name, seed))
        assert not outcome.failed, (seed, outcome.message, outcome.operations)
        assert len(outcome.operations) >= 50


@pytest.mark.parametrize("group", MEMCACHE_GROUPS)
def test_memcached_agrees_with_the_model(group: str) -> None:
    with named.opened(named.Wanted("memcached", Wire.MEMCACHE), lambda progress: None) as memcached:
        kind = OracleKind(MEMCACHE_GROUPS[group], memcached, ModelSubject(Wire.MEMCACHE))
        for seed in range(15):
            outcome = kind.run(Tape.seeded(kind.name, seed))
            assert not outcome.failed, (seed, outcome.message, outcome.operations)


@pytest.mark.parametrize("bug", planted_subjects.BUILT_IN.values(), ids=planted_subjects.BUILT_IN)
def test_a_bug_in_the_built_in_server_is_found_and_shrunk(
    bug: Callable[[Planted, object], object], redis: Subject, builtin: Subject
) -> None:
    failure = failure_of(OracleKind(GROUPS["keys"], redis, Planted(builtin, bug)), 20)
    assert len(failure.outcome.operations) <= 5
    assert failure.reproduced


@pytest.mark.parametrize("bug", planted_subjects.OF_LISTS.values(), ids=planted_subjects.OF_LISTS)
def test_a_bug_in_ranges_is_found_and_shrunk(bug: Callable[[Planted, object], object], redis: Subject) -> None:
    failure = failure_of(OracleKind(GROUPS["lists"], redis, Planted(ModelSubject(Wire.RESP), bug)), 20)
    assert len(failure.outcome.operations) <= 5
    assert failure.reproduced
