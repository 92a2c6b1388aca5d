"""Written cases: those of loadgen hold on a real server, and a wrong reply fails the case that asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import planted_subjects
import pytest
from in_process import invoked
from planted_subjects import Planted

from loadgen.cli import specification
from loadgen.errors import TargetError, UsageError
from loadgen.protocol import Wire
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds import cases
from loadgen.verify.kinds.cases import CaseKind
from loadgen.verify.reply import OK, Error, Reply
from loadgen.verify.spec import Future, Operation, WrittenCase
from loadgen.verify.step import Step
from loadgen.verify.subject import named
from loadgen.verify.subject.of_model import ModelSubject
from loadgen.verify.subject.server import ServerSubject
from loadgen.verify.subject.subject import Subject
from loadgen.verify.tape import Tape

SHIPPED = specification.spec_of(None)
LACKING = {"keys_flushdb_removes_all": "model has no DBSIZE"}
"""The cases of which the model does not have a command."""


@pytest.fixture(scope="module")
def redis() -> Iterator[Subject]:
    with named.opened(named.Wanted("redis", Wire.RESP), lambda progress: None) as subject:
        yield subject


def run(case: WrittenCase, *subjects: Subject, ours: bool = True) -> Outcome:
    return CaseKind(case, subjects, ours=ours).run(Tape.of(()))


def case_of(*operations: Operation) -> WrittenCase:
    return WrittenCase("a_case", operations)


def operation(*words: bytes, **more: object) -> Operation:
    return Operation(words, **more)  # type: ignore[arg-type]


def test_there_are_cases_of_every_type() -> None:
    groups = Counter(case.name.partition("_")[0] for case in SHIPPED.cases)
    assert groups.total() >= 60
    assert min(groups[name] for name in ("strings", "keys", "hashes", "lists", "sets", "zsets")) >= 7


@pytest.mark.parametrize("case", SHIPPED.cases, ids=lambda case: case.name)
def test_the_cases_of_loadgen_hold_on_redis_and_on_the_model(case: WrittenCase, redis: Subject) -> None:
    outcome = run(case, redis)
    assert (outcome.verdict, outcome.message) == (Verdict.PASS, "")
    assert len(outcome.operations) == len(case.operations)
    outcome = run(case, ModelSubject(Wire.RESP), redis)
    assert outcome.message == LACKING.get(case.name, "")


@pytest.mark.parametrize("bug", [*planted_subjects.BUILT_IN.values(), *planted_subjects.OF_LISTS.values()])
def test_a_planted_bug_fails_a_case(bug: Callable[[Planted, Step], Reply]) -> None:
    def wrong(planted: Planted, step: Step) -> Reply:
        return bug(planted, step)

    planted = Planted(ModelSubject(Wire.RESP), wrong)
    failed = [outcome for case in SHIPPED.cases if (outcome := run(case, planted)).failed]
    # A lost second SET needs two plain SETs in one case.
    assert len(failed) >= 1
    assert all(outcome.invariant and outcome.operations and outcome.fingerprint for outcome in failed)


def test_a_failure_says_what_was_expected_and_where_it_ends() -> None:
    case = case_of(operation(b"SET", b"a", b"1"), operation(b"GET", b"a", expect=None), operation(b"INCR", b"a"))
    three = case_of(*case.operations, operation(b"LPUSH", b"a", b"x"), operation(b"GET", b"a"))
    outcome = run(three, ModelSubject(Wire.RESP))
    assert outcome.failed
    assert outcome.message.startswith("LPUSH a x answered -WRONGTYPE")
    assert outcome.message.endswith("not a reply without an error (model)")
    assert outcome.operations[:3] == ("SET a 1 → +OK", 'GET a → "1"', "INCR a → 2")
    assert len(outcome.operations) == 4
    assert outcome.fingerprint == "a_case: LPUSH, operation 4: error"


def other(planted: Planted, step: Step) -> Reply:
    return b"other" if step.command[0] == b"GET" else planted.one(step)


def test_two_servers_must_answer_alike_where_nothing_is_expected() -> None:
    case = case_of(operation(b"SET", b"a", b"1"), operation(b"GET", b"a"))
    one, two = ModelSubject(Wire.RESP), Planted(ModelSubject(Wire.RESP), other)
    assert run(case, two).verdict is Verdict.PASS
    outcome = run(case, one, two)
    assert outcome.message == 'GET a answered "other", not "1" (planted beside model)'
    assert outcome.operations == ("SET a 1 → +OK", 'GET a → "other"')


def test_both_servers_must_meet_what_is_expected() -> None:
    [case] = [case for case in SHIPPED.cases if case.name == "strings_set_then_get"]
    one, two = ModelSubject(Wire.RESP), Planted(ModelSubject(Wire.RESP), other)
    for subjects in ((one, two), (two, one)):
        assert run(case, *subjects).message == 'GET a answered "other", not "one" (planted)'


def test_a_case_begins_without_the_keys_of_others(redis: Subject) -> None:
    redis.ask([Step((b"SET", b"left", b"x"))])
    case = case_of(operation(b"KEYS", b"*"), operation(b"SET", b"a", b"1"))
    for _ in range(2):
        assert run(case, redis).operations[0] == "KEYS * → []"


def test_a_time_in_the_future_is_counted_from_the_run() -> None:
    assert Future(60, 1).at(1_500_000_000) == b"61"
    assert Future(60_000, 1000).at(1_500_000_000) == b"61500"


def test_a_command_that_a_server_lacks_skips_the_case_unless_an_error_is_expected() -> None:
    def lacks(planted: Planted, step: Step) -> Reply:
        return Error(b"ERR unknown command 'NEW'") if step.command[0] == b"NEW" else OK

    planted = Planted(ModelSubject(Wire.RESP), lacks)
    outcome = run(case_of(operation(b"NEW")), planted)
    assert (outcome.verdict, outcome.message) == (Verdict.SKIPPED, "planted has no NEW")


# ── A server at an address ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_with_keys_is_left_alone(redis: ServerSubject, tmp_path: Path) -> None:
    [endpoint] = redis.target.endpoints
    address = f"127.0.0.1:{endpoint.port}"
    suite = cases.suite(SHIPPED)
    options = {**suite.options, "subject": address}
    redis.ask([Step((b"FLUSHALL",)), Step((b"SET", b"a", b"1"))])
    with pytest.raises(TargetError, match=r"has 1 key, and the cases write any keys"):
        with suite.opened(suite.kinds, options, lambda event: None):
            pass
    assert redis.ask([Step((b"GET", b"a"))]) == [b"1"]
    redis.ask([Step((b"DEL", b"a"))])
    done = invoked("cases", address, "--format", "json", "--artifacts", str(tmp_path / "failures"))
    assert done.status == 0, done.stdout
    assert redis.ask([Step((b"DBSIZE",))]) == [0]
    assert '"FLUSHDB changes more than keys, and loadgen did not start the server"' in done.stdout


def test_a_server_of_memcache_is_refused() -> None:
    suite = cases.suite(SHIPPED)
    with pytest.raises(UsageError, match="memcached does not speak RESP"):
        with suite.opened(suite.kinds, {**suite.options, "subject": "memcached"}, lambda event: None):
            pass
