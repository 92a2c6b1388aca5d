"""Every command that the documents show works: it is run as it stands there, with settings that make it short.

A command runs in the test's own process, against the test's own server. Only `serve` gets a process: it runs until a
signal ends it.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from command import Finished
from constructed_rounds import run_first_rounds_only
from in_process import invoked
from places import ROOT, SERVERS
from real_servers import RealServer
from run_folders import run_that_passed
from runs import sets, up_to

from loadgen.cli import job_tests, soaks
from loadgen.cli.campaigns import parts_of, planned_by
from loadgen.cli.machines import launcher
from loadgen.cli.options import parse
from loadgen.cli.trials import cases_of
from loadgen.cli.verbs import chaos, cloud, jobs, selftest, soak
from loadgen.jobs.url import parse as storage_url

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmark/*.md")])
LOADGEN = [sys.executable, "-m", "loadgen"]
BRIEFLY = ["general.duration=50ms", "general.warmup=0s", "workload.keyspace.count=100"]
# Whether this machine and the server are quick enough is not what is asked of a document's command.
BRIEFLY += ["verdict.lag=30s", "verdict.shortfall=1", "connection.request_timeout=30s"]
BRIEF_RUN = ["--duration", "50ms", "--warmup", "0s", "--keys", "100", "--format", "json"]
# That a rate is found where none is given is asked in tests/compare/test_rounds.py.
ROUNDS = ["rounds=8", "slices=2", "slice=50ms", "settle=10ms", "rate=1000", "awake=never"]
JUDGED = {
    "smoke": ["smoke.requests=1", "smoke.p999=30s"],
    "compare": [f"compare.{setting}" for setting in ROUNDS],
    "gate": [f"gate.{setting}" for setting in ROUNDS],
}
RESULT = """{{"type":"result","ts":"2026-11-21T10:00:00Z","loop":"closed","throughput":{},"verdict":{{"valid":true}}}}
"""
MORE_BRIEFLY = {
    "open-loop.toml": [f"slo{table}.{name}=30s" for table, name in (("", "p99"), ("", "p999"), (".get", "p99"))],
    "ramp.toml": ['workload.phase=[{for = "50ms", shape = "ramp", rate = [100, 1000]}]'],
    "fault-kill.toml": ['fault=[{kind = "kill", at = "20ms", for = "10ms"}]'],
    "fault-latency.toml": ['fault=[{kind = "latency", at = "10ms"}]'],
    # Too short for a reading of the host, without which its checks cannot be told.
    "monitors.toml": ["check=[]"],
    "history.toml": ['workload.history="/dev/null"'],
    "slo-search.toml": [*up_to(500), "slo.p99=30s", "slo.p999=30s", "workload.saturation_search.sample_window=100ms"],
}


def commands() -> Iterator[tuple[str, str]]:
    """Each line of each `sh` block, as (document, command)."""
    for document in DOCUMENTS:
        for block in re.findall(r"^```sh\n(.*?)^```", document.read_text(), re.M | re.S):
            for line in block.splitlines():
                command = line.partition(" #")[0].strip()
                if command and not command.startswith("#"):
                    yield document.relative_to(ROOT).as_posix(), command


def made() -> set[tuple[str, str]]:
    """Every `make …` that a document mentions, in a block or in passing."""
    mentions = {
        (document.relative_to(ROOT).as_posix(), mention)
        for document in DOCUMENTS
        for mention in re.findall(r"`(make [a-z][^`]*)`", document.read_text())
    }
    return mentions | {(document, command) for document, command in commands() if command.startswith("make ")}


@pytest.mark.parametrize(("document", "command"), sorted(made()))
def test_every_make_target_in_the_documents_exists(document: str, command: str) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert planned.returncode == 0, planned.stderr


# Each once, under the first document that shows it.
SHOWN = {c: d for d, c in reversed([*commands()]) if re.match(r"(\.venv/bin/)?loadgen ", c)}


@pytest.mark.parametrize(("document", "command"), [(document, command) for command, document in SHOWN.items()])
def test_every_loadgen_command_in_the_documents_works(
    document: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    verb, *more = words = shlex.split(command)[1:]
    if verb == "serve":
        serves([*LOADGEN, *words, "--port", "0"])
    elif verb == "proxy":
        serves([*LOADGEN, *words, "--port", "0", *(["--listen", "127.0.0.1:0"] if "--listen" in words else [])])
    elif verb == "fuzz":
        monkeypatch.chdir(tmp_path)
        target = words[words.index("--target") + 1]
        assert "passed" in works(["fuzz", "--target", target, "--duration", "100ms"]).stdout
    elif verb in ("properties", "oracle", "cases", "simulate"):
        monkeypatch.chdir(tmp_path)
        done = invoked(*words)
        # Two servers may differ.
        assert done.status in (0, 1), done.stderr
        assert "passed" in done.stdout
    elif verb == "cloud":
        # tests/fleet/test_cloud.py has agents that are launched.
        given = parse(cloud.syntax_of(more), more)
        assert launcher(given) is not None
        assert parts_of(planned_by(given.get("verb") or cloud.DEFAULT, [*cloud.words_of(given)]))
    elif verb == "config":
        assert works(words).stdout
    elif verb in ("compare", "gate"):
        # tests/cli/test_gate.py has comparisons whose rounds are all run.
        run_first_rounds_only(monkeypatch)
        laid_out(tmp_path, monkeypatch)
        done = invoked(*words, *sets(*BRIEFLY, *JUDGED[verb]))
        assert done.status in (0, 1, 4), done.stderr
        assert "throughput" in done.stdout
    elif verb == "smoke":
        laid_out(tmp_path, monkeypatch)
        assert "PASS" in works(words, BRIEFLY + JUDGED[verb]).stdout
    elif verb == "history":
        monkeypatch.chdir(tmp_path)
        with RealServer.redis() as server:
            works(["run", "--port", str(server.port), *BRIEF_RUN, "-o", "result.json"])
        assert "throughput" in works(words).stdout
    elif verb == "chaos":
        # Trials take their time: tests/trial/test_trial.py runs some. What only prints is run.
        given = parse(chaos.SYNTAX, more)
        if given.list or given.show is not None:
            assert works(words).stdout
        else:
            assert cases_of(given, 1)
    elif verb == "jobs":
        # tests/jobs has tests that are put on. What only prints or writes is run.
        given = parse(jobs.syntax_of(more), more)
        if given.action in ("list", "new"):
            monkeypatch.chdir(tmp_path)
            assert works(words).stdout
        elif given.action == "inspect":
            assert storage_url(given.storage)
        elif given.get("app") is None:
            assert (job_tests.asked if given.action == "run" else job_tests.compared)(given).plans
    elif verb == "soak":
        # tests/soak/test_soak.py has one that is put on.
        given = parse(soak.SYNTAX, more)
        assert given.replay is not None or soaks.soaked(given).schedule.checkpoints
    elif verb in ("watch", "report") and (kept := [word for word in words if word.startswith("soak-")]):
        monkeypatch.chdir(tmp_path)
        run_that_passed(tmp_path / kept[0])
        assert "FD" in works(words).stdout or "-o" in words
    elif verb == "selftest":
        # What it does is tested with the search (tests/runner/test_search.py).
        parse(selftest.SYNTAX, more)
    else:
        with RealServer.redis() as server:
            here = (
                []
                if "--embedded" in words or "fault-kill" in command
                else [f'target.endpoints=["127.0.0.1:{server.port}"]']
            )
            further = [setting for name, settings in MORE_BRIEFLY.items() if name in command for setting in settings]
            fewer = ["-n", "1k"] if "-n" in words else []
            printed = works([*words, *fewer], [*BRIEFLY, *further, *here]).stdout
        assert "throughput" in printed or "req/s" in printed or '"type":"result"' in printed


def works(words: Sequence[str], settings: Sequence[str] = ()) -> Finished:
    done = invoked(*words, *sets(*settings))
    assert done.status == 0, done.stderr
    return done


def laid_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a working folder that has the files which the commands name, and in which they may write."""
    (folder / "benchmark").symlink_to(ROOT / "benchmark")
    (folder / "server" / "config").mkdir(parents=True)
    for file in SERVERS.glob("*.toml"):
        # Of a matrix, two files stand for all.
        if not re.match("redis-", file.name) or file.name == "redis-aof.toml":
            (folder / "server" / "config" / file.name).symlink_to(file)
    (folder / "result.json").write_text("".join(map(RESULT.format, range(100, 105))))
    monkeypatch.chdir(folder)


def serves(command: list[str]) -> None:
    """The command listens until it is told to stop, and then ends well."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "listening on" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_every_other_command_in_the_documents_is_tested_elsewhere() -> None:
    elsewhere = re.compile(r"make |pip install|(\.venv/bin/)?loadgen |\.venv/bin/ruff |LOADGEN_ANNOTATE")
    assert [(d, c) for d, c in commands() if not elsewhere.match(c)] == []


def test_every_file_that_a_document_links_to_exists() -> None:
    missing = [
        (document.name, target)
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert missing == []
