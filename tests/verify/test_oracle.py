"""The oracle: two servers of one kind agree, and each planted bug is found and shrunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import planted_subjects
import pytest
from planted_subjects import Planted

from loadgen.protocol import Wire
from loadgen.verify.artifact import Origin
from loadgen.verify.campaign import Batch, Campaign
from loadgen.verify.case import Verdict
from loadgen.verify.ended import FailureFound
from loadgen.verify.grammar.groups import GROUPS
from loadgen.verify.grammar.memcache import MEMCACHE_GROUPS
from loadgen.verify.kinds.oracle import OracleKind
from loadgen.verify.reply import OK, Reply
from loadgen.verify.step import Step
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


@pytest.fixture(scope="module")
def memcached() -> Iterator[Subject]:
    with named.opened(named.Wanted("memcached", Wire.MEMCACHE), lambda progress: None) as subject:
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
def test_memcached_agrees_with_the_model(group: str, memcached: Subject) -> None:
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


def test_servers_whose_digests_differ_are_not_alike(redis: Subject) -> None:
    """What no question shows is in the digest of a value."""

    def another_digest(planted: Planted, step: Step) -> Reply:
        reply = planted.one(step)
        return (*reply[1:], reply[0]) if step.command[0] == b"DEBUG" and isinstance(reply, tuple) else reply

    with named.opened(named.Wanted("redis", Wire.RESP), lambda progress: None) as other:
        for bug, fingerprint in (
            (Planted.one, ""),
            (another_digest, "oracle_keys: DEBUG: array for array (another order)"),
        ):
            kind = OracleKind(GROUPS["keys"], redis, Planted(other, bug))
            assert kind.run(Tape.seeded(kind.name, 0)).fingerprint == fingerprint


def test_a_transaction_that_a_case_left_open_is_not_the_next_ones(redis: Subject) -> None:
    redis.reset([])
    assert redis.ask([Step((b"MULTI",)), Step((b"WATCH", b"{loadgen}:a"), 1)]) == [OK, OK]
    redis.reset([b"{loadgen}:a"])
    assert redis.ask([Step((b"SET", b"{loadgen}:a", b"1"))]) == [OK]


def test_commands_that_one_server_lacks_are_told_and_not_asked(redis: Subject, builtin: Subject) -> None:
    kind = OracleKind(GROUPS["strings"], redis, builtin)
    assert kind.not_compared().startswith("strings: 19 of 26 commands are not compared")
    asked = {operation.split()[0] for operation in kind.run(Tape.seeded(kind.name, 0)).operations}
    assert {"GET", "SET"} <= asked <= {"DEL", "GET", "INCR", "MGET", "MSET", "PSETEX", "SET"}
    skipped = OracleKind(GROUPS["lists"], redis, builtin)
    assert skipped.not_compared() == ""
    assert skipped.run(Tape.seeded(skipped.name, 0)).verdict is Verdict.SKIPPED
