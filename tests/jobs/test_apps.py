"""Users' own tests in Python: what is run, what is refused, and what their ledger says."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from loadgen.errors import ExitCode, UsageError
from loadgen.events import Event
from loadgen.jobs.leader.app import AppTest
from loadgen.jobs.load.ended import JobsEnded
from loadgen.jobs.load.plan import JobsPlan
from loadgen.runner.stop import Stop
from loadgen.severity import Severity

BEGINNING = """
import asyncio, os, signal
from loadgen.jobs import Queue

async def main(storage="sqlite://./own.db"):
    queue = Queue(storage, lease_s=1.0, sweep_s=0.2)

    @queue.durable("work", max_attempts=2, initial_s=0.01)
    async def work(data, attempt):
"""

ENDING = """
    handles = [await work({"n": n}) for n in range(10)]
    for handle in handles:
        try:
            print(await handle.result(20.0))
        except Exception as error:
            print(error)
    await queue.stop()
"""


def ended(body: str, folder: Path, name: str = "own.py:main", storage: str = "") -> JobsEnded:
    (folder / "own.py").write_text(f"{BEGINNING}        {body}\n{ENDING}")
    events: list[Event] = []
    return AppTest(f"{folder}/{name}", JobsPlan("own", "mine", workers=0), events.append, Stop(), storage).ended()


def test_a_program_is_judged_by_what_its_jobs_did(tmp_path: Path):
    done = ended("return data['n'] * 2", tmp_path, storage=f"sqlite://{tmp_path}/given.db")
    assert done.account.counts.completed == 10
    assert done.said == tuple(str(n * 2) for n in range(10))
    assert done.severity is Severity.GOOD
    assert (tmp_path / "given.db").exists()


def test_jobs_that_fail_are_counted_and_their_errors_reach_who_waits(tmp_path: Path):
    done = ended("raise ValueError('no')", tmp_path, storage=f"sqlite://{tmp_path}/given.db")
    counts = done.account.counts
    assert (counts.completed, counts.dead, counts.executions, counts.failures) == (0, 10, 20, 20)
    assert all("is dead: ValueError: no" in line for line in done.said)


def test_a_program_that_dies_could_not_be_run(tmp_path: Path):
    done = ended("os.kill(os.getpid(), signal.SIGKILL)", tmp_path, storage=f"sqlite://{tmp_path}/given.db")
    assert done.exit_code is ExitCode.COULD_NOT_RUN
    assert done.checks == ()


@pytest.mark.parametrize(
    ("text", "name", "storage", "words"),
    [
        ("", "own.py:main", "", "there is no function main"),
        ("main = 3", "own.py:main", "", "there is no function main"),
        ("import nowhere", "own.py:main", "", "cannot be imported: ModuleNotFoundError"),
        ("def main(): pass", "own.py", "", "names no function"),
        ("def main(): pass", "none.py:main", "", "there is no file"),
        ("def main(): pass", "own.py:main", "sqlite://./x.db", "has no parameter storage"),
    ],
)
def test_what_is_no_test_is_refused_in_one_sentence(text: str, name: str, storage: str, words: str, tmp_path: Path):
    (tmp_path / "own.py").write_text(text)
    test = AppTest(f"{tmp_path}/{name}", JobsPlan("own", "mine", workers=0), lambda _: None, Stop(), storage)
    with pytest.raises(UsageError, match=words) as found:
        test.ended()
    assert "\n" not in str(found.value)


def test_a_program_without_jobs_proves_nothing(tmp_path: Path):
    (tmp_path / "own.py").write_text("def main(): pass")
    done = AppTest(f"{tmp_path}/own.py:main", JobsPlan("own", "mine", workers=0), lambda _: None, Stop()).ended()
    assert done.exit_code is ExitCode.CANNOT_TELL
    assert "published no job" in done.reasons[0].words


def test_a_program_that_raises_is_named_with_its_error(tmp_path: Path):
    (tmp_path / "own.py").write_text("def main(): raise KeyError('lost')")
    done = AppTest(f"{tmp_path}/own.py:main", JobsPlan("own", "mine", workers=0), lambda _: None, Stop()).ended()
    assert done.exit_code is ExitCode.COULD_NOT_RUN
    assert done.reasons[0].words.endswith("raised KeyError: 'lost'")


def test_a_queue_runs_without_loadgen_beside_it(tmp_path: Path):
    (tmp_path / "own.py").write_text(
        f"{BEGINNING}        return data['n']\n{ENDING}\nasyncio.run(main('sqlite://{tmp_path}/own.db'))\n"
    )
    ran = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.stdout.split() == [str(n) for n in range(10)], ran.stderr
    with sqlite3.connect(tmp_path / "own.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_documented_program_runs(tmp_path: Path):
    text = (ROOT / "docs" / "JOBS.md").read_text(encoding="utf-8")
    program = re.search(r"<!-- file: (\S+) -->\n```python\n(.*?)```", text, re.DOTALL)
    assert program is not None
    (tmp_path / program[1]).write_text(program[2])
    ran = subprocess.run([sys.executable, program[1]], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines() == ["to someone, attempt 1, fence 1", "{'sent': True}"], ran.stderr


def test_a_program_whose_jobs_make_no_progress_is_given_up(tmp_path: Path):
    (tmp_path / "own.py").write_text(f"{BEGINNING}        await asyncio.sleep(1000)\n{ENDING}")
    plan = JobsPlan("own", "mine", workers=0, patience_ns=1_000_000_000)
    url = f"sqlite://{tmp_path}/own.db"
    done = AppTest(f"{tmp_path}/own.py:main", plan, lambda _: None, Stop(), url).ended()
    assert done.exit_code is ExitCode.NO
    assert done.account.counts.stuck + done.account.counts.lost == 10


def test_a_ledger_that_cannot_be_read_whole_proves_nothing(tmp_path: Path):
    done = ended(
        "open(os.environ['LOADGEN_JOBS_LEDGER'], 'a').write('half a li\\n')",
        tmp_path,
        storage=f"sqlite://{tmp_path}/given.db",
    )
    assert done.exit_code is ExitCode.CANNOT_TELL
    assert done.reasons[0].words == "10 lines of the ledger cannot be read: was its disk full?"
