"""The kv suite of `loadgen smoke`: real servers pass, each group finds its own bug, what is not asked is no pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from in_process import invoked
from planted_subjects import Planted
from real_servers import RealServer

from loadgen.cli.options.parse import parse
from loadgen.cli.verbs import smoke
from loadgen.errors import ConfigError
from loadgen.protocol import Wire
from loadgen.verify.artifact import Origin
from loadgen.verify.campaign import Batch, Campaign
from loadgen.verify.case import Verdict
from loadgen.verify.kinds.kv import SUITE, KvKind, keys_of
from loadgen.verify.kinds.kv_groups import GROUPS
from loadgen.verify.reply import Null, Reply
from loadgen.verify.step import Step
from loadgen.verify.subject import named
from loadgen.verify.subject.of_model import ModelSubject
from loadgen.verify.subject.server import ServerSubject
from loadgen.verify.subject.subject import Restart
from loadgen.verify.tape import Tape


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def options(**given: str) -> dict[str, str]:
    return {**SUITE.options, "iterations": "50", **given}


def document(*words: str) -> Iterator[dict[str, object]]:
    done = invoked("smoke", "--suite", "kv", "--iterations", "20", "--format", "json", *words)
    yield {"status": done.status, **json.loads(done.stdout)}


def test_a_redis_that_was_started_passes_all_seven_groups() -> None:
    [found] = document()
    results = found["results"]
    assert isinstance(results, list)
    assert [(each["name"], each["verdict"]) for each in results] == [(name, "pass") for name in GROUPS]
    assert len(results) == 7
    assert all(each["operations"] > 20 * 6 for each in results)
    assert found["status"] == 0


def test_groups_that_a_server_does_not_have_are_skipped_and_never_passed() -> None:
    [found] = document("--embedded")
    summary = found["summary"]
    assert isinstance(summary, dict)
    assert (summary["passed"], summary["skipped"], summary["total"]) == (1, 6, 7)
    results = found["results"]
    assert isinstance(results, list)
    said = {each["name"]: each["error"] for each in results}
    assert said["kv_set_get"] is None
    assert said["kv_incr_decr"] == "builtin has no INCRBY, DECR, DECRBY"
    assert said["kv_persistence"] == "builtin cannot be restarted with its data after a SIGKILL"


def test_a_server_where_no_group_can_be_asked_does_not_pass() -> None:
    [found] = document("--embedded", "--filter", "lists")
    assert found["status"] == 4


def test_a_server_at_an_address_keeps_its_own_keys_and_none_of_the_suite() -> None:
    with RealServer.redis() as server:
        server.redis().set("own", "kept")
        [found] = document("-p", str(server.port), "--filter", "lists,sets,persistence")
        summary = found["summary"]
        assert isinstance(summary, dict)
        assert (summary["passed"], summary["skipped"]) == (3, 1)
        assert server.redis().keys() == [b"own"]


# ── Bugs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def wrong(name: bytes, change: Callable[[Reply], Reply]) -> Callable[[Planted, Step], Reply]:
    """A bug in the replies to one command."""

    def bug(planted: Planted, step: Step) -> Reply:
        reply = planted.one(step)
        return change(reply) if step.command[0] == name else reply

    return bug


def backwards(reply: Reply) -> Reply:
    return reply[::-1] if isinstance(reply, tuple) else reply


def short_by_one(reply: Reply) -> Reply:
    return reply[:-1] if isinstance(reply, tuple) else reply


def one_more(reply: Reply) -> Reply:
    return reply + 1 if isinstance(reply, int) else reply


def forgets(planted: Planted, step: Step) -> Reply:
    """A write of one key takes the value of the key that was written before."""
    if step.command[0] == b"SET" and len(step.command) == 3:
        last, planted.seen[b"last"] = planted.seen.get(b"last"), step.command[1]
        if isinstance(last, bytes) and last != step.command[1]:
            planted.one(Step((b"SET", last, b"another's")))
    return planted.one(step)


@pytest.mark.parametrize(
    ("name", "bug"),
    [
        ("kv_set_get", wrong(b"GET", lambda reply: Null.BULK)),
        ("kv_set_get", wrong(b"EXISTS", one_more)),
        ("kv_set_get", forgets),
        ("kv_incr_decr", wrong(b"DECRBY", one_more)),
        ("kv_lists", wrong(b"LRANGE", backwards)),
        ("kv_hashes", wrong(b"HGETALL", short_by_one)),
        ("kv_sets", wrong(b"SADD", one_more)),
        ("kv_sorted_sets", wrong(b"ZRANGE", backwards)),
    ],
)
def test_a_planted_bug_breaks_its_group_and_is_shrunk(name: str, bug: Callable[[Planted, Step], Reply]) -> None:
    kind = KvKind(name, GROUPS[name], Planted(ModelSubject(Wire.RESP), bug), keys_of(10), 20)
    leader = Campaign(
        "smoke",
        Origin("1"),
        1,
        emit=lambda event: None,
        clock_ns=lambda: 0,
        replay=lambda batch, kind, seed: f"{kind} {seed}",
    )
    leader.run(Batch("smoke", [kind], [0]))
    [failure] = leader.ended().failures
    assert failure.outcome.invariant == GROUPS[name].invariant
    # Two rounds where the bug needs another key.
    assert len(failure.outcome.operations) <= 13


@pytest.mark.parametrize("name", [name for name, group in GROUPS.items() if not group.restarts])
def test_without_a_bug_the_model_passes(name: str) -> None:
    kind = KvKind(name, GROUPS[name], ModelSubject(Wire.RESP), keys_of(10), 20)
    assert kind.run(Tape.seeded(name, 0)).verdict is Verdict.PASS


def test_a_server_without_persistence_loses_what_it_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "DURABLE", ("--appendonly", "no"))
    with SUITE.opened(["kv_persistence"], options(), lambda event: None) as opened:
        [kind] = opened.kinds
        outcome = kind.run(Tape.seeded(kind.name, 0))
    assert outcome.verdict is Verdict.FAIL
    assert outcome.operations[-2] == "restart by SIGKILL → 0 bytes lost"
    assert "(by what was written)" in outcome.message


def test_a_server_that_does_not_start_again_with_its_data_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its append-only file is no longer one: the next case begins with an empty folder."""
    with SUITE.opened(["kv_persistence"], options(), lambda event: None) as opened:
        [kind] = opened.kinds
        assert isinstance(kind, KvKind)
        subject = kind._subject
        assert isinstance(subject, ServerSubject)
        managed, restart = subject._managed, subject.restart
        assert managed is not None

        def damaging(how: Restart) -> int:
            for file in Path(managed.folder).glob("appendonlydir/*.incr.aof"):
                file.write_bytes(b"*1\r\n$4\r\nno command\r\n")
            return restart(how)

        monkeypatch.setattr(subject, "restart", damaging)
        outcome = kind.run(Tape.seeded(kind.name, 0))
        monkeypatch.undo()
        again = kind.run(Tape.seeded(kind.name, 0))
    assert outcome.failed
    assert outcome.message.startswith("the server does not start again: ")
    assert again.verdict is Verdict.PASS


# ── The spec file ─────────────────────────────────────────────────────────────────────────────────────────────────────


def jobs(text: str, *words: str) -> list[tuple[tuple[str, ...], str, str]]:
    """Return the kinds, keys and iterations of each job that a spec file makes of a command line."""
    Path("spec.toml").write_text(text)
    given = parse(smoke.SUITE_SYNTAX, ["--suite", "kv", "--spec", "spec.toml", *words])
    return [(job.kinds, job.options["keys"], job.options["iterations"]) for job in smoke.jobs_of(given)]


BASIC = """
[scenarios.smoke]
default_seeds = 3

[[scenarios.smoke.tests]]
name = "basic_set_get"
operations = ["SET", "GET"]
keys = 7
iterations = 9

[[scenarios.smoke.tests]]
name = "sorted_set_ordering"
operations = ["ZADD", "ZRANGE"]

[[scenarios.smoke.tests]]
name = "basic_persistence"
include_restart = true
keys = 7
iterations = 9
"""


def test_a_spec_file_says_which_groups_are_asked_and_how_much() -> None:
    assert jobs(BASIC) == [(("kv_set_get", "kv_persistence"), "7", "9"), (("kv_sorted_sets",), "100", "1000")]
    assert jobs(BASIC, "--keys", "2") == [
        (("kv_set_get", "kv_persistence"), "2", "9"),
        (("kv_sorted_sets",), "2", "1000"),
    ]
    assert jobs(BASIC, "--filter", "lists") == [(("kv_lists",), "100", "1000")]


def test_without_a_spec_file_all_groups_are_one_job() -> None:
    [job] = smoke.jobs_of(parse(smoke.SUITE_SYNTAX, ["--suite", "kv"]))
    assert (job.kinds, len(job.runs[0].seeds)) == (tuple(GROUPS), 1)


def test_a_test_that_is_no_group_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"scenarios.smoke.tests\[0\]: geo is no group of .*did you mean kv_"):
        jobs('[[scenarios.smoke.tests]]\nname = "geo"\noperations = ["GEOADD"]\n')


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--suite", "lists"], '--suite: must be one of kv, not "lists"'),
        (["--suite", "kv", "--matrix", "redis*"], "--matrix: unknown option"),
        (["--suite", "kv", "--subject", "memcached"], "memcached speaks memcache, and the kv suite RESP"),
        (["--suite", "kv", "--subject", "redis", "-p", "1"], "--subject and -p each name the server"),
        (["--suite=kv", "--filter", "lissts"], 'smoke has no test "lissts"'),
        (["--suite", "kv", "--keys", "0"], '--keys: "0" is not a whole number'),
    ],
)
def test_wrong_words_end_with_one_sentence(words: list[str], said: str) -> None:
    done = invoked("smoke", *words)
    assert done.status == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_bank_with_a_wrong_number_is_refused(tmp_path: Path) -> None:
    bank = tmp_path / "bank.txt"
    bank.write_text("0 kv_lists iterations=none\n")
    done = invoked("seeds", "test", "--bank", str(bank))
    assert '--iterations: "none" is not a whole number from 1 to 1000000' in done.stderr
    assert done.status == 2


def test_a_replay_runs_the_same_case() -> None:
    done = invoked("replay", "--seed", "3", "--test", "kv-lists", "--iterations", "20", "--format", "json")
    [result] = json.loads(done.stdout)["results"]
    assert (result["name"], result["seed"], result["verdict"]) == ("kv_lists", 3, "pass")
