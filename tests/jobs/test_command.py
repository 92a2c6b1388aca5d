"""The command line of `loadgen jobs`: which tests are put on, and bad input. The tests themselves are a stand-in's."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import runpy
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from in_process import invoked
from job_evidence import S, account
from places import SRC

from loadgen.cli import job_tests
from loadgen.cli.options import parse
from loadgen.cli.verbs import jobs
from loadgen.config import jobs_presets
from loadgen.jobs import log
from loadgen.jobs.adapters import catalogue
from loadgen.jobs.job import NewJob
from loadgen.jobs.load.ended import Axis, JobsEnded
from loadgen.jobs.load.plan import JobsPlan
from loadgen.jobs.opened import Terms, storage_of
from loadgen.judge.named import Check


@dataclass
class StandIn:
    """In the place of `JobsTest`: each test ends at once, at a rate of 100 jobs/s for each worker."""

    plan: JobsPlan
    emit: Any
    stop: Any
    number: int = 1
    of: int = 1
    axis: Axis | None = None
    profile: str = ""
    log_level: str = ""
    check: bool = True

    def ended(self) -> JobsEnded:
        took_ns = round(1000 / (100 * self.plan.workers) * S)
        checks = (Check("lost", self.check, "1 of 1,000 jobs acknowledged", "0"),)
        end = JobsEnded(self.plan, "sqlite", "1.0", account(last_ns=S + took_ns), checks=checks)
        put_on.append(self)
        self.emit(end)
        if stops:
            self.stop.set()
            return replace(end, interrupted=True)
        return end


put_on: list[StandIn] = []
stops: list[bool] = []


@pytest.fixture(autouse=True)
def stood_in(monkeypatch: pytest.MonkeyPatch) -> None:
    put_on.clear()
    stops.clear()
    monkeypatch.setattr(job_tests, "JobsTest", StandIn)


def plans(*words: str) -> list[JobsPlan]:
    """The tests that a command line puts on."""
    return job_tests.asked(parse(jobs.syntax_of(words), words)).plans


# ── What is put on ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_preset_is_put_on_with_what_the_flags_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoked("jobs", "run", "throughput", "--jobs", "2k", "--workers", "3", "--concurrency", "4", "--work", "5ms",
                   "--rate", "70", "--fail-p", "25%", "--adapter", "lists", "--storage", "redis://h:1/2", "--patience",
                   "9s", "--set", "queue.lease=2s", "--profile", "--log-level", "debug", "-q")  # fmt: skip
    assert done.status == 0, done.stderr
    [test] = put_on
    plan = test.plan
    assert (plan.name, plan.workers, plan.concurrency, plan.adapter) == ("throughput", 3, 4, "lists")
    [kind] = plan.publishing.kinds
    assert (kind.jobs, kind.work_ns, kind.fail_p) == (2000, 5_000_000, 0.25)
    assert (plan.publishing.rate_per_s, plan.storage, plan.patience_ns) == (70.0, "redis://h:1/2", 9 * S)
    assert plan.queue.lease_ns == 2 * S
    assert (test.profile, test.log_level, test.number, test.of, test.axis) == ("auto", "debug", 1, 1, None)


def test_the_exit_status_is_that_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    assert invoked("jobs", "run", "throughput", "-q").status == 0
    monkeypatch.setattr(job_tests, "JobsTest", lambda *words, **named: StandIn(*words, **named, check=False))
    assert invoked("jobs", "run", "throughput", "-q").status == 1
    assert invoked("jobs", "run", "throughput", "mixed", "-q").status == 1


def test_several_tests_are_put_on_one_after_the_other_and_upstream_is_twelve() -> None:
    done = invoked("jobs", "run", "mixed", "chains", "--format", "ndjson")
    assert done.status == 0
    assert [(test.plan.name, test.number, test.of) for test in put_on] == [("mixed", 1, 2), ("chains", 2, 2)]
    assert [plan.name for plan in plans("run", "upstream")] == list(jobs_presets.UPSTREAM)


def test_a_sweep_is_the_test_with_each_number_of_workers_and_judges_scaling() -> None:
    done = invoked("jobs", "run", "throughput", "--sweep", "1,2,10", "--format", "ndjson")
    assert done.status == 0
    assert [(test.plan.workers, test.axis) for test in put_on] == [(n, Axis.WORKERS) for n in (1, 2, 10)]
    asked = job_tests.asked(parse(jobs.syntax_of(["run"]), ["run", "throughput", "--sweep", "1,2"]))
    assert asked.axis is Axis.WORKERS
    assert "scaling" in done.stdout


def test_a_test_with_a_baseline_is_put_on_after_it_and_knows_its_rate() -> None:
    assert invoked("jobs", "run", "scale-10-workers", "-q").status == 0
    before, test = put_on
    assert (before.plan.workers, before.plan.jobs, before.plan.baseline_per_s) == (1, 100, None)
    assert (test.plan.workers, test.plan.jobs, test.plan.baseline_per_s) == (10, 1000, 100.0)
    assert [(each.number, each.of) for each in put_on] == [(1, 2), (2, 2)]


def test_no_further_test_is_put_on_after_somebody_has_stopped_one() -> None:
    stops.append(True)
    assert invoked("jobs", "run", "mixed", "chains", "-q").status == 130
    assert invoked("jobs", "run", "scale-10k", "-q").status == 130
    assert [test.plan.name for test in put_on] == ["mixed", "scale-10k: baseline"]


def test_adapters_are_compared_by_one_test_each_in_a_storage_that_suits_it() -> None:
    done = invoked("jobs", "compare", "--adapters", "sqlite,streams,lists", "--storage", "redis://h:1", "--jobs", "10",
                   "-q")  # fmt: skip
    assert done.status == 0, done.stderr
    found = [(test.plan.adapter, test.plan.storage, test.plan.jobs) for test in put_on]
    assert found == [("sqlite", "", 10), ("streams", "redis://h:1", 10), ("lists", "redis://h:1", 10)]
    assert {test.plan.name for test in put_on} == {"throughput"}


def test_adapters_are_by_default_ours_and_those_of_the_libraries_that_are_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = (catalogue.Row("rq", "", ("json",)), catalogue.Row("arq", "", ("no_such_module",)))
    monkeypatch.setattr(catalogue, "ROWS", rows)
    monkeypatch.setattr(catalogue, "ADAPTERS", {row.name: row for row in rows})
    words = ["compare", "worker-kill"]
    asked = job_tests.compared(parse(jobs.syntax_of(words), words))
    assert [plan.adapter for plan in asked.plans] == ["sqlite", "streams", "lists", "rq"]
    assert asked.axis is Axis.ADAPTER


# ── Bad input ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", "run|list|inspect|compare|new is missing"),
        ("runn throughput", 'there is no action "runn"; did you mean run?'),
        ("throughput --jobs 5", 'there is no action "throughput"; did you mean jobs run throughput?'),
        ("run", "TEST is missing"),
        ("run thruput", 'there is no test and no file "thruput"; did you mean throughput?'),
        ("run nothing.toml", "nothing.toml: there is no such file"),
        ("run throughput --jobs 0", "--jobs: must be from 1 to 10,000,000, not 0"),
        ("run throughput --jobs many", '--jobs: "many" is not a count'),
        ("run throughput --workers 0", "--workers: must be from 1 to 1,000, not 0"),
        ("run throughput --storage mysql://x", "--storage: mysql://x is no storage that is known here"),
        ("run throughput --adapter kafka", "--adapter: must be one of sqlite, streams, lists, rq"),
        ("run throughput --adapter rq --storage sqlite://./x.db", "--storage: the adapter rq keeps its jobs in Redis"),
        ("run crash-recovery --adapter sqlite", "crash-recovery.toml:"),
        ("run throughput --sweep 1", "--sweep: takes from 2 to 20 numbers of workers, not 1"),
        ("run throughput --sweep 1,1", '--sweep: "1,1" has a number twice'),
        ("run throughput --sweep 1,x", '--sweep: "1,x" is no list of numbers'),
        ("run throughput --sweep 0,1", '--sweep: "0,1" is no list of numbers'),
        ("run throughput --sweep 1,2 --workers 3", "--sweep and --workers each say how many workers there are"),
        ("run throughput mixed --sweep 1,2", "--sweep is over one test"),
        ("run scale-10k --sweep 1,2", "scale-10k has a test before it, by [baseline]; leave out --sweep"),
        ("compare scale-10k --adapters sqlite,lists", "scale-10k has a test before it, by [baseline]"),
        ("compare --adapters ,", "--adapters names no adapter"),
        ("compare --adapters lists,lists", "--adapters names lists twice"),
        ("run throughput --log-level loud", "--log-level: must be one of debug, info, warning, error"),
        ("run throughput --profile gdb", "--profile: must be one of auto, py-spy, perf"),
        ("run --app x:y throughput", "throughput says nothing beside --app"),
        ("run --app x:y --jobs 5", "--jobs says nothing beside --app"),
        ("run --app x:y --storage ftp://x", "ftp://x is no storage that is known here"),
        ("run throughput -q -v", "-v and -q each name a format"),
        ("list thruput", "did you mean throughput?"),
        ("inspect", "QUEUE is missing"),
        ("inspect q --storage nowhere", "nowhere is no storage that is known here"),
        (
            "inspect q --storage redis://h --adapter sqlite",
            "--adapter sqlite does not keep its jobs in redis://h:6379/0",
        ),
        ("new", "FILE is missing"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_status_2(
    words: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoked("jobs", *words.split())
    assert done.status == 2
    assert found in done.stderr
    assert done.stderr.count("\n") == (2 if "crash-recovery" in words else 1)
    assert not put_on
    assert not [*tmp_path.iterdir()]


def test_a_library_that_is_not_installed_is_refused_before_the_first_test(monkeypatch: pytest.MonkeyPatch) -> None:
    row = catalogue.Row("rq", "", ("no_such_module",))
    monkeypatch.setattr(catalogue, "ADAPTERS", {"rq": row})
    for words in (["run", "throughput", "--adapter", "rq"], ["compare", "--adapters", "sqlite,rq"]):
        done = invoked("jobs", *words)
        assert done.status == 2
        assert "pip install 'loadgen[jobs]'" in done.stderr
    assert not put_on


def test_log_lines_of_all_processes_go_to_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(jobs.LOG).write_text("of an earlier test")
    logs: list[str | None] = []

    def noted(*words: Any, **named: Any) -> StandIn:
        script = "from loadgen.jobs import log; log.configure('info'); log.LOG.info('x'); log.LOG.debug('y')"
        subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(SRC)})
        logs.append(os.environ.get(log.FILE))
        return StandIn(*words, **named)

    monkeypatch.setattr(job_tests, "JobsTest", noted)
    assert invoked("jobs", "run", "mixed", "chains", "--log-level", "info", "-q").status == 0
    lines = [json.loads(line) for line in Path(jobs.LOG).read_text().splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [("INFO", "x")] * 2
    assert logs == [str(tmp_path / jobs.LOG)] * 2
    assert log.FILE not in os.environ


# ── list, inspect, new ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_has_every_preset_and_prints_one() -> None:
    listed = invoked("jobs", "list").stdout
    assert all(f"  {name} " in listed for name in jobs_presets.names())
    assert max(map(len, listed.splitlines())) <= 100
    assert invoked("jobs", "list", "multi_worker").stdout == jobs_presets.text_of("multi-worker")


async def _with_jobs(path: Path) -> None:
    storage = storage_of(f"sqlite://{path}", Terms(name="mail"))
    await storage.open()
    await storage.publish([NewJob(str(number), "send", b"{}") for number in range(5)])
    assert len(await storage.claim("worker-1", 2, 0.0)) == 2
    await storage.close()


def test_inspect_shows_the_counts_and_the_running_jobs_that_are_old_enough(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    asyncio.run(_with_jobs(path))
    words = ("jobs", "inspect", "mail", "--storage", f"sqlite://{path}", "--format", "ndjson")
    done = invoked(*words, "--older-than", "1ns")
    assert done.status == 0, done.stderr
    [record] = map(json.loads, done.stdout.splitlines())
    assert (record["counts"]["pending"], record["counts"]["running"]) == (3, 2)
    assert [each["worker"] for each in record["running"]] == ["worker-1"] * 2
    [later] = map(json.loads, invoked(*words, "--older-than", "1h").stdout.splitlines())
    assert later["running"] == []


def test_inspect_makes_no_file(tmp_path: Path) -> None:
    done = invoked("jobs", "inspect", "q", "--storage", f"sqlite://{tmp_path}/none.db")
    assert done.status == 3
    assert "there is no file" in done.stderr
    assert not [*tmp_path.iterdir()]


def test_new_writes_a_test_in_python_and_replaces_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoked("jobs", "new", "my_test.py")
    assert done.stdout == "my_test.py is written; put it on by: loadgen jobs run --app my_test.py:main\n"
    text = Path("my_test.py").read_text()
    names = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.AsyncFunctionDef)}
    assert {"main", "job"} <= names
    assert 'name="my-test"' in text
    assert "{FILE}" not in text + done.stdout
    assert invoked("jobs", "new", "my_test.py").status == 2
    assert Path("my_test.py").read_text() == text
    assert invoked("jobs", "new", "no/such/folder.py").status == 3


def test_a_test_that_new_has_written_runs_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoked("jobs", "new", "my_test.py").status == 0
    names = runpy.run_path("my_test.py")
    asyncio.run(names["main"]())
    assert capsys.readouterr().out == "Completed: 100 of 100, errors: 0\n"
    assert Path("my-test.db").exists()
