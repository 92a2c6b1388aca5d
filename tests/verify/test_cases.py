"""Written cases: those of loadgen hold on a real server, and a wrong reply fails the case that asks for it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import planted_subjects
import pytest
from in_process import invoked
from planted_subjects import Planted

from loadgen.cli import specification
from loadgen.errors import TargetError
from loadgen.protocol import Wire
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.grammar.memcache import MEMCACHE_GROUPS
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
OF_REDIS, OF_MEMCACHED = ([case for case in SHIPPED.cases if case.wire is wire] for wire in Wire)
LACKING = {"keys_flushdb_removes_all": "model has no DBSIZE"}
"""The cases of which the model does not have a command."""


@pytest.fixture(scope="module")
def redis() -> Iterator[Subject]:
    with named.opened(named.Wanted("redis", Wire.RESP), lambda progress: None) as subject:
        yield subject


@pytest.fixture(scope="module")
def memcached() -> Iterator[Subject]:
    with named.opened(named.Wanted("memcached", Wire.MEMCACHE), lambda progress: None) as subject:
        yield subject


def run(case: WrittenCase, *subjects: Subject, ours: bool = True) -> Outcome:
    return CaseKind(case, subjects, ours=ours).run(Tape.of(()))


def case_of(*operations: Operation) -> WrittenCase:
    return WrittenCase("a_case", operations)


def operation(*words: bytes, **more: object) -> Operation:
    return Operation(words, **more)  # type: ignore[arg-type]


def test_there_are_cases_of_every_type() -> None:
    groups = Counter(case.name.partition("_")[0] for case in SHIPPED.cases)
    assert len(OF_REDIS) >= 60
    assert groups["memcache"] == len(OF_MEMCACHED) >= 40
    asked = {operation.words[0] for case in OF_MEMCACHED for operation in case.operations}
    assert asked >= {name for group in MEMCACHE_GROUPS.values() for name in group.commands} | {b"flush_all"}
    assert min(groups[name] for name in ("strings", "keys", "hashes", "lists", "sets", "zsets")) >= 7


@pytest.mark.parametrize("case", OF_REDIS, ids=lambda case: case.name)
def test_the_cases_of_loadgen_hold_on_redis_and_on_the_model(case: WrittenCase, redis: Subject) -> None:
    outcome = run(case, redis)
    assert (outcome.verdict, outcome.message) == (Verdict.PASS, "")
    assert len(outcome.operations) == len(case.operations)
    outcome = run(case, ModelSubject(Wire.RESP), redis)
    assert outcome.message == LACKING.get(case.name, "")


@pytest.mark.parametrize("case", OF_MEMCACHED, ids=lambda case: case.name)
def test_the_cases_of_memcache_hold_on_memcached_and_on_the_model(case: WrittenCase, memcached: Subject) -> None:
    # The time to wait passes for the model alone, and `loadgen cases` waits for it on a server.
    waits = any(operation.wait_ms for operation in case.operations)
    for subject in (ModelSubject(Wire.MEMCACHE), memcached)[: 1 if waits else 2]:
        outcome = run(case, subject)
        assert (outcome.verdict, outcome.message) == (Verdict.PASS, "")
        assert len(outcome.operations) == len(case.operations)


def test_the_built_in_server_has_all_of_memcache_but_gat_and_gats(memcached: Subject) -> None:
    with named.opened(named.Wanted("builtin", Wire.MEMCACHE), lambda progress: None) as builtin:
        cases = [case for case in OF_MEMCACHED if not any(operation.wait_ms for operation in case.operations)]
        outcomes = {case.name: run(case, memcached, builtin) for case in cases}
    assert {name: outcome.message for name, outcome in outcomes.items() if outcome.verdict is not Verdict.PASS} == {
        "memcache_gat_returns_items_and_sets_their_exptime": "builtin has no gat",
        "memcache_gats_has_the_unique_number": "builtin has no gats",
    }


@pytest.mark.parametrize("bug", planted_subjects.OF_MEMCACHE.values(), ids=planted_subjects.OF_MEMCACHE)
def test_a_planted_bug_in_memcache_fails_a_case(bug: Callable[[Planted, Step], Reply]) -> None:
    outcomes = [run(case, Planted(ModelSubject(Wire.MEMCACHE), bug)) for case in OF_MEMCACHED]
    assert any(outcome.failed for outcome in outcomes)
    assert not any(outcome.verdict is Verdict.SKIPPED for outcome in outcomes)


def test_no_case_passes_on_a_server_that_answers_ok_to_everything() -> None:
    for case in SHIPPED.cases:
        assert run(case, Planted(ModelSubject(case.wire), lambda planted, step: OK)).failed, case.name


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


def test_a_bare_error_of_memcache_is_a_failure_where_the_server_has_the_command() -> None:
    def lacks(planted: Planted, step: Step) -> Reply:
        return Error(b"ERROR") if step.command[0] == b"mg" or b"8" in step.command else planted.one(step)

    planted = Planted(ModelSubject(Wire.MEMCACHE), lacks)
    unknown = WrittenCase("a_case", (operation(b"mg", b"a"),), wire=Wire.MEMCACHE)
    assert run(unknown, planted).message == "planted has no mg"
    known = WrittenCase("a_case", (operation(b"set", b"a", b"8", b"0", b"x"),), wire=Wire.MEMCACHE)
    assert run(known, planted).message == "set a 8 0 x answered -ERROR, not a reply without an error (planted)"


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


def test_a_memcached_with_items_is_left_alone(memcached: ServerSubject, tmp_path: Path) -> None:
    [endpoint] = memcached.target.endpoints
    words = ("cases", f"memcache://127.0.0.1:{endpoint.port}", "--filter", "memcache_flush,memcache_delete,key_has")
    memcached.ask([Step((b"flush_all",)), Step((b"set", b"other", b"0", b"0", b"1"))])
    done = invoked(*words)
    # memcached counts what was flushed until it is asked for.
    assert re.search(r"has \d+ keys?, and the cases write any keys", " ".join(done.stderr.split()))
    assert done.status == 3
    items = [word for case in OF_MEMCACHED for each in case.operations for word in each.words[1:2]]
    memcached.reset([b"other", *(word for word in items if isinstance(word, bytes) and len(word) <= 250)])
    done = invoked(*words, "--format", "json", "--artifacts", str(tmp_path / "failures"))
    assert done.status == 0, done.stdout
    summary = json.loads(done.stdout)["summary"]
    assert (summary["passed"], summary["skipped"]) == (3, 1)
    assert '"flush_all changes more than keys, and loadgen did not start the server"' in done.stdout
    [stats] = memcached.ask([Step((b"stats",))])
    assert (b"curr_items", b"0") in stats


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("redis", "memcached"), "redis speaks resp and memcached speaks memcache: name two servers of one protocol"),
        (("memcached", "--filter", "lists"), "memcached speaks memcache, and no case named is of that"),
        (("redis", "--filter", "memcache"), "redis speaks resp, and no case named is of that"),
    ],
)
def test_cases_that_the_servers_do_not_speak_are_refused(words: tuple[str, ...], problem: str) -> None:
    done = invoked("cases", *words)
    assert (done.status, problem in " ".join(done.stderr.split())) == (2, True)


def test_a_server_is_asked_the_cases_that_it_speaks() -> None:
    suite = cases.suite(SHIPPED)
    kinds = (OF_MEMCACHED[0].name, OF_REDIS[0].name)
    for word, names in (("model", kinds[::-1]), ("fakeredis", kinds[1:]), ("memcached", kinds[:1])):
        assert cases.spoken(SHIPPED, kinds, {**suite.options, "subject": word}) == names
