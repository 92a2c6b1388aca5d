"""A spec file on the command line: what is run by default comes from it, and a failure is replayed with it."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import Finished
from in_process import invoked

from loadgen.cli import specification, verification
from loadgen.cli.verification import Job, Run
from loadgen.config import spec_file
from loadgen.protocol import Wire
from loadgen.verify import kinds
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds import Opened
from loadgen.verify.kinds.properties import PropertyKind
from loadgen.verify.kinds.property_rows import PROPERTIES
from loadgen.verify.spec import FaultKind, Invariant, Spec
from loadgen.verify.subject.of_model import ModelSubject
from loadgen.verify.tape import Tape

OURS = """
version = "1.0"
[[invariants]]
name = "incr_is_monotonic"
description = "counters never fall"
category = "data_integrity"
[[invariants]]
name = "ttl_monotonic_decrease"
description = "time runs"
category = "expiration"
[scenarios.properties]
default_seeds = 4
[[scenarios.properties.tests]]
name = "counters"
invariants = ["incr_is_monotonic"]
operations = ["INCR", "GET"]
[[scenarios.properties.tests]]
name = "rest"
invariants = ["ttl_monotonic_decrease"]
[oracle]
reference = "model"
command_groups.strings = { commands = ["SET", "GET"], test_cases = 3 }
command_groups.keys = { test_cases = 2 }
[[case]]
name = "three_elements"
description = "a list has what was pushed"
setup = [{ cmd = "RPUSH", args = ["a", 1, 2] }]
operations = [{ cmd = "LRANGE", args = ["a", 0, -1], expect = ["1", "2", "3"] }]
[[case]]
name = "two_elements"
operations = [{ cmd = "RPUSH", args = ["a", 1, 2], expect = 2 }]
"""


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.toml").write_text(OURS)


def results(*words: str) -> list[dict[str, Any]]:
    found = json.loads(invoked(*words, "--format", "json").stdout)["results"]
    assert isinstance(found, list)
    return found


def counted(*words: str) -> dict[str, int]:
    names = [each["name"] for each in results(*words)]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def test_properties_run_the_tests_and_the_seeds_of_the_file() -> None:
    words = ("properties", "--subject", "model", "--spec", "my.toml")
    assert counted(*words) == {"incr_is_monotonic": 4, "ttl_monotonic_decrease": 4}
    assert counted(*words, "--seeds", "2") == {"incr_is_monotonic": 2, "ttl_monotonic_decrease": 2}
    # What is named is run, also where the file does not have it.
    assert counted(*words, "--filter", "set_get") == {"set_get_roundtrip": 4}


def test_a_category_names_the_invariants_of_it() -> None:
    words = ("properties", "--subject", "model", "--spec", "my.toml", "--filter")
    assert counted(*words, "expiration") == {"ttl_monotonic_decrease": 4}
    assert counted(*words, "data-integrity,roundtrip") == {
        "incr_is_monotonic": 4,
        "set_get_roundtrip": 4,
        "memcache_roundtrip": 4,
    }
    done = invoked(*words, "persistence")
    assert (done.status, "properties has no test" in done.stderr) == (2, True)
    assert counted("properties", "--subject", "model", "--seeds", "1", "--filter", "persistence") == {
        "crash_recovery_consistent": 1,
        "wal_durability": 1,
    }


def test_operations_are_the_only_commands_that_are_drawn() -> None:
    spec = specification.spec_of("my.toml")
    suite = kinds.SUITES["properties"]
    one, two = specification.properties(spec, suite.options, range(2), None)
    assert (one.kinds, one.options["commands"]) == (("incr_is_monotonic",), "INCR,GET")
    assert (two.kinds, two.options["commands"]) == (("ttl_monotonic_decrease",), "")
    # The option of the command line wins.
    [both] = specification.properties(spec, {**suite.options, "commands": "INCR"}, range(2), "incr")
    assert both.options["commands"] == "INCR"
    kind = PropertyKind(PROPERTIES["incr_is_monotonic"], ModelSubject(Wire.RESP), (b"INCR", b"GET"))
    drawn = {words.split()[0] for seed in range(9) for words in kind.run(Tape.seeded(kind.name, seed)).operations}
    assert drawn == {"INCR", "GET"}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("properties", "--commands", "GET"), "set_get_roundtrip rests on SET"),
        (("properties", "--commands", "NO", "--filter", "incr"), "draws none of the commands that are named; it draws"),
        (("oracle", "model", "model", "--commands", "NO", "--filter", "keys"), "oracle_keys draws none"),
    ],
)
def test_commands_without_which_a_test_shows_nothing_are_refused(words: tuple[str, ...], problem: str) -> None:
    done = invoked(*words, *(("--subject", "model") if words[0] == "properties" else ()))
    assert done.status == 2
    assert problem in done.stderr


def test_the_oracle_compares_the_groups_of_the_file_with_its_reference() -> None:
    words = ("oracle", "--subject", "model", "--spec", "my.toml")
    assert counted(*words) == {"oracle_strings": 3, "oracle_keys": 2}
    assert counted(*words, "--ops", "400") == {"oracle_strings": 4, "oracle_keys": 4}
    assert counted(*words, "--filter", "lists,keys") == {"oracle_lists": 10, "oracle_keys": 2}
    metadata = json.loads(invoked(*words, "--format", "json").stdout)["metadata"]
    assert metadata["server"] == "loadgen's model of redis 7.0 × loadgen's model of redis 7.0"


class Broken:
    """A kind that always fails."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, tape: Tape) -> Outcome:
        return Outcome(Verdict.FAIL, "in our words", "1 after 2", fingerprint="x")


@pytest.mark.parametrize(
    ("suite", "kind", "words"),
    [
        ("properties", "incr_is_monotonic", "counters never fall"),
        ("chaos", "disk_full_always", "in our words (no space: writes are refused)"),
        ("properties", "wal_durability", "in our words"),
    ],
)
def test_a_failure_says_what_was_broken_in_the_words_of_the_file(suite: str, kind: str, words: str) -> None:
    spec = Spec(
        hash="abc",
        invariants=(Invariant("incr_is_monotonic", "counters never fall", "data_integrity"),),
        faults=(FaultKind("disk_full", "no space", "high", "writes are refused"),),
    )
    job = Job(kinds.SUITES[suite], {}, (Run((kind,), range(1)),), spec)
    batch = verification.batch(job, Opened([Broken(kind)]), [Broken(kind)], range(1))
    outcome = batch.kinds[0].run(Tape.of(()))
    assert (outcome.invariant, outcome.fingerprint) == (words, "x")
    # The case is drawn: the file that says what is run is no part of it.
    assert batch.spec_hash == ""


def test_chaos_runs_the_faults_of_the_file() -> None:
    spec = specification.spec_of(None)
    faults = specification.faults(spec, None, by_default=True)
    assert faults is not None
    named = {name for test in spec.tests("chaos") if not test.persistence for name in test.faults}
    assert {*faults.split(",")} == named | {
        *("bit_flip_rdb", "torn_tail_rdb", "torn_tail_everysec", "torn_tail_always"),
    }
    assert specification.faults(spec, None, by_default=False) is None
    assert specification.faults(spec, "critical,torn_tail", by_default=False) == "bit_flip,power_cut,torn_tail"
    assert specification.faults(spec, "latency", by_default=True) == "latency"
    Path("my.toml").write_text(
        'version = "1.0"\n[scenarios.chaos]\ndefault_seeds = 2\n'
        'tests = [{ name = "full", faults = ["disk_full"], operations = ["SET", "HSET"], expect = "error_returned" }]\n'
    )
    done = invoked("chaos", "--spec", "my.toml", "--seeds", "1", "--format", "json")
    document = json.loads(done.stdout)
    assert {each["name"] for each in document["results"]} == {"disk_full_everysec", "disk_full_always", "disk_full_rdb"}
    checked = invoked("spec", "check", "my.toml").stdout
    assert "scenarios.chaos: full: HSET is left out, as cases of chaos write with SET and DEL" in checked
    refused = invoked("chaos", "--spec", "my.toml", "--scenario", "latency")
    assert (refused.status, "--spec is for faults that judge a server" in refused.stderr) == (2, True)


CHAOS = """
[scenarios.chaos]
tests = [
  { name = "a", faults = ["crash", "power_cut"], operations = 40, expect = "error_returned", persistence = ["rdb"] },
  { name = "again", faults = ["crash"], operations = ["SET"] },
]
"""


def test_a_test_of_chaos_says_what_is_wanted_of_each_of_its_kinds() -> None:
    Path("my.toml").write_text(CHAOS)
    spec = specification.spec_of("my.toml")
    suite = kinds.SUITES["chaos"]
    wanted = ("crash_always", "crash_rdb", "power_cut_rdb", "power_cut_always")

    def jobs(**typed: str) -> list[tuple[str, str, tuple[str, ...]]]:
        found = specification.chaos(spec, {**suite.options, **typed}, range(1), wanted)
        return [(job.options["operations"], job.options["expect"], job.kinds) for job in found]

    assert jobs() == [
        ("SET", "", ("crash_always", "crash_rdb")),
        ("40", "error_returned", ("crash_rdb", "power_cut_rdb")),
        ("", "", ("power_cut_always",)),
    ]
    assert jobs(operations="7", expect="eventual_completion") == [("7", "eventual_completion", wanted)]


def test_what_a_test_wants_is_done_and_replayed() -> None:
    Path("my.toml").write_text(CHAOS)
    suite = kinds.SUITES["chaos"]
    [job] = specification.chaos(specification.spec_of("my.toml"), suite.options, range(1), ["power_cut_rdb"])
    with suite.opened(job.kinds, job.options, lambda event: None) as opened:
        batch = verification.batch(job, opened, opened.kinds, range(1))
        outcome = batch.kinds[0].run(Tape.seeded("power_cut_rdb", 0))
    assert outcome.fingerprint == "power_cut_rdb: not error_returned"
    assert 0 < sum(each.startswith(("SET ", "DEL ")) for each in outcome.operations) <= 40
    command = shlex.split(verification.replay_command(batch, "power_cut_rdb", 0))
    assert command[-4:] == ["--operations", "40", "--expect", "error_returned"]
    assert invoked(*command[1:-1], "consistent_after_restart").status == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--operations", "2"), "write the most writes of a case, 3 to 1000000, or the commands"),
        (("--operations", "HSET"), "write the most writes of a case"),
        (("--expect", "luck"), "error_returned"),
    ],
)
def test_what_chaos_cannot_want_is_refused(words: tuple[str, ...], problem: str) -> None:
    done = invoked("chaos", "--faults", "crash", *words)
    assert (done.status, problem in done.stderr) == (2, True)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="starts redis-server")
def test_of_few_writes_an_rdb_file_shows_nothing_and_that_is_said() -> None:
    done = invoked("chaos", "--faults", "crash_rdb", "--operations", "19", "--seeds", "1", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.status, document["summary"]["skipped"]) == (4, 1)
    assert "a case with RDB files needs 20 writes at least" in done.stdout


def test_a_fault_that_there_is_not_is_told_with_its_line() -> None:
    Path("my.toml").write_text('[[faults]]\nname = "torn_tial"\ndescription = "x"\nseverity = "low"\n')
    done = invoked("spec", "check", "my.toml")
    assert done.stderr == "loadgen: my.toml:2:1: faults[0].name: there is no fault torn_tial; did you mean torn_tail?\n"


# ── Cases ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def failed() -> Finished:
    done = invoked("cases", "model", "--spec", "my.toml", "--format", "json")
    assert done.status == 1
    return done


def test_a_failed_case_is_replayed_by_its_name_and_by_its_artifact() -> None:
    document = json.loads(failed().stdout)
    assert document["summary"]["passed"] == document["summary"]["failed"] == 1
    [failure] = document["failed_seeds"]
    assert failure["test"] == "three_elements"
    command = shlex.split(failure["replay_command"])
    assert command[2:] == ["--seed", "0", "--test", "three_elements", "--subject", "model", "--spec", "my.toml"]
    for words in (command[1:], ["replay", failure["artifact"]]):
        again = invoked(*words)
        assert again.status == 1
        assert 'LRANGE a 0 -1 answered ["1", "2"], not ["1", "2", "3"] (model)' in " ".join(again.stdout.split())
    recorded = json.loads(Path(failure["artifact"]).read_text())
    assert recorded["origin"]["spec_hash"] == spec_file.hash_of(OURS)


def test_a_replay_with_a_file_that_was_changed_says_so() -> None:
    artifact = json.loads(failed().stdout)["failed_seeds"][0]["artifact"]
    Path("my.toml").write_text(OURS.replace('["1", "2", "3"]', '["1", "2"]'))
    again = invoked("replay", artifact)
    assert again.status == 0
    assert "note: the spec file is another than it was" in again.stderr
    Path("my.toml").unlink()
    gone = invoked("replay", artifact)
    assert (gone.status, gone.stderr) == (2, "loadgen: my.toml: there is no such file; check the path\n")


def test_a_case_can_be_kept_in_the_seed_bank() -> None:
    words = ("--bank", "bank.txt", "--spec", "my.toml")
    added = invoked("seeds", "add", "--seed", "0", "--test", "two_elements", "--subject", "model", *words)
    assert (added.status, added.stdout) == (0, "0 two_elements subject=model\n")
    assert invoked("seeds", "test", *words).status == 0
    unknown = invoked("seeds", "test", "--bank", "bank.txt")
    assert unknown.status == 2
    assert 'bank.txt:1: there is no test type "two_elements"' in unknown.stderr


def test_a_filter_names_cases_and_a_file_without_cases_is_refused() -> None:
    assert counted("cases", "model", "--filter", "lists_l,sets_algebra") == {
        **{case.name: 1 for case in specification.spec_of(None).cases if case.name.startswith("lists_l")},
        "sets_algebra": 1,
    }
    Path("none.toml").write_text('version = "1.0"\n')
    done = invoked("cases", "model", "--spec", "none.toml")
    assert (done.status, "none.toml has no [[case]]" in done.stderr) == (2, True)


def test_every_problem_of_a_case_of_memcache_is_told() -> None:
    operations = (
        '{ cmd = "get", args = ["a b"] }',
        '{ cmd = "set", args = ["", 0, 0, "x"] }',
        '{ cmd = "set a 0 0 -1", args = ["x"] }',
        '{ cmd = "set", args = ["a", 0, 0, "x", "noreply"] }',
        '{ cmd = "quit" }',
        '{ cmd = "get\\r\\nget" }',
        '{ cmd = "get", args = [{ repeat = "k", times = 0 }] }',
        '{ cmd = "set", args = ["a", 0, 0, " \\r\\n"], expect = { error = " x" } }',
    )
    rows = ",\n".join(operations)
    Path("my.toml").write_text(f'[[case]]\nname = "a"\nprotocol = "memcache"\noperations = [\n{rows}\n]\n')
    told = invoked("spec", "check", "my.toml").stderr
    lines = [int(line.split(":")[2]) - 4 for line in told.splitlines() if "my.toml:" in line]
    assert lines == [1, 2, 3, 4, 5, 6, 7, 8], told
    for words in (
        "only a value may be empty",
        "has no args beside it",
        "have no reply",
        "must be a command, or a line",
    ):
        assert words in told
    Path("my.toml").write_text('[[case]]\nname = "a"\nprotocol = "memcached"\noperations = [{ cmd = "x y" }]\n')
    told = invoked("spec", "check", "my.toml").stderr
    assert "protocol: must be one of resp, memcache" in told
    assert "must be one word" in told


# ── loadgen spec ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_printed_is_a_spec_file_that_checks() -> None:
    for words in (("spec",), ("spec", "print")):
        Path("copy.toml").write_text(invoked(*words).stdout)
    done = invoked("spec", "check", "copy.toml")
    assert done.status == 0
    cases = specification.spec_of(None).cases
    assert any(line.split()[:2] == ["cases", str(len(cases))] for line in done.stdout.splitlines())
    assert specification.spec_of("copy.toml").hash == specification.spec_of(None).hash


def test_check_names_the_tables_that_are_not_acted_on() -> None:
    Path("soak.toml").write_text('[scenarios.soak]\ndescription = "long"\n')
    assert "note: scenarios.soak is not acted on" in invoked("spec", "check", "soak.toml").stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("spec", "chek"), "did you mean check?"),
        (("spec", "print", "my.toml"), "print takes no FILE"),
        (("spec", "check"), "check takes one FILE"),
        (("spec", "check", "none.toml"), "none.toml: there is no such file"),
        (("properties", "--spec", "none.toml"), "none.toml: there is no such file"),
    ],
)
def test_a_wrong_command_line_is_refused(words: tuple[str, ...], problem: str) -> None:
    done = invoked(*words)
    assert done.status == 2
    assert problem in done.stderr
