"""Every command that a document shows works as it stands there, if briefly and against the test's own servers."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT, SERVERS
from real_servers import RealServer

from loadgen.cli.options import parse
from loadgen.cli.verbs import selftest

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmark/*.md")])
LOADGEN = [sys.executable, "-m", "loadgen"]
BRIEFLY = ["general.duration=200ms", "general.warmup=0s", "workload.keyspace.count=1000"]
# Whether this machine and the server are quick enough is not what is asked of a document's command.
BRIEFLY += ["verdict.lag=30s", "verdict.shortfall=1", "connection.request_timeout=30s"]
BRIEF_RUN = ["--duration", "200ms", "--warmup", "0s", "--keys", "1000", "--format", "json"]
ROUNDS = ["rounds=8", "slices=2", "slice=100ms", "settle=10ms"]
JUDGED = {
    "smoke": ["smoke.requests=1", "smoke.p999=30s"],
    "compare": [f"compare.{setting}" for setting in ROUNDS],
    "gate": [f"gate.{setting}" for setting in ROUNDS],
}
RESULT = """{{"type":"result","ts":"2026-11-21T10:00:00Z","loop":"closed","throughput":{},"verdict":{{"valid":true}}}}
"""
MORE_BRIEFLY = {
    "open-loop.toml": [f"slo{table}.{name}=30s" for table, name in (("", "p99"), ("", "p999"), (".get", "p99"))],
    "ramp.toml": ['workload.phase=[{for = "200ms", shape = "ramp", rate = [100, 1000]}]'],
    "slo-search.toml": ["workload.saturation_search.sample_window=100ms", "slo.p99=30s", "slo.p999=30s"],
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


def judged_by_a_clock(command: str) -> bool:
    """A search ends well only where the machine keeps up with its rates."""
    return "saturate" in command or "slo-search" in command


@pytest.mark.parametrize(
    ("document", "command"),
    [
        pytest.param(document, command, marks=[pytest.mark.timing] * judged_by_a_clock(command))
        for command, document in SHOWN.items()
    ],
)
def test_every_loadgen_command_in_the_documents_works(document: str, command: str, tmp_path: Path) -> None:
    words = shlex.split(command)[1:]
    if words[0] == "serve":
        serves([*LOADGEN, *words, "--port", "0"])
    elif words[0] == "config":
        subprocess.run([*LOADGEN, *words], cwd=ROOT, check=True, capture_output=True, timeout=60)
    elif words[0] in JUDGED:
        judges(words, tmp_path)
    elif words[0] == "history":
        with RealServer.redis() as server:
            where = ["--port", str(server.port), *BRIEF_RUN, "-o", str(tmp_path / "result.json")]
            subprocess.run([*LOADGEN, "run", *where], check=True, timeout=60)
        ran = subprocess.run([*LOADGEN, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        assert "throughput" in ran.stdout
    elif words[0] == "selftest":
        # What it does is tested with the search (tests/runner/test_search.py).
        parse(selftest.SYNTAX, words[1:])
    else:
        with RealServer.redis() as server:
            here = [] if "--embedded" in words else [f'target.endpoints=["127.0.0.1:{server.port}"]']
            further = [setting for name, settings in MORE_BRIEFLY.items() if name in command for setting in settings]
            sets = [word for setting in [*BRIEFLY, *further, *here] for word in ("--set", setting)]
            ran = subprocess.run([*LOADGEN, *words, *sets], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        assert "throughput" in ran.stdout or "req/s" in ran.stdout or '"type":"result"' in ran.stdout


def judges(words: list[str], folder: Path) -> None:
    """The command comes to its answer or, of a comparison, through its first round: test_gate has whole ones."""
    (folder / "benchmark").symlink_to(ROOT / "benchmark")
    (folder / "server" / "config").mkdir(parents=True)
    # Of a matrix, two files stand for all.
    files = sorted(SERVERS.glob("redis*.toml"))[:2] if "--matrix" in words else SERVERS.glob("*.toml")
    for file in files:
        (folder / "server" / "config" / file.name).symlink_to(file)
    (folder / "result.json").write_text("".join(map(RESULT.format, range(100, 105))))
    sets = [word for setting in [*BRIEFLY, *JUDGED[words[0]]] for word in ("--set", setting)]
    with subprocess.Popen([*LOADGEN, *words, *sets], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if re.match(r"1/\d", line):
                process.send_signal(signal.SIGINT)
        status = process.wait(60)
    assert status in ((0,) if words[0] == "smoke" else (0, 1, 4, 130)), printed
    assert any("throughput" in line or "PASS" in line for line in printed)


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
