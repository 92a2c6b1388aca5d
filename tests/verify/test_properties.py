"""Properties: real servers have them, planted bugs break them, and what cannot be judged is skipped."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which

import planted_subjects
import pytest
from in_process import invoked
from planted_subjects import Planted

from loadgen.errors import UsageError
from loadgen.protocol import Wire
from loadgen.verify.case import Verdict
from loadgen.verify.kinds import laws
from loadgen.verify.kinds.oracle import SUITE as ORACLE
from loadgen.verify.kinds.properties import SUITE, PropertyKind, spoken
from loadgen.verify.kinds.property import Law
from loadgen.verify.kinds.property_rows import PROPERTIES
from loadgen.verify.kinds.suite import Suite
from loadgen.verify.model.memcache import number
from loadgen.verify.reply import OK, Error, Reply, Status
from loadgen.verify.step import Step
from loadgen.verify.subject import named
from loadgen.verify.subject.of_model import ModelSubject
from loadgen.verify.subject.subject import Restart, Subject
from loadgen.verify.tape import Tape


@pytest.fixture(scope="module")
def durable() -> Iterator[Subject]:
    with named.opened(named.Wanted("redis", Wire.RESP, durable=True), lambda progress: None) as subject:
        yield subject


def test_real_servers_have_every_property() -> None:
    with SUITE.opened(SUITE.kinds, {"subject": "auto"}, lambda event: None) as opened:
        outcomes = {kind.name: [kind.run(Tape.seeded(kind.name, seed)) for seed in range(2)] for kind in opened.kinds}
    assert [*outcomes] == [*SUITE.kinds]
    assert {name for name, each in outcomes.items() if any(one.verdict is not Verdict.PASS for one in each)} == set()


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("set_get_roundtrip", planted_subjects.lost_write),
        ("set_get_roundtrip", planted_subjects.stale_read),
        ("set_get_roundtrip", planted_subjects.wrong_type),
        ("list_order_preserved", planted_subjects.wrong_order),
        ("list_order_preserved", planted_subjects.off_by_one),
    ],
)
def test_a_planted_bug_breaks_its_property(name: str, bug: Callable[[Planted, Step], object]) -> None:
    kind = PropertyKind(PROPERTIES[name], Planted(ModelSubject(Wire.RESP), bug))
    outcomes = [kind.run(Tape.seeded(name, seed)) for seed in range(20)]
    failed = [outcome for outcome in outcomes if outcome.failed]
    assert failed
    assert {outcome.invariant for outcome in failed} == {PROPERTIES[name].invariant}


@pytest.mark.parametrize(("fsync", "broken"), [("always", False), ("no", True)])
def test_a_power_cut_takes_what_was_not_durable(fsync: str, broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same server without fsync loses writes that it acknowledged."""
    monkeypatch.setattr(named, "DURABLE", ("--appendonly", "yes", "--appendfsync", fsync))
    with named.opened(named.Wanted("redis", Wire.RESP, durable=True), lambda progress: None) as subject:
        kind = PropertyKind(PROPERTIES["wal_durability"], subject)
        outcomes = [kind.run(Tape.seeded(kind.name, seed)) for seed in range(3)]
    assert any(outcome.failed for outcome in outcomes) is broken


def test_what_a_server_does_not_have_is_skipped_with_the_reason() -> None:
    names = ("set_get_roundtrip", "streams_ordered", "crash_recovery_consistent")
    with SUITE.opened(names, {"subject": "builtin"}, lambda event: None) as opened:
        outcomes = [kind.run(Tape.seeded(kind.name, 0)) for kind in opened.kinds]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.PASS, Verdict.SKIPPED, Verdict.SKIPPED]
    assert outcomes[1].message == "builtin has no XADD, XRANGE, XREADGROUP"
    assert outcomes[2].message == "builtin cannot be restarted with its data after a SIGKILL"


def test_a_server_that_died_is_started_again_for_the_next_case(durable: Subject) -> None:
    [ok] = durable.ask([Step((b"SET", b"{loadgen}:a", b"1"))])
    assert ok == OK
    [gone] = durable.ask([Step((b"SHUTDOWN", b"NOSAVE"))])
    assert "closed the connection" in str(gone)
    durable.reset([b"{loadgen}:a"])
    assert durable.ask([Step((b"EXISTS", b"{loadgen}:a"))]) == [0]


def test_a_killed_server_keeps_what_it_acknowledged(durable: Subject) -> None:
    durable.reset([b"{loadgen}:a"])
    durable.ask([Step((b"SET", b"{loadgen}:a", b"1"))])
    durable.restart(Restart.KILL)
    assert durable.ask([Step((b"GET", b"{loadgen}:a"))]) == [b"1"]


@pytest.mark.parametrize("name", ["crash_recovery_consistent", "wal_durability"])
@pytest.mark.parametrize(
    ("again", "said"),
    [
        (
            'echo "the disk is dust"; exit 1',
            'redis ended with exit status 1 before it was ready; its log ends with "the ',
        ),
        (
            "set -- \"$@\" --rename-command EXISTS ''",
            "redis was started again, and refuses what cases ask (ERR unknown",
        ),
    ],
)
def test_a_server_that_does_not_come_back_after_a_kill_is_the_finding(
    name: str, again: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that finds its own files refuses to start, or to serve; in an empty folder it does both."""
    script = tmp_path / "redis-server"
    script.write_text(f'#!/bin/sh\n[ ! -e appendonlydir ] || {{ {again}; }}\nexec {which("redis-server")} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    done = invoked("properties", "--filter", name, "--seeds", "2", "--subject", "redis", "--format", "json")
    document = json.loads(done.stdout)
    assert done.status == 1, done.stderr
    assert [each["passed"] for each in document["results"]] == [False, False]
    [failure] = document["failures"]
    assert failure["message"].startswith(f"the server does not start again: {said}")
    assert "; its log ends with " in failure["message"]
    *_, operation = failure["operations"]
    assert operation.endswith(" → it does not start again")
    assert failure["replay_command"] == f"loadgen replay --seed 0 --test {name} --subject redis"


# ── Known defects ─────────────────────────────────────────────────────────────────────────────────────────────────────


def no_arithmetic_from_2_to_the_63(planted: Planted, step: Step) -> Reply:
    """memcached before 1.6.22, where every item has a minus sign behind it."""
    name, key, *_ = step.command
    if name in (b"incr", b"decr"):
        for _, _, value in planted.inner.ask([Step((b"get", key))])[0]:
            if (number(value) or 0) >= 1 << 63:
                return Error(b"CLIENT_ERROR cannot increment or decrement non-numeric value")
    return planted.one(step)


@pytest.mark.parametrize("known_defects", [False, True])
def test_a_known_defect_of_memcached_is_found_when_it_is_asked_for(known_defects: bool) -> None:
    subject = Planted(ModelSubject(Wire.MEMCACHE), no_arithmetic_from_2_to_the_63)
    kind = PropertyKind(PROPERTIES["memcache_counters"], subject, known_defects=known_defects)
    outcomes = [kind.run(Tape.seeded(kind.name, seed)) for seed in range(100)]
    assert any(outcome.failed for outcome in outcomes) is known_defects
    # Numbers go over 2^64, and stop at 0, in either case.
    reached = Counter[str]()
    for outcome in outcomes:
        reached.update(outcome.sometimes)
    assert min(reached[state] for state in ("an incr went over 2^64", "a decr stopped at 0")) >= 5


@pytest.mark.parametrize("modulus", [2**63, 2**64 - 1])
def test_an_incr_that_wraps_elsewhere_breaks_its_property(modulus: int) -> None:
    def wraps(planted: Planted, step: Step) -> Reply:
        reply = planted.one(step)
        return reply % modulus if step.command[0] == b"incr" and isinstance(reply, int) else reply

    kind = PropertyKind(PROPERTIES["memcache_counters"], Planted(ModelSubject(Wire.MEMCACHE), wraps))
    assert any(kind.run(Tape.seeded(kind.name, seed)).failed for seed in range(100))


@pytest.mark.parametrize("suite", [SUITE, ORACLE])
def test_known_defects_are_a_switch(suite: Suite) -> None:
    with pytest.raises(UsageError, match="known-defects is true, or left out"):
        with suite.opened(suite.kinds[:1], {**suite.options, "known-defects": "no"}, lambda event: None):
            pass


# ── The laws, which no model is behind ────────────────────────────────────────────────────────────────────────────────


def steps(*commands: str) -> list[Step]:
    return [Step(tuple(word.encode() for word in command.split())) for command in commands]


@pytest.mark.parametrize(
    ("law", "commands", "kept", "broken"),
    [
        (laws.reads_what_was_written, ("SET a 1", "GET a"), (OK, b"1"), (OK, b"2")),
        (laws.increments_grow, ("INCR a", "INCRBY a 5"), (1, 6), (1, 1)),
        (laws.no_field_twice, ("HKEYS a",), ((b"x", b"y"),), ((b"x", b"x"),)),
        (laws.scores_ascend, ("ZRANGE a 0 -1 WITHSCORES",), ((b"x", b"1", b"y", b"2"),), ((b"y", b"2", b"x", b"1"),)),
        (laws.scores_ascend, ("ZRANGE a 0 -1 WITHSCORES",), ((b"x", b"1", b"y", b"1"),), ((b"y", b"1", b"x", b"1"),)),
        (laws.time_left_falls, ("PTTL a", "PTTL a"), (100, 99), (100, 101)),
        (
            laws.ids_ascend,
            ("XRANGE a - +",),
            (((b"1-2", ()), (b"1-10", ())),),
            (((b"1-10", ()), (b"1-2", ())),),
        ),
        (
            laws.one_cas_of_each,
            ("gets a", "cas a 0 0 x last", "cas a 0 0 y last"),
            (((b"a", 0, b"", 7),), Status(b"STORED"), Status(b"EXISTS")),
            (((b"a", 0, b"", 7),), Status(b"STORED"), Status(b"STORED")),
        ),
    ],
)
def test_a_law_holds_or_says_how_it_is_broken(
    law: Law, commands: tuple[str, ...], kept: tuple[object, ...], broken: tuple[object, ...]
) -> None:
    assert law(steps(*commands), kept) == ""
    assert law(steps(*commands), broken) != ""


def test_a_counter_that_was_set_again_may_begin_anew() -> None:
    asked = steps("INCR a", "SET a 0", "INCR a")
    assert laws.increments_grow(asked, (5, OK, 1)) == ""


def test_cases_reach_the_states_that_their_property_is_about() -> None:
    reached: Counter[str] = Counter()
    for of in PROPERTIES.values():
        kind = PropertyKind(of, ModelSubject(of.wire))
        for seed in range(30 if of.states else 0):
            reached.update(kind.run(Tape.seeded(kind.name, seed)).sometimes)
    assert len(reached) == 10
    assert {state for state, count in reached.items() if not count} == set()


def test_a_law_that_is_broken_fails_a_case_in_which_every_reply_is_the_models() -> None:
    of = replace(PROPERTIES["incr_is_monotonic"], law=lambda steps, replies: "it is broken")
    outcome = PropertyKind(of, ModelSubject(Wire.RESP)).run(Tape.seeded(of.name, 0))
    assert (outcome.verdict, outcome.message) == (Verdict.FAIL, "it is broken")


def test_properties_of_another_protocol_than_the_subject_s_are_not_announced() -> None:
    redis = spoken(SUITE.kinds, {"subject": "redis"})
    memcached = spoken(SUITE.kinds, {"subject": "memcached"})
    assert {*redis} | {*memcached} == {*SUITE.kinds}
    assert not {*redis} & {*memcached}
    with pytest.raises(UsageError, match="redis speaks resp, and no property named is of that"):
        spoken(memcached, {"subject": "redis"})
