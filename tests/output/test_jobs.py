"""Tests of jobs in words, as one document, as JUnit XML, as progress, and back from their records."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from constructed_jobs import (
    EVERYTHING,
    FIVE,
    JOBS,
    MS,
    PLAN,
    S,
    adapters,
    could_not_run,
    end_of,
    ended,
    failed,
    inspected,
    interrupted,
    of_jobs,
    passed,
    presets,
    reclaims,
    schedules,
    shared,
    times,
    workers,
)
from rendered import emit_all, text

from loadgen.events import Event
from loadgen.jobs.load.account import Account, Counts
from loadgen.jobs.load.ended import Axis, JobsBegan, JobsCompared, JobsProgress, Stage
from loadgen.judge.named import Check
from loadgen.output import create, create_progress
from loadgen.output.formats.progress.bar import Bar
from loadgen.output.formats.remark import Remark
from loadgen.output.paper import layout
from loadgen.output.paper.grid import fitting, grid
from loadgen.output.reports.jobs_junit import JobsJunit
from loadgen.output.words import jobs, jobs_compared
from loadgen.record import Reading, to_record
from loadgen.severity import Severity
from loadgen.snapshot import Histogram

# ── The block that users know ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_results_have_the_lines_of_users_own_scripts_in_their_order() -> None:
    lines = iter(text("clean", "jobs_shared").splitlines())
    for expected in (
        "Total Jobs:       1000",
        "Completed:        1000",
        "Success Rate:     100.00%",
        "Throughput:       412.70 jobs/sec",
        "Worker Distribution:",
        "  Worker 1:       198 jobs (19.8%)",
        "  Worker 2:       205 jobs (20.5%)",
        "  Worker 3:       201 jobs (20.1%)",
        "  Worker 4:       195 jobs (19.5%)",
        "  Worker 5:       201 jobs (20.1%)",
        "Duplicates:       NO",
        "TEST PASSED",
    ):
        assert expected in lines, expected


@pytest.mark.parametrize(
    ("run", "answer"),
    [
        ("jobs_passed", "TEST PASSED"),
        ("jobs_failed", "TEST FAILED"),
        ("jobs_reclaims", "CAN'T TELL"),
        ("jobs_could_not_run", "COULD NOT RUN"),
        ("jobs_interrupted", "INTERRUPTED"),
    ],
)
def test_the_answer_is_a_line_of_its_own(run: str, answer: str) -> None:
    assert text("clean", run).splitlines().count(answer) == 1


def test_one_job_too_few_is_no_success_rate_of_100() -> None:
    counts = Counts(attempted=1_000_000, completed=999_999)
    assert dict(jobs.totals(ended(PLAN, Account(counts))))["Success Rate"] == "99.99%"


def test_what_is_not_known_is_a_dash() -> None:
    assert dict(jobs.totals(ended(PLAN, Account()))) == {
        "Total Jobs": "0",
        "Completed": "0",
        "Success Rate": "-",
        "Throughput": "-",
    }


def test_of_many_workers_the_least_and_the_most_are_shown() -> None:
    account = of_jobs(210, 50, *range(21))
    assert jobs.distribution(account, PLAN) == [
        ("Least", "0 jobs (0.0%), worker 1"),
        ("Most", "20 jobs (9.5%), worker 21"),
        ("Mean", "10.0 jobs, over 21 workers"),
    ]
    assert len(jobs.distribution(of_jobs(210, 50, *range(20)), PLAN)) == 20


def test_workers_are_told_with_their_namespaces() -> None:
    placed = replace(FIVE, namespaces=("east", "we\x1bst"))
    words = [words for _, words in jobs.distribution(of_jobs(30, 50, 10, 10, 10), placed)]
    east, west = "10 jobs (33.3%), in east", "10 jobs (33.3%), in we\\x1bst"
    assert words == [east, west, east]
    assert jobs.crew(placed).endswith("in the network namespaces east and we\\x1bst, by turns")
    assert jobs.crew(replace(placed, namespaces=("east",))).endswith("in the network namespace east")


def test_duplicates_are_told_with_what_was_in_flight() -> None:
    assert jobs.duplicates(end_of(failed())) == "YES (7 executions, 1 effect; 12 jobs in flight at the kills)"
    assert jobs.duplicates(end_of(passed())) == "NO"


def test_every_count_is_shown_when_there_is_one_and_lost_always() -> None:
    assert jobs.counted(Counts()) == [("Lost", "0")]
    # Totals and duplicates have lines of their own; the others are parts of these.
    elsewhere = {"attempted", "completed", "acknowledged", "executed", "executions"}
    elsewhere |= {"duplicate_executions", "duplicate_effects"}
    for name in Counts.__dataclass_fields__:
        shown = jobs.counted(Counts(**{name: 17}))
        assert (len(shown) > 1 or name == "lost") == (name not in elsewhere or name == "executions"), name


def test_executions_per_job_are_told_where_jobs_were_executed_again() -> None:
    counts = Counts(executed=1000, executions=2440)
    assert ("Executions", "2,440 (2.44 per job that was executed)") in jobs.counted(counts)


def test_what_monitors_read_is_shown_where_it_was_asked_for_and_logged_everywhere() -> None:
    title, gap = "redis: 12 readings, 1 gap", "monitor redis: no reading"
    for form, asked, unasked in (("clean", True, False), ("verbose", True, True)):
        for words in (title, gap):
            assert (words in text(form, "jobs_shared")) is asked, (form, words)
            assert (words in text(form, "jobs_passed")) is unasked, (form, words)
    for events, shown in ((shared(), True), (passed(), False)):
        stream = io.StringIO()
        emit_all(events, create("markdown", stream))
        assert ("| redis | used\\_memory |" in stream.getvalue()) is shown


# ── Latencies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reclaim_that_was_waited_for_in_vain_is_censored_and_never_a_latency() -> None:
    rows = {row.name: row for row in jobs.latencies(end_of(reclaims()).account)}
    assert rows["reclaim"].cells == ("> 30.0 s",) * 4
    assert rows["reclaim"].count == 11
    some = Account(latencies={"reclaim": times((5200, 200))}, unreclaimed_ns=(30 * S,) * 2)
    (row,) = jobs.latencies(some)
    assert row.cells == ("5.20 s", "~5.20s", "~5.20s", "> 30.0 s")
    assert some.latencies["reclaim"].count == 200


def test_latencies_come_in_the_order_of_a_jobs_life_and_kinds_after_them() -> None:
    names = [row.name for row in jobs.latencies(end_of(failed()).account)]
    assert names == [
        "publish", "queueing", "execution", "ack", "handling", "end to end", "reclaim", "retry", "handling 1",
        "handling 2",
    ]  # fmt: skip
    assert jobs.latencies(Account(of_kinds={"1": times((1, 5))}, latencies={"retry": Histogram()})) == []


def test_the_time_of_workers_is_told_as_a_share_of_their_places() -> None:
    # 198 + … + 201 jobs of 10 ms, in 1000 / 412.7 s.
    assert jobs.cost(end_of(shared())) == [("Worker Time", "14 % of 30 places busy on average")]
    assert jobs.cost(end_of(schedules())) == []


# ── The plan ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_is_told_with_all_that_it_asks_for() -> None:
    assert jobs.load(FIVE) == "1,000 jobs of 10 ms"
    assert jobs.crew(FIVE) == "5 workers, 6 jobs at once each, 3 attempts, lease 5 s"
    assert jobs.crew(replace(FIVE, adapter="rq", workers=1)) == "1 worker, 6 jobs at once, 3 attempts"
    told = jobs.load(EVERYTHING)
    for part in (
        "500 jobs of 10 ms (80 % of attempts fail)",
        "50 jobs of 2 s of CPU time that raise with 4.00 KB",
        "100 workflows of 3 steps of 20 ms",
        "500 schedules, each created 5 times, each changed 20 times",
        "firing by */5 * * * * for 70 s",
        "250/s",
        "5 producers",
        "10 in each publish",
        "each submitted 5 times with the same key",
        "in 3 bursts, 3 s apart",
        "all published before the first worker starts",
    ):
        assert part in told, part
    assert "lease 3 s, leases not renewed, in the network namespaces east and " in jobs.crew(EVERYTHING)
    assert [jobs.planned(each) for each in EVERYTHING.faults] == [
        "kill (process) on workers 2, 4, at 30 % of the jobs",
        "power_cut (disk) on the storage",
    ]


def test_a_fault_without_an_effect_says_so() -> None:
    end = end_of(reclaims())
    fired, in_flight = jobs.faults(end)
    assert in_flight == "11 jobs in flight at the kills"
    end = replace(end, in_flight_at_kills=0)
    assert fired == "kill (process) on workers 2, 4, at 30 % of the jobs: processes killed: 2, at 2.31 s"
    (idle,) = jobs.faults(replace(end, faults=(replace(end.faults[0], effects=0),)))
    assert idle.endswith("processes killed: 0, at 2.31 s, which is no effect")
    (never,) = jobs.faults(replace(end, faults=(replace(end.faults[0], spells=()),)))
    assert never.endswith(": did not begin")


# ── Several tests ─────────────────────────────────────────────────────────────────────────────────────────────────────


def compared_of(events: Sequence[Event]) -> JobsCompared:
    (found,) = (event for event in events if isinstance(event, JobsCompared))
    return found


def test_the_table_of_adapters_has_what_each_lost_and_costs() -> None:
    compared = compared_of(adapters())
    streams, rq, dramatiq = jobs_compared.rows(compared)
    assert jobs_compared.headings(compared) == [
        "adapter", "jobs/s", "lost", "duplicates", "reclaim p50", "reclaim max", "memory", "CPU/job", "B/job",
    ]  # fmt: skip
    assert streams == ["streams", "2.41K", "0", "0", "~5.20s", "5.90 s", "43.5 MB", "144 µs", "396 B"]
    assert rq == ["rq", "60.6", "0", "1", "> 30.0 s", "> 30.0 s", "61.2 MB", "1.26 ms", "1.83 KB"]
    assert dramatiq == ["dramatiq", *["-"] * 8]


def test_a_column_without_a_number_is_left_out() -> None:
    compared = compared_of(adapters())
    without = tuple(
        replace(each, account=replace(each.account, latencies={}, unreclaimed_ns=())) for each in compared.ended
    )
    assert jobs_compared.headings(replace(compared, ended=without)) == [
        "adapter", "jobs/s", "lost", "duplicates", "memory", "CPU/job", "B/job",
    ]  # fmt: skip


def test_efficiency_is_against_one_worker_alone() -> None:
    compared = compared_of(workers())
    assert [row[2] for row in jobs_compared.rows(compared)] == ["100.0 %", "99.3 %", "95.7 %", "75.5 %"]
    without = replace(compared, ended=compared.ended[1:])
    assert [without.efficiency(each) for each in without.ended] == [None] * 3
    assert "efficiency" not in jobs_compared.headings(without)


@pytest.mark.parametrize(("columns", "missing"), [(120, []), (80, []), (70, ["memory"]), (60, ["memory", "CPU/job"])])
def test_columns_are_left_out_where_lines_are_short(columns: int, missing: list[str]) -> None:
    compared = compared_of(adapters())
    with layout.at(columns):
        headings, rows = jobs_compared.short_headings(compared), jobs_compared.rows(compared)
        places = fitting(headings, rows, [headings.index("memory"), headings.index("CPU/job")])
        assert [heading for place, heading in enumerate(headings) if place not in places] == missing
        assert max(map(len, grid(headings, rows, places))) <= columns


def test_a_table_has_words_flush_left_and_numbers_flush_right() -> None:
    assert grid(("what", "n", "who"), [["a", "1", "me"], ["longer", "12", "you all"]]) == [
        "what     n  who",
        "a        1  me",
        "longer  12  you all",
    ]


def test_a_first_column_that_is_too_long_is_cut() -> None:
    with layout.at(60):
        header, line = grid(("what", "n"), [["x" * 100, "12"]])
    assert line == f"{'x' * 55}…  12"
    assert header == f"{'what':<56}   n"


# ── One document ──────────────────────────────────────────────────────────────────────────────────────────────────────


def document(events: Sequence[Event]) -> dict[str, Any]:
    stream = io.StringIO()
    emit_all(events, create("document", stream))
    (line,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_the_document_of_a_single_test_has_its_totals_and_its_record() -> None:
    found = document(passed())
    assert found["metadata"] | {"timestamp": ""} == {
        "tool": "loadgen jobs",
        "version": "0.1.0",
        "host": "a host",
        "timestamp": "",
    }
    assert (found["summary"]["tests"], found["summary"]["exit_status"], found["summary"]["interrupted"]) == (
        1,
        0,
        False,
    )
    assert found["summary"]["verdicts"]["pass"] == 1
    (result,) = found["results"]
    assert result["summary"] == {
        "verdict": "pass",
        "exit_status": 0,
        "total_jobs": 1000,
        "completed": 1000,
        "success_rate": 100.0,
        "jobs_per_s": 85.23,
        "lost": 0,
        "duplicates": 0,
    }
    assert [worker["completed"] for worker in result["workers"]] == [1000]


def test_the_document_of_several_tests_is_one_and_has_their_table() -> None:
    found = document(adapters())
    assert (found["summary"]["axis"], found["summary"]["tests"]) == ("adapter", 3)
    assert found["summary"]["verdicts"] == {
        "pass": 0,
        "fail": 0,
        "could-not-run": 1,
        "interrupted": 0,
        "cannot-tell": 2,
    }
    streams, rq, _ = found["summary"]["rows"]
    assert (streams["reclaim_p50_secs"], streams["reclaim_max_secs"]) == (pytest.approx(5.2, rel=1e-3), 5.9)
    assert (streams["reclaim_censored"], rq["reclaim_censored"], rq["reclaim_max_secs"]) == (0, 10, 30)
    assert (streams["storage_cpu_us_per_job"], streams["workers_rss_bytes"]) == (144, 43_500_000)
    assert [result["type"] for result in found["results"]] == ["jobs"] * 3


def test_tests_that_were_interrupted_before_their_comparison_are_written_all_the_same() -> None:
    events = [event for event in presets() if not isinstance(event, JobsCompared)]
    found = document(events)
    assert (found["summary"]["tests"], found["summary"]["interrupted"]) == (6, True)


def test_the_state_of_a_queue_is_a_document() -> None:
    found = document(inspected())
    assert found["metadata"]["tool"] == "loadgen jobs inspect"
    assert found["summary"]["counts"] == {"pending": 1200, "delayed": 3, "running": 2, "dead": 1}
    assert [job["worker"] for job in found["summary"]["running"]] == ["worker-1", "worker-2"]


def test_markdown_of_several_tests_has_one_table_over_all() -> None:
    stream = io.StringIO()
    emit_all(adapters(), create("markdown", stream))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "# Tests of jobs"
    assert lines[2] == (
        "| adapter | jobs/s | lost | duplicates | reclaim p50 | reclaim max | memory | CPU/job | B/job |"
    )
    assert "\x1b" not in stream.getvalue()
    assert [line for line in lines if line.startswith("## ")] == [
        "## CAN'T TELL: kill",
        "## CAN'T TELL: kill",
        "## COULD NOT RUN: throughput",
    ]


def test_a_password_of_the_storage_is_in_no_record() -> None:
    record = to_record(end_of(failed()))
    assert record is not None
    assert record["plan"]["storage"] == "redis://me:***@127.0.0.1:6379/1"
    odd = to_record(replace(end_of(failed()), plan=replace(EVERYTHING, storage="amqp://me:secret@host/")))
    assert odd is not None
    assert odd["plan"]["storage"] == "amqp://…"


# ── Back from records ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("run", JOBS)
def test_a_test_comes_back_from_its_records_as_it_was(run: str) -> None:
    events = JOBS[run]()
    records = [json.loads(json.dumps(record)) for event in events if (record := to_record(event)) is not None]
    reading = Reading()
    back = [*reading.events(records)]
    assert [*map(type, back)] == [*map(type, events)]
    assert [json.loads(json.dumps(to_record(event))) for event in back] == records
    assert not reading.missing


def test_a_plan_comes_back_with_every_field_but_the_password() -> None:
    begun = next(event for event in failed() if isinstance(event, JobsBegan))
    record = json.loads(json.dumps(to_record(begun)))
    (back,) = Reading().events([record])
    assert isinstance(back, JobsBegan)
    assert back.plan == replace(EVERYTHING, storage="redis://me:***@127.0.0.1:6379/1")


# ── JUnit XML ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def junit(events: Sequence[Event], path: Path) -> ElementTree.Element:
    emit_all(events, JobsJunit(str(path)))
    return ElementTree.parse(path).getroot()


def counts_of(suite: ElementTree.Element) -> tuple[str | None, ...]:
    return tuple(suite.get(name) for name in ("tests", "failures", "errors", "skipped"))


def test_junit_has_a_suite_for_each_test_and_a_case_for_each_check(tmp_path: Path) -> None:
    suites = junit(presets(), tmp_path / "junit.xml")
    assert [suite.get("name") for suite in suites] == [
        "throughput (sqlite)",
        "multi-worker (sqlite)",
        r"every\x1b[2Jthing (streams)",
        "schedules (sqlite)",
        "throughput (rq)",
        "throughput (sqlite)",
    ]
    assert [*map(counts_of, suites)] == [
        ("4", "0", "0", "0"),
        ("4", "0", "0", "0"),
        ("4", "2", "1", "0"),
        ("2", "0", "0", "0"),
        ("1", "0", "1", "0"),
        ("1", "0", "1", "0"),
    ]
    assert counts_of(suites) == ("16", "2", "3", "0")
    third = suites[2]
    assert [(case.get("name"), [part.tag for part in case]) for case in third.findall("testcase")] == [
        ("lost", ["failure"]),
        ("reclaim", ["error"]),
        ("stuck", ["failure"]),
        ("check 1 (nice)", ["system-out"]),
    ]
    assert suites[0].get("time") == "11.733"


def test_junit_of_a_single_test_is_written_at_the_close_and_checks_over_all_are_a_suite(tmp_path: Path) -> None:
    assert [suite.get("name") for suite in junit(passed(), tmp_path / "one.xml")] == ["throughput (sqlite)"]
    suites = junit(workers(), tmp_path / "several.xml")
    assert (suites[-1].get("name"), counts_of(suites[-1])) == ("all tests", ("1", "1", "0", "0"))


# ── The remark ────────────────────────────────────────────────────────────────────────────────────────────────────────


def remarks(events: Sequence[Event], capsys: pytest.CaptureFixture[str]) -> list[str]:
    emit_all(events, Remark())
    return capsys.readouterr().err.splitlines()


def test_a_remark_says_why_a_test_did_not_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert remarks(passed(), capsys) == remarks(interrupted(), capsys) == []
    (line,) = remarks(reclaims(), capsys)
    assert line.startswith("loadgen: kill: CAN'T TELL: reclaim: 10 jobs of dead workers")
    assert remarks(workers(), capsys) == [
        "loadgen: scaling: 0.75 of one worker's rate each, with 10 workers (limit ≥ 0.8)"
    ]


def test_a_comparison_of_adapters_remarks_only_what_could_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = remarks(adapters(), capsys)
    assert line.startswith("loadgen: throughput: COULD NOT RUN: rq is not installed")
    assert compared_of(adapters()).severity is Severity.COULD_NOT_RUN


def test_a_comparison_of_adapters_judges_none_of_them() -> None:
    compared = compared_of(adapters())
    assert replace(compared, ended=compared.ended[:2]).severity is Severity.GOOD
    assert replace(compared, axis=Axis.TEST, ended=compared.ended[:2]).severity is Severity.UNKNOWN


# ── Progress ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def plain(printed: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed)


@pytest.fixture
def _a_capable_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


HALF = JobsProgress(Stage.EXECUTING, 100_000, 45_600, 100_000, 1234.5, 68.2, 37.0, 0.0)


def test_progress_is_told_with_the_rate_and_what_is_left() -> None:
    assert jobs.progress(HALF) == "45,600 of 100,000 jobs (45.6 %), 1.23K jobs/s, 1 min 9 s left"
    assert jobs.progress(replace(HALF, expected=0, left_s=None)) == "45,600 jobs, 1.23K jobs/s"
    assert jobs.progress(replace(HALF, ended=0, left_s=None)) == "0 of 100,000 jobs (0.0 %)"
    assert jobs.share(replace(HALF, ended=200_000)) == 1.0


@pytest.mark.usefixtures("_a_capable_terminal")
@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("expected", [0, 100_000])
def test_a_bar_shows_a_test_of_jobs_on_one_line(expected: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    bar = Bar(stream, color=False, unprinted=frozenset({JobsProgress}))
    bar.emit(JobsBegan(PLAN, "", "", 3, 12, Axis.TEST, 0.0))
    bar.emit(replace(HALF, expected=expected))
    shown = [line for line in re.split(r"[\r\n]", plain(stream.getvalue())) if line.strip()]
    assert max(map(len, shown)) <= columns
    if columns >= 120:
        assert "test 3/12: executing" in shown[-1]
        assert "1.23K jobs/s, 1 min 9 s left" in shown[-1]
    bar.close()


@pytest.mark.usefixtures("_a_capable_terminal")
def test_no_bar_is_drawn_where_the_results_tell_each_second() -> None:
    stream = Terminal()
    bar = create_progress(stream)
    bar.emit(HALF)
    bar.close()
    assert stream.getvalue() == ""
    assert "45.6 %" in text("verbose", "jobs_passed")
    assert "45.6 %" not in text("clean", "jobs_passed")


# ── Checks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_check_that_does_not_apply_is_no_reason() -> None:
    idle = Check("shares", None, "one worker", vital=False)
    unknown = Check("reclaim", None, "no fault", "≤ 7 s")
    end = ended(PLAN, of_jobs(1000, 85.23), checks=(idle, unknown))
    assert jobs.why(end) == ["reclaim: no fault (limit ≤ 7 s)"]
    assert end.severity is Severity.UNKNOWN
    assert end_of(shared()).severity is end_of(schedules()).severity is Severity.GOOD
    assert end_of(could_not_run()).severity is Severity.COULD_NOT_RUN
    assert times((1, 1)).quantile(0.5) == pytest.approx(MS, rel=1e-3)
