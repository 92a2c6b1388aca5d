"""`loadgen replay`, `loadgen seeds`, and what a verb of verification prints, with a suite that has planted bugs."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import planted_command
import pytest
from command import Finished
from copied import copied
from in_process import invoked
from planted_kinds import Reads, Store
from records import check_record

from loadgen.verify import artifact, kinds
from loadgen.verify.case import Outcome
from loadgen.verify.tape import Tape


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    planted_command.install(monkeypatch)
    monkeypatch.chdir(tmp_path)


def found() -> Path:
    """The artifact of the first planted bug."""
    assert invoked("planted", "--bug", "stale").status == 1
    [path] = Path("failures").iterdir()
    return path


# ── A campaign ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failure_prints_seed_test_invariant_and_a_command_that_fails_again() -> None:
    done = invoked("planted", "--bug", "stale", "--ops", "50")
    assert done.status == 1
    lines = [line.strip() for line in done.stdout.splitlines()]
    place = next(place for place, line in enumerate(lines) if line.startswith("✗ FAIL [seed="))
    assert " set_get_roundtrip (" in lines[place]
    assert lines[place + 1] == "invariant     GET returns what SET stored"
    command = copied(done.stdout)
    assert command[-6:] == ["--test", "set_get_roundtrip", "--ops", "50", "--bug", "stale"]
    again = invoked(*command[1:])
    assert again.status == 1
    assert lines[place + 1] in again.stdout
    assert "planted: FAIL: GET returns what SET stored: loadgen replay" in done.stderr


def test_a_campaign_without_a_failure_passes_and_writes_no_artifact() -> None:
    done = invoked("planted")
    assert done.status == 0
    assert "PASS  planted: 100 seeds, 200 cases: 200 passed" in done.stdout
    assert not Path("failures").exists()


def test_seeds_begin_where_they_are_to() -> None:
    results = json.loads(invoked("planted", "--seed", "40", "--seeds", "3", "--format", "json").stdout)["results"]
    assert [each["seed"] for each in results] == [40, 40, 41, 41, 42, 42]


def test_the_document_has_the_names_of_redlite_dst_and_ours() -> None:
    done = invoked("planted", "--bug", "lost", "--format", "json")
    document = json.loads(done.stdout)
    assert [*document] == ["metadata", "summary", "results", "failed_seeds", "failures"]
    metadata, summary = document["metadata"], document["summary"]
    assert {"tool", "version", "timestamp", "suite", "host"} <= set(metadata)
    assert (metadata["suite"], metadata["server"]) == ("planted", "planted store 1.0")
    assert {"total", "passed", "failed", "skipped", "duration_ms", "success_rate"} <= set(summary)
    assert summary["total"] == len(document["results"]) == 200
    assert summary["passed"] + summary["failed"] == 200
    assert summary["success_rate"] == pytest.approx(100 * summary["passed"] / 200)
    assert summary["exit_status"] == done.status == 1
    assert {"name", "seed", "passed", "duration_ms", "error"} <= set(document["results"][0])
    failed = document["failed_seeds"]
    assert len(failed) == summary["failed"] == sum(not each["passed"] for each in document["results"])
    assert {"seed", "test", "error", "replay_command"} <= set(failed[0])
    assert {each["shrunk_ops"] for each in failed} == {2, 3}
    assert {each["artifact"] for each in failed} == {str(path) for path in Path("failures").iterdir()}
    assert [len(each["operations"]) for each in document["failures"]] == [3, 2]
    assert sum(len(each["seeds"]) for each in document["failures"]) == len(failed)


def test_ndjson_has_a_record_for_each_event() -> None:
    done = invoked("planted", "--bug", "lost", "--seeds", "9", "--format", "ndjson")
    for record in done.records:
        check_record(record)
    kinds_of = [record["type"] for record in done.records]
    assert kinds_of[0] == "campaign-began"
    assert kinds_of[-1] == "campaign"
    assert kinds_of.count("case") == 18
    assert kinds_of.count("failure") == 2
    assert done.records[-1]["summary"]["exit_status"] == 1


def test_markdown_has_the_failed_tests_and_lines_for_the_bank() -> None:
    done = invoked("planted", "--bug", "stale", "--format", "markdown", "-o", "report.md")
    text = Path("report.md").read_text()
    for heading in ("# planted: FAIL", "## Summary", "Status: **FAIL**", "## Failed Tests", "## All Results"):
        assert heading in text
    assert "<summary>200 results</summary>" in text
    assert "✗ FAIL [seed=" in done.stdout
    [line] = [line for line in text.splitlines() if line.startswith("loadgen seeds add ")]
    added = invoked(*shlex.split(line)[1:])
    assert added.status == 0
    assert "set_get_roundtrip bug=stale shrunk=set_get_roundtrip-" in added.stdout


def test_junit_has_a_case_for_each_seed_that_failed() -> None:
    invoked("planted", "--bug", "stale", "--seeds", "20", "--junit", "report.xml", "-q")
    suites = ElementTree.parse("report.xml").getroot()
    failures = suites.findall(".//failure")
    assert len(failures) == int(suites.get("failures", "0")) > 5
    assert all("replay: loadgen replay --seed" in (failure.text or "") for failure in failures)
    [passed] = [case for case in suites.findall(".//testcase") if case.get("name") == "incr_is_monotonic"]
    assert passed.findtext("system-out") == "20 seeds passed"


def test_quiet_is_one_line_with_the_replay_command() -> None:
    [line] = invoked("planted", "--bug", "stale", "-q").stdout.splitlines()
    assert line.startswith("FAIL planted  100 seeds, 200 cases")
    assert "  loadgen replay --seed " in line


def test_a_folder_that_cannot_be_made_is_a_note() -> None:
    Path("failures").touch()
    done = invoked("planted", "--bug", "stale")
    assert done.status == 1
    assert "the artifact could not be written to failures" in done.stdout.replace("\n" + " " * 14, " ")
    assert "artifact  " not in done.stdout


def test_two_formats_are_refused() -> None:
    done = invoked("planted", "-q", "--format", "json")
    assert (done.status, done.stderr) == (2, "loadgen: --format and -q each name a format: keep one of them.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_campaign_with_what_there_is(number: signal.Signals) -> None:
    words = [sys.executable, planted_command.__file__, "planted", "--seeds", "1000000", "--format", "ndjson"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = [process.stdout.readline() for _ in range(5)]
        process.send_signal(number)
        # Not communicate(), which does not know of lines that were read ahead.
        records = [json.loads(line) for line in [*first, *process.stdout]]
        errors = process.stderr.read()
    assert process.returncode == 130
    assert records[-1]["type"] == "campaign"
    assert records[-1]["summary"]["interrupted"] is True
    assert records[-1]["summary"]["total"] == sum(record["type"] == "case" for record in records) >= 4
    assert "Traceback" not in errors


# ── Replay ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_artifact_is_replayed() -> None:
    path = found()
    for extra in ([], ["--whole"]):
        done = invoked("replay", str(path), *extra)
        assert done.status == 1
        assert "invariant     GET returns what SET stored" in done.stdout
        assert "diverged" not in done.stdout
    assert "size          3 operations" in invoked("replay", str(path)).stdout


def test_a_replay_that_passes_says_where_it_diverged() -> None:
    path = found()
    done = invoked("replay", str(path), "--bug", "")
    assert done.status == 0
    said = " ".join(done.stdout.split())
    assert "the case did not fail (pass); it was recorded as GET returns what SET stored" in said
    assert "it diverged after the last of " in said


def test_another_version_is_refused_unless_forced() -> None:
    path = found()
    path.write_text(path.read_text().replace('"version": "0.1.0"', '"version": "0.0.9"'))
    done = invoked("replay", str(path))
    assert done.status == 2
    assert "of loadgen 0.0.9, and this is loadgen 0.1.0" in done.stderr
    assert invoked("replay", str(path), "--force").status == 1


def test_another_server_is_said() -> None:
    path = found()
    path.write_text(path.read_text().replace("planted store 1.0", "planted store 0.9"))
    assert "note: this is planted store 1.0, and it was planted store 0.9" in invoked("replay", str(path)).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the artifact of a failure, or a case by --seed and --test."),
        (["--seed", "1"], "name the artifact of a failure, or a case by --seed and --test."),
        (["--seed", "1", "--test", "planned"], 'there is no test type "planned"; did you mean planted?'),
        (["--seed", "1", "--test", "planted", "--force"], "--force is for the artifact of a failure"),
        (["--seed", "1", "--test", "planted", "--ops", "x"], '--ops is a whole number, not "x".'),
        (["nowhere.json"], "nowhere.json: cannot be read: No such file or directory."),
        (["FILE", "--seed", "1"], "FILE has seed and test: leave out --seed."),
        (["FILE", "--other", "1"], "--other is no option of planted; leave it out, or name another test."),
    ],
)
def test_what_names_no_case_is_refused(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "FILE" in words:
        path = found()
        words = [str(path) if word == "FILE" else word for word in words]
    other = kinds.Suite("other", ("other_kind",), kinds.SUITES["planted"].opened, {"other": ""})
    monkeypatch.setitem(kinds.SUITES, "other", other)
    planted_command.install(monkeypatch)
    done = invoked("replay", *words)
    assert done.status == 2
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"suite": "planted"', '"suite": "plantet"', "there is no plantet; did you mean planted?"),
        ('"kind": "set_get', '"kind": "set_got', "planted has no test set_got_roundtrip; did you mean"),
        ('"ops": "100"', '"opps": "100"', "planted has no option opps; did you mean ops?"),
    ],
)
def test_an_artifact_of_what_this_loadgen_lacks_is_refused(old: str, new: str, said: str) -> None:
    path = found()
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    done = invoked("replay", str(path))
    assert done.status == 2
    assert said in done.stderr


# ── The bank ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def added(*words: str) -> Finished:
    done = invoked("seeds", "add", *words)
    assert done.status == 0, done.stderr
    return done


def test_a_seed_is_added_listed_and_run() -> None:
    added("--seed", "7", "--test", "set_get_roundtrip", "--ops", "50", "--description", "once lost")
    added("--seed", "8", "--test", "planted")
    listed = "7 set_get_roundtrip ops=50 once lost\n8 planted\n"
    assert Path("tests/regression_seeds.txt").read_text() == listed
    assert invoked("seeds", "list").stdout == listed
    assert invoked("seeds", "list", "--test", "incr_is_monotonic").stdout == "8 planted\n"
    done = invoked("seeds", "test", "--format", "json")
    document = json.loads(done.stdout)
    assert done.status == 0
    assert [(each["name"], each["seed"]) for each in document["results"]] == [
        ("set_get_roundtrip", 7),
        ("set_get_roundtrip", 8),
        ("incr_is_monotonic", 8),
    ]
    assert document["summary"]["seeds"] == 2


def test_a_seed_that_fails_again_fails_the_bank() -> None:
    path = found()
    recorded = artifact.read(path)
    added(str(path))
    done = invoked("seeds", "test")
    assert done.status == 1
    assert f"✗ FAIL [seed={recorded.seed}] set_get_roundtrip" in done.stdout


def test_an_artifact_is_added_with_its_options_and_fingerprint() -> None:
    path = found()
    recorded = artifact.read(path)
    name = f"set_get_roundtrip-{recorded.seed}.json"
    line = f"{recorded.seed} set_get_roundtrip bug=stale shrunk={name} {recorded.fingerprint}\n"
    assert added(str(path)).stdout == line
    assert artifact.read(Path("tests/regression_seeds") / name) == replace(recorded, tape=None)
    again = added(str(path), "--description", "another word for it")
    assert (again.stdout, len(again.stderr.splitlines()), "has this failure already: " in again.stderr) == ("", 1, True)
    assert Path("tests/regression_seeds.txt").read_text() == line


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shrunk case in a bank of a failure that the store no longer has."""
    added(str(found()))
    monkeypatch.setattr(Store, "set", lambda store, key, value: store.values.update({key: value}))
    [kept] = Path("tests/regression_seeds").iterdir()
    return kept


def test_the_bank_runs_a_seed_and_its_shrunk_case(mended: Path) -> None:
    done = invoked("seeds", "test", "--format", "json")
    document = json.loads(done.stdout)
    assert [(each["shrunk_case"], each["verdict"]) for each in document["results"]] == [
        (str(mended), "pass"),
        (None, "pass"),
    ]
    assert document["summary"]["seeds"] == 1
    assert (done.status, document["summary"]["notes"]) == (0, [])


def test_a_list_shows_the_steps_of_a_shrunk_case(mended: Path) -> None:
    line, *steps = invoked("seeds", "list").stdout.splitlines()
    assert line in Path("tests/regression_seeds.txt").read_text()
    assert steps[0] == f"#   {mended}, of loadgen 0.1.0:"
    assert steps[1:] == [f"#     {step}" for step in artifact.read(mended).operations]


def test_a_shrunk_case_that_fails_is_one_failure_with_its_seed_and_replayed_by_its_file() -> None:
    """It is of another version: the tape is read all the same, and the command says how to do so."""
    added(str(found()))
    [kept] = Path("tests/regression_seeds").iterdir()
    kept.write_text(kept.read_text().replace('"version": "0.1.0"', '"version": "0.0.9"'))
    document = json.loads(invoked("seeds", "test", "--format", "json").stdout)
    [failure] = document["failures"]
    command = f"loadgen replay {kept} --force --ops 100 --bug stale"
    assert (failure["replay_command"], failure["artifact"], failure["seeds"]) == (command, str(kept), [failure["seed"]])
    assert len(document["failed_seeds"]) == 2
    assert copied(invoked("seeds", "test").stdout) == shlex.split(command)
    assert invoked(*shlex.split(command)[1:]).status == 1
    whole = invoked("replay", str(kept), "--force", "--whole")
    assert whole.status == 2
    assert "has the shrunk case only; the whole one is `loadgen replay --seed " in whole.stderr


@pytest.mark.usefixtures("mended")
def test_a_stale_shrunk_case_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Reads.run

    def drawing_more(kind: Reads, tape: Tape) -> Outcome:
        tape.below(3, "protocol")
        return run(kind, tape)

    monkeypatch.setattr(Reads, "run", drawing_more)
    done = invoked("seeds", "test")
    said = " ".join(done.stdout.split())
    assert done.status == 4
    assert "1 passed, 1 untold" in said
    assert "stale: at draw 1 of " in said
    assert '"one more operation" below 2 when recorded, "protocol" below 3 now' in said
    assert "shrink the failure anew by `loadgen replay --seed " in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "x.json: cannot be read: No such file or directory."),
        ("{", "x.json: is no artifact, as it is not JSON."),
        ('{"artifact": 1}', "x.json: is no artifact as loadgen writes it ("),
        ("KIND", "x.json: planted has no test nothing; there are set_get_roundtrip, incr_is_monotonic."),
        ("SUITE", "x.json: there is no elsewhere; there are planted."),
    ],
)
def test_what_is_no_artifact_is_not_added(text: str | None, said: str) -> None:
    path = Path("x.json")
    if text is not None:
        recorded = artifact.read(found())
        known = {"KIND": replace(recorded, kind="nothing"), "SUITE": replace(recorded, suite="elsewhere")}
        path.write_text(artifact.to_json(known[text]) if text in known else text)
    done = invoked("seeds", "add", "x.json")
    assert (done.status, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert said in done.stderr
    assert not Path("tests").exists()


@pytest.mark.parametrize("action", ["list", "test"])
def test_a_bank_without_the_shrunk_case_of_a_line_is_refused(action: str, mended: Path) -> None:
    mended.unlink()
    done = invoked("seeds", action)
    assert done.status == 2
    assert f"tests/regression_seeds.txt:1: {mended}: cannot be read: No such file or directory." in done.stderr


def test_comments_and_lines_of_the_file_stay() -> None:
    Path("bank.txt").write_text("# ours\n3 planted no end of line")
    added("--bank", "bank.txt", "--seed", "4", "--test", "planted")
    assert Path("bank.txt").read_text() == "# ours\n3 planted no end of line\n4 planted\n"


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (None, ["list"], "there is no tests/regression_seeds.txt; `loadgen seeds add` makes it"),
        ("1 planted\n", ["tset"], 'there is no action "tset"; did you mean test?'),
        ("1 planted\n2 plantet\n3 foo\n", ["test"], ':2: there is no test type "plantet"; did you mean planted?'),
        ("# nothing\n", ["test"], "has no seed to run."),
        ("1 planted\n", ["test", "--seed", "1"], "--seed is not acted on by seeds test: leave it out."),
        ("1 planted\n", ["list", "--ops", "1"], "--ops is not acted on by seeds list: leave it out."),
        ("1 planted\n", ["list", "--format", "json"], "--format is not acted on by seeds list: leave it out."),
        ("1 planted\n", ["add", "--junit", "x.xml"], "--junit is not acted on by seeds add: leave it out."),
        ("1 planted\n", ["add", "--artifacts", "x"], "--artifacts is not acted on by seeds add: leave it out."),
        ("1 planted\n", ["list", "x.json"], "list takes no FILE; name the bank by --bank."),
        ("1 planted\n", ["add"], "add takes the artifact of a failure, or --seed and --test."),
        ("1 planted\n", ["add", "x.json", "--seed", "1"], "--seed is not acted on by seeds add FILE: leave it out."),
        (b"\xff\n", ["list"], "is no seed bank, as it is not UTF-8."),
    ],
)
def test_what_the_bank_cannot_do_is_refused(text: str | bytes | None, words: list[str], said: str) -> None:
    path = Path("tests/regression_seeds.txt")
    if text is not None:
        path.parent.mkdir()
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = invoked("seeds", *words)
    assert done.status == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == (2 if text and b"foo" in path.read_bytes() else 1)


def test_a_bank_without_an_end_is_refused() -> None:
    done = invoked("seeds", "list", "--bank", "/dev/zero")
    assert done.status == 2
    assert "/dev/zero: is larger than 16 MiB, so it is no seed bank." in done.stderr


def test_a_subject_that_cannot_be_brought_up_does_not_hide_the_others() -> None:
    Path("bank.txt").write_text("1 planted ops=5\n2 planted bug=gone\n9 planted ops=x\n3 planted\n4 planted\n")
    done = invoked("seeds", "test", "--bank", "bank.txt", "--format", "json")
    document = json.loads(done.stdout)
    assert done.status == 3
    assert document["summary"]["reasons"] == ["the store cannot be opened", '--ops is a whole number, not "x".']
    assert {each["seed"] for each in document["results"]} == {1, 3, 4}
