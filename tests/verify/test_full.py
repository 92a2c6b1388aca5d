"""`loadgen full`: parts as one report. What is not built, or was not run, is never counted as passed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import constructed_soaks
import psutil
import pytest
from in_process import invoked

from loadgen.cli import full, specification
from loadgen.cli.options.parse import parse
from loadgen.cli.verbs import full as verb
from loadgen.config import presets
from loadgen.errors import ExitCode
from loadgen.events import Event
from loadgen.output import Wanted
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Answer, Shown, Violation
from loadgen.verify.ended import NOTHING_JUDGED, CampaignBegan, CampaignEnded, CaseEnded, FailureFound
from loadgen.verify.full import Part, Report
from loadgen.verify.kinds import SUITES
from loadgen.verify.stress.ended import Stressed, StressEnded
from loadgen.verify.stress.shape import Shape


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def parts_of(*words: str) -> dict[str, Part]:
    given = parse(verb.SYNTAX, [*words])
    found = verb.parts_of(given, specification.spec_of(given.spec))
    return {part.name: part for part in found}


def campaign(**more: object) -> CampaignEnded:
    given = {"suite": "x", "version": "1", "host": "h", "cases": (), "failures": (), "seeds": 2, "took_ns": 1}
    given["counts"] = {Verdict.PASS: 1}
    return CampaignEnded(**{**given, **more})  # type: ignore[arg-type]


# ── The report ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cases_of_all_parts_are_counted_once() -> None:
    parts = [Part("one"), Part("two"), Part("simulate", lack="loadgen has no simulate")]
    report = Report(parts, "1", "h")
    assert report.began().kinds == ("one", "two", "simulate")
    found = Outcome(Verdict.FAIL, "it holds", "5, not 6", fingerprint="f")
    failure = FailureFound("one", "a", 1, found, 3, 0, 10, "replay", artifact="a.json", seeds=(1,))
    report.begin(parts[0])
    report.told(CampaignBegan("one", ("a",), 2, "1", "redis 7"))
    for case in (CaseEnded("a", 0, Verdict.PASS, 5), CaseEnded("a", 1, Verdict.FAIL, 5, error="e", replay="replay")):
        assert report.told(case) == [case]
    assert report.told(failure) == [failure]
    note = Reason(Code.NOT_TESTED, "no fsync")
    report.told(campaign(failures=(failure,), sometimes={"s": 2}, notes=(note,)))
    report.part_ended(1, "", 2 * 10**9, cut=False, asked=False)
    report.begin(parts[1])
    report.told(CampaignBegan("two", ("b",), 1, "1", "redis 7"))
    report.told(CaseEnded("b", 0, Verdict.UNTOLD, 5))
    report.told(campaign(sometimes={"s": 1, "t": 0}))
    report.part_ended(4, "", 10**9, cut=True, asked=True)
    assert report.skipped(parts[2]).error == "loadgen has no simulate"
    ended = report.ended(7, interrupted=False)
    assert ended.counts == {Verdict.PASS: 1, Verdict.FAIL: 1, Verdict.UNTOLD: 1, Verdict.SKIPPED: 1}
    assert [case.kind for case in ended.cases] == ["a", "a", "b", "simulate"]
    # A case in NDJSON has no fingerprint, by which the document finds its artifact.
    assert [case.fingerprint for case in ended.cases] == ["", "f", "", ""]
    assert ended.failures == (failure,)
    assert (ended.seeds, ended.sometimes, ended.identity) == (4, {"s": 3, "t": 0}, "redis 7")
    assert [note.words for note in ended.notes] == [
        "one: no fsync",
        "one: 1 passed, 1 failed in 2.0 s",
        "two: 1 untold in 1.0 s, ended after the 0 s that it has",
    ]
    assert ended.severity is Severity.FAILED


def test_a_part_that_did_not_end_could_not_be_run() -> None:
    report = Report([Part("one")], "1", "h")
    report.begin(Part("one"))
    report.told(CaseEnded("a", 0, Verdict.PASS, 5))
    report.part_ended(70, "internal error", 1, cut=False, asked=False)
    ended = report.ended(7, interrupted=False)
    assert [reason.words for reason in ended.reasons] == ["one: internal error"]
    assert ended.exit_code is ExitCode.COULD_NOT_RUN


def test_a_part_that_was_interrupted_by_somebody_else_is_no_pass() -> None:
    for asked, severity in ((False, Severity.COULD_NOT_RUN), (True, Severity.GOOD)):
        report = Report([Part("one")], "1", "h")
        report.begin(Part("one"))
        report.told(CaseEnded("a", 0, Verdict.PASS, 5))
        report.told(campaign(interrupted=True))
        report.part_ended(ExitCode.INTERRUPTED, "", 1, cut=asked, asked=asked)
        assert report.ended(7, interrupted=False).severity is severity


def test_a_part_that_judged_nothing_is_said_and_parts_that_all_did_are_no_pass() -> None:
    report = Report([Part("one")], "1", "h")
    report.begin(Part("one"))
    report.told(CaseEnded("a", 0, Verdict.SKIPPED, 5, error="no RPUSH"))
    report.told(campaign(counts={Verdict.SKIPPED: 1}))
    report.part_ended(4, "", 1, cut=False, asked=False)
    ended = report.ended(7, interrupted=False)
    assert f"one: {NOTHING_JUDGED.words}" in [note.words for note in ended.notes]
    assert ended.severity is Severity.UNKNOWN


def test_the_loads_of_stress_are_cases() -> None:
    report = Report([Part("stress")], "1", "h")
    report.begin(Part("stress"))
    [skipped] = report.told(Stressed(Shape(10, 5, 9), 3, 1, "again", skipped="too large"))
    assert isinstance(skipped, CaseEnded)
    assert (skipped.kind, skipped.verdict, skipped.error) == ("stress_10_5_9", Verdict.SKIPPED, "too large")
    [untold] = report.told(Stressed(Shape(10, 5, 9), 3, 1, "again", failure="no server"))
    assert isinstance(untold, CaseEnded)
    assert (untold.verdict, untold.error) == (Verdict.UNTOLD, "no server")
    report.told(StressEnded((), "1", "h", 1))
    report.part_ended(3, "", 1, cut=False, asked=False)
    assert report.ended(7, interrupted=False).exit_code is ExitCode.CANNOT_TELL


# ── The parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_part_is_listed_and_what_is_not_built_is_skipped() -> None:
    parts = parts_of("--quick")
    assert [*parts] == [
        "smoke",
        "cases",
        "properties",
        "oracle",
        "chaos",
        "stress",
        "check",
        "fuzz",
        "simulate",
        "soak",
    ]
    for name, part in parts.items():
        assert bool(part.lack) is not full.has_verb(name), part
    assert parts["properties"].words[:2] == ("--seeds", "100")
    assert parts_of()["properties"].words[:2] == ("--seeds", "1000")


@pytest.mark.parametrize(
    ("soak", "verdict"),
    [
        (constructed_soaks.passed, Verdict.PASS),
        (constructed_soaks.failed, Verdict.FAIL),
        (constructed_soaks.untold, Verdict.UNTOLD),
    ],
)
def test_a_soak_is_a_case(soak: Callable[[], list[Event]], verdict: Verdict) -> None:
    report = Report([Part("soak")], "1", "h")
    report.begin(Part("soak"))
    told = [each for event in soak() for each in report.told(event)]
    [case] = [each for each in told if isinstance(each, CaseEnded)]
    assert (case.kind, case.verdict, bool(case.error)) == ("soak", verdict, verdict is not Verdict.PASS)
    report.part_ended(0, "", 10**9, cut=False, asked=False)
    ended = report.ended(1, interrupted=False)
    assert ended.counts == {verdict: 1}
    assert ended.reasons == ()
    assert [each.replay for each in ended.failures] == ([case.replay] if verdict is Verdict.FAIL else [])


def test_quick_has_a_limit_below_ten_minutes() -> None:
    limits_s = [part.limit_s for part in parts_of("--quick").values()]
    assert min(limits_s) > 0
    assert sum(limits_s) < 590
    assert {part.limit_s for part in parts_of().values()} == {0.0}


def test_a_subject_is_that_of_every_part() -> None:
    parts = parts_of("--subject", "127.0.0.1:6400")
    assert parts["smoke"].words[2:4] == ("--subject", "127.0.0.1:6400")
    assert parts["cases"].words[0] == "127.0.0.1:6400"
    assert parts["oracle"].words[:2] == ("--subject", "127.0.0.1:6400")
    assert parts["stress"].words[:4] == ("-h", "127.0.0.1", "-p", "6400")
    assert "127.0.0.1:6400 is none" in parts["chaos"].lack
    assert parts_of("--subject", "builtin")["stress"].words[0] == "--embedded"
    for name in ("redis", "valkey"):
        assert parts_of("--subject", name)["stress"].words[:2] == ("--server", name)
        assert presets.SERVERS.path(name) is not None
    assert "--server" in parts_of("--subject", "valkey")["chaos"].words
    for name in ("stress", "check"):
        assert parts_of("--subject", "model")[name].lack
    assert parts_of("--subject", "127.0.0.1:6400")["check"].first[:5] == ("run", "-h", "127.0.0.1", "-p", "6400")


def test_a_spec_file_says_the_loads_of_stress_and_without_cases_they_are_skipped(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('[scenarios.stress]\ntests = [{ name = "mine", connections = [5] }]\n')
    parts = parts_of("--spec", str(file))
    assert parts["cases"].lack == f"{file} has no [[case]]"
    assert parts["stress"].words == ("--scenario", "all", "--spec", str(file))
    file.write_text("")
    assert parts_of("--spec", str(file))["stress"].words == ("--scenario", "connections")


def test_a_memcached_and_an_unknown_part_are_refused() -> None:
    for words, problem in (
        (("--subject", "memcached"), "memcached speaks memcache"),
        (("--filter", "smok,nothing"), 'full has no part "nothing"'),
        (("--spec", "none.toml"), "none.toml: there is no such file"),
    ):
        done = invoked("full", *words)
        assert done.status == 2
        assert problem in done.stderr


# ── Real runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_parts_are_one_document() -> None:
    done = invoked("full", "--filter", "cases,soak", "--subject", "model", "--format", "json")
    assert done.status == 0, done.stdout
    document = json.loads(done.stdout)
    assert document["metadata"]["suite"] == "full"
    assert document["metadata"]["server"] == "loadgen's model of redis 7.0, loadgen's model of memcached 1.6"
    summary = document["summary"]
    cases = len(specification.spec_of(None).cases)
    # A process takes no load: without a server there is no soak.
    assert (summary["total"], summary["passed"], summary["skipped"]) == (cases + 1, cases - 1, 2)
    [soak] = [each for each in document["results"] if each["name"] == "soak"]
    assert (soak["passed"], soak["verdict"]) == (None, "skipped")


def test_a_load_is_recorded_and_judged_and_worlds_are_simulated() -> None:
    Path("few.toml").write_text("[simulation]\ndefault_config = { seeds = 20, operations_per_seed = 500 }\n")
    words = ("--filter", "check,simulate", "--subject", "builtin", "--spec", "few.toml", "--quick")
    done = invoked("full", *words, "--format", "json")
    assert done.status == 0, done.stdout + done.stderr
    results = {each["name"]: each for each in json.loads(done.stdout)["results"]}
    # The history of a part that found nothing is not kept.
    assert results["check_history"]["operations"] == 50_000 + 100
    assert not Path("failures/full.history").exists()
    assert {*results} == {"check_history", *SUITES["simulate"].kinds}


def test_a_history_that_is_illegal_is_a_failure_and_is_kept() -> None:
    shown = (Shown("1", "read → 7", 1, 2, accused=True),)
    answer = Answer("register", 3, 1, {"reads": 1}, (Violation("revived", "k", "it came back.", shown),), found=1)
    part = Part("check", ("f.history",), file="f.history")
    report = Report([part], "1", "host")
    report.begin(part)
    case, failure = report.told(HistoryChecked("f.history", answer, "1", 5))
    assert isinstance(case, CaseEnded)
    assert isinstance(failure, FailureFound)
    assert case.verdict is Verdict.FAIL
    assert case.replay == failure.replay == "loadgen check f.history"
    assert failure.artifact == "f.history"
    report.part_ended(1, "", 1, cut=False, asked=False)
    assert report.ended(7, interrupted=False).exit_code is ExitCode.NO


def test_a_load_that_leaves_no_history_is_no_check() -> None:
    done = invoked("full", "--filter", "check", "--subject", "127.0.0.1:1", "--format", "json", "--quick")
    assert done.status == 3
    assert "check: " in json.loads(done.stdout)["summary"]["reasons"][0]


def test_a_failure_has_its_replay_and_its_artifact() -> None:
    Path("my.toml").write_text(
        'version = "1.0"\n[[case]]\nname = "wrong"\noperations = [{ cmd = "GET", args = ["a"], expect = "x" }]\n'
    )
    done = invoked("full", "--filter", "cases", "--subject", "model", "--spec", "my.toml", "--format", "json")
    assert done.status == 1
    [failed] = json.loads(done.stdout)["failed_seeds"]
    assert failed["replay_command"] == "loadgen replay --seed 0 --test wrong --subject model --spec my.toml"
    assert failed["artifact"] == "failures/wrong-0.json"
    assert Path(failed["artifact"]).exists()
    console = invoked("full", "--filter", "cases", "--subject", "model", "--spec", "my.toml")
    assert "✗ FAIL [seed=0] wrong" in console.stdout
    assert "full: FAIL: wrong: loadgen replay --seed 0" in " ".join(console.stderr.split())


def test_a_part_is_ended_when_its_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--subject", "model", "--seeds", "10000000")
    # A busy machine has not begun the first case by then: the part has no case, and gets more time.
    for limit_s in (1.5, 6.0, 24.0):
        status = full.run([Part("properties", words, limit_s=limit_s)], Wanted("document"))
        summary = json.loads(capsys.readouterr().out)["summary"]
        assert f"ended after the {limit_s:.0f} s that it has" in summary["notes"][-1]
        if summary["total"]:
            break
        [why] = summary["reasons"]
        assert why in ("properties: its time was over before it began", "no case was judged")
        assert status is not ExitCode.YES
    assert status is ExitCode.YES
    assert summary["passed"] > 0
    assert summary["interrupted"] is False


def test_a_part_that_cannot_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert full.run([Part("cases", ("127.0.0.1:1",))], Wanted("document")) is ExitCode.COULD_NOT_RUN
    [reason] = json.loads(capsys.readouterr().out)["summary"]["reasons"]
    assert reason.startswith("cases: The server at 127.0.0.1:1 does not answer")


def test_a_part_that_was_killed_in_the_middle_of_a_line_leaves_the_report_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def killed(part: Part, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
        words = ["sh", "-c", """printf '{"type":"case","te'; kill -9 $$"""]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=stderr) as process:
            yield process

    monkeypatch.setattr(full, "_process", killed)
    assert full.run([Part("smoke")], Wanted("document")) is ExitCode.COULD_NOT_RUN
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert summary["reasons"] == ["smoke: it ended with exit status -9"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_report_with_what_there_is(number: signal.Signals) -> None:
    words = [sys.executable, "-m", "loadgen", "full", "--filter", "properties,soak", "--subject", "model"]
    with subprocess.Popen([*words, "--format", "ndjson"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        children: list[psutil.Process] = []
        lines = []
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1]["type"] == "case" and not children:
                children = psutil.Process(process.pid).children()
                process.send_signal(number)
        status = process.wait(timeout=30)
    assert status == ExitCode.INTERRUPTED
    assert lines[-1]["type"] == "campaign"
    summary = lines[-1]["summary"]
    assert summary["interrupted"] is True
    assert summary["passed"] > 0
    assert summary["reasons"] == []
    assert children
    assert not any(child.is_running() for child in children)
