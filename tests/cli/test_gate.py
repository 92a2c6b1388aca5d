"""`loadgen gate` and `loadgen compare` as commands: candidates, exit statuses and files.

A few gates have real servers and short rounds: one that fails, one that passes, and some that are ended early. All
other comparisons have made-up rounds. tests/compare/test_contest.py and, at length, benchmark/gates.py test whether
an answer is right: on a machine that tests share, a few short rounds prove only differences as large as those planted
here.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from command import Finished, Record, Running, wait_until
from constructed_rounds import Constructed
from in_process import invoked
from places import ROOT

from loadgen.compare import contest
from loadgen.compare.rounds import Contestant
from loadgen.compare.settings import ComparisonSettings

LOAD = """\
[general]
seed = 5
threads = 1

[connection]
connections = 8
request_timeout = "30s"

[workload]
prefill = true

[workload.keyspace]
count = 50

[verdict]
lag = "30s"
shortfall = 1

[gate]
slice = "50ms"
slices = 2
settle = "10ms"
awake = "never"
rounds = 5
rate = 500
noise = "100%"
throughput = "-50%"
p99 = false
server_cpu = false

[compare]
slice = "50ms"
slices = 2
settle = "10ms"
awake = "never"
rounds = 8
rate = 1000
throughput = "50%"
p50 = false
p99 = false
p999 = false
server_cpu = false
rss = "90%"
"""
SERVER = """\
[target]
protocol = "resp"

[target.server]
command = ["loadgen", "serve", "--host", "{{host}}", "--port", "{{port}}"{options}]
"""
BRIEF = ("--duration", "50ms", "--warmup", "0s", "--format", "json")


@pytest.fixture
def load(tmp_path: Path) -> Path:
    return text(tmp_path / "load.toml", LOAD)


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def server(folder: Path, name: str, *options: str) -> str:
    listed = "".join(f', "{option}"' for option in options)
    return str(text(folder / f"{name}.toml", SERVER.format(options=listed)))


def plain_in(folder: Path) -> str:
    return str(text(folder / "plain.toml", (ROOT / "server/config/redis.toml").read_text()))


def slow_in(folder: Path) -> str:
    """Takes so long for a request that it cannot be taken for the plain one, whatever the machine does."""
    return server(folder, "slow", "--delay", "5ms")


@pytest.fixture
def plain(tmp_path: Path) -> str:
    return plain_in(tmp_path)


@pytest.fixture
def slow(tmp_path: Path) -> str:
    return slow_in(tmp_path)


def comparison(done: Finished) -> Record:
    [record] = [record for record in done.records if record["type"] == "comparison"]
    return record


def gate(load: Path, baseline: str, candidate: str, *more: str) -> Finished:
    arguments = ["--baseline", baseline, "--server", candidate, "--format", "json", *more]
    return invoked("gate", str(load), *arguments)


def judged(load: Path, baseline: str, candidate: str, *more: str) -> Finished:
    """A gate with real servers: again, three times in all, while it cannot tell, as on a busy machine."""
    for _ in range(3):
        done = gate(load, baseline, candidate, *more)
        if done.status != 4:
            break
    return done


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """Has the commands of a test ask no servers: a candidate whose name says so is slow."""
    rounds = MadeUp()
    monkeypatch.setattr(contest, "Rounds", rounds.of)
    return rounds


class MadeUp:
    """Rounds that are made up; `began` has the names of the candidates of each comparison that has any."""

    def __init__(self) -> None:
        self.sigma = 0.02
        self.began: list[list[str]] = []

    def of(self, found: Sequence[Contestant], settings: ComparisonSettings, seed: int, *_: object, **__: object) -> Any:
        names = [each.candidate.name for each in found]
        self.began += [names] * bool(names)
        rounds = Constructed([{"throughput": 0.1} if name == "slow" else {} for name in names], self.sigma, seed)
        rounds.rate_per_s = settings.rate_per_s
        return rounds


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    """What a gate on a slower candidate printed, and the folder with all its reports."""
    folder = tmp_path_factory.mktemp("red")
    reports = ["--junit", "gate.xml", "--markdown", "summary.md", "--plot", "gate.svg", "--output", "gate.json"]
    written = [word if word.startswith("--") else str(folder / word) for word in reports]
    (folder / "summary.md").write_text("before\n")
    return judged(*sides(folder), *written, "--annotations", "always"), folder


@pytest.fixture(scope="module")
def green(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    """What a gate on a faster candidate printed, and its results."""
    folder = tmp_path_factory.mktemp("green")
    load, plain, slow = sides(folder)
    stored = folder / "stored.json"
    return judged(load, slow, plain, "--output", str(stored)), stored


def sides(folder: Path) -> tuple[Path, str, str]:
    """The load, a plain server and a slow one."""
    return text(folder / "load.toml", LOAD), plain_in(folder), slow_in(folder)


def records_of(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_slower_candidate_is_red_and_every_report_says_so(red: tuple[Finished, Path]) -> None:
    done, folder = red
    assert done.status == 1, done.stderr
    [record] = [record for record in records_of(folder / "gate.json") if record["type"] == "comparison"]
    assert record["answer"] == "FAIL"
    row = record["metrics"]["throughput"]
    assert (row["answer"], row["rounds"]) == ("worse", 5)
    assert row["ci_low"] <= row["effect"] <= row["ci_high"] < -0.5
    assert row["p"] == 1 / 32
    suite = ElementTree.parse(folder / "gate.xml").getroot()
    assert suite.get("failures") == "1" or suite.find("testsuite").get("failures") == "1"  # type: ignore[union-attr]
    assert (folder / "summary.md").read_text().startswith("before\n")
    assert "FAIL" in (folder / "summary.md").read_text()
    assert ElementTree.parse(folder / "gate.svg").getroot().tag.endswith("svg")
    assert "::error" in done.stderr


@pytest.mark.parametrize("format", ["clean", "verbose", "quiet"])
def test_every_format_ends_with_the_answer(format: str, red: tuple[Finished, Path]) -> None:
    done = invoked("report", str(red[1] / "gate.json"), "--format", format)
    # In verbose, the reason has a line of its own behind it.
    assert any("FAIL" in line for line in done.stdout.rstrip().splitlines()[-2:])
    assert max(map(len, done.stdout.splitlines())) <= 80 or format != "clean"


def test_a_faster_candidate_is_green(green: tuple[Finished, Path]) -> None:
    done, stored = green
    assert done.status == 0, done.stderr
    [record] = [record for record in records_of(stored) if record["type"] == "comparison"]
    assert record["answer"] == "PASS"


def test_rounds_too_few_to_be_sure_are_refused_before_anything_runs(load: Path, plain: str, slow: str) -> None:
    # Five rounds of one sign have p = 1/32, which is more than a third of 5 %.
    more = ["--set", "gate.rss='+90%'", "--set", "gate.server_cpu='+90%'"]
    done = invoked("gate", str(load), "--baseline", plain, "--server", slow, *more)
    assert (done.status, done.stdout) == (2, "")
    assert "5 rounds cannot tell a difference in 3 metrics from chance" in done.stderr
    assert "allow 6 at least (--rounds 6)" in done.stderr


@pytest.mark.parametrize(
    ("baseline", "kind"), [("loadgen serve --port {port} --delay 1ms", "server"), ("127.0.0.1:6379", "endpoint")]
)
def test_a_command_and_an_address_can_be_baselines(
    baseline: str, kind: str, load: Path, plain: str, made_up: MadeUp
) -> None:
    done = gate(load, baseline, plain)
    assert (done.status, comparison(done)["answer"]) == (0, "PASS")
    assert comparison(done)["a"]["kind"] == kind
    assert made_up.began == [[comparison(done)["a"]["name"], "plain"]]


@pytest.mark.usefixtures("made_up")
def test_the_candidate_is_the_configs_own_target_where_none_is_named(plain: str, slow: str, tmp_path: Path) -> None:
    config = text(tmp_path / "own.toml", LOAD + Path(slow).read_text())
    done = invoked("gate", str(config), "--baseline", plain, "--format", "json")
    assert (done.status, comparison(done)["b"]["name"]) == (0, "own")


def test_a_stored_result_is_a_baseline_of_this_host_and_said_to_be_weaker(
    load: Path, slow: str, tmp_path: Path, made_up: MadeUp
) -> None:
    stored = tmp_path / "stored.json"
    assert gate(load, slow, plain_in(tmp_path), "--output", str(stored)).status == 0
    made_up.began.clear()
    done = gate(load, str(stored), slow)
    assert (done.status, comparison(done)["answer"]) == (1, "FAIL")
    assert made_up.began == [["slow"]]
    assert comparison(done)["paired"] is False
    assert any("stored" in note for note in comparison(done)["notes"])
    record = records_of(stored)[-1]
    elsewhere = text(tmp_path / "elsewhere.json", json.dumps({**record, "host": "another: 64 × CPU"}))
    refused = gate(load, str(elsewhere), slow)
    assert refused.status == 4
    assert "another machine" in refused.complaint


@pytest.mark.usefixtures("made_up")
def test_runs_of_the_run_verb_are_results_to_compare_with(load: Path, plain: str, tmp_path: Path) -> None:
    done = invoked("run", str(load), "--server", plain, *BRIEF)
    assert done.status == 0
    runs = text(tmp_path / "runs.json", 5 * done.stdout)
    record = comparison(gate(load, str(runs), plain))
    assert len(record["rounds"]) == 5
    assert record["metrics"]["throughput"]["a"] == pytest.approx(done.result["throughput"], abs=1)


def test_a_stored_result_of_another_load_is_no_baseline(load: Path, plain: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs.json"
    invoked("run", str(load), "--server", plain, "-c", "9", *BRIEF, "--output", str(runs))
    done = gate(load, str(runs), plain)
    assert (done.status, done.stdout) == (2, "")
    assert "runs was measured under another load than plain (conns 9, not 8): take its results anew" in done.stderr


def test_a_noisy_host_is_refused_with_the_reason(load: Path, plain: str, slow: str, made_up: MadeUp) -> None:
    made_up.sigma = 1.0
    done = gate(load, plain, plain, "--set", "gate.noise='8%'", "--set", "gate.throughput='-5%'")
    assert (done.status, comparison(done)["answer"]) == (4, "REFUSED")
    assert "round to round" in comparison(done)["refused"]


def test_a_candidate_that_does_not_start_is_an_error_and_prints_no_environment(
    load: Path, plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/the/secret/place")
    junit = tmp_path / "gate.xml"
    reports = ["--junit", str(junit), "--annotations", "always"]
    arguments = ["gate", str(load), "--baseline", plain, "--server", "no-such-server --port {port}", *reports]
    done = invoked(*arguments)
    assert done.status == 3
    assert "ERROR: The program" in done.stdout
    assert '"no-such-server" of target.server.command is not in PATH' in " ".join(done.stdout.split())
    assert "INCONCLUSIVE" not in done.stdout
    assert "::error title=loadgen gate%3A ERROR" in done.stderr
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("errors"), suite.get("failures"), suite.get("skipped")) == ("1", "0", "0")
    for printed in (done.stdout, done.stderr, junit.read_text()):
        assert "/the/secret/place" not in printed


def test_a_managed_candidate_that_goes_deaf_is_quoted_and_nobody_is_told_to_start_one(load: Path, plain: str) -> None:
    deaf = (
        "import os, socket, sys; print('fatal error: out of sockets', flush=True); "
        "s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); c = s.accept()[0]; c.recv(99); "
        "c.sendall(b'+PONG\\r\\n'); s.close(); c.close(); sys.stdin.read(); import time; time.sleep(60)"
    )
    command = shlex.join([sys.executable, "-c", deaf, "{port}"])
    done = invoked("gate", str(load), "--baseline", plain, "--server", command)
    assert done.status == 3
    printed = " ".join(done.stdout.split())
    assert "runs, and no longer listens on 127.0.0.1:" in printed
    assert 'its log says "fatal error: out of sockets"' in printed
    assert "start a server" not in printed + done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gate", "{load}", "--baseline", "nonsense"], "is no candidate"),
        (["gate", "{load}", "--baseline", "none.json"], "cannot be read"),
        (["gate", "{load}", "--baseline", "'{{port}}"], "cannot be split"),
        (["compare", "{plain}"], "two candidates"),
        (["compare", "{plain}", "{load}"], "two candidates"),
        (["compare", "{plain}", "{plain}", "--aa"], "one candidate"),
        (["compare", "{plain}", "none.toml"], "no such file"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_runs(
    arguments: list[str], words: str, load: Path, plain: str
) -> None:
    done = invoked(*(word.format(load=load, plain=plain) for word in arguments))
    assert done.status == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_what_a_comparison_does_not_act_on_is_said(load: Path, plain: str, tmp_path: Path) -> None:
    more = '[slo]\np99 = "1s"\n[[workload.phase]]\nfor = "1s"\nrate = 10\n'
    config = text(tmp_path / "more.toml", load.read_text() + more)
    done = invoked("compare", plain, "no-such-server --port {port}", str(config), "--format", "json")
    assert done.status == 3
    for key in ("workload.phase", "slo"):
        assert f"warning: {config}: {key} is not acted on by compare" in done.stderr


def test_a_comparison_has_an_answer_for_each_judged_metric_of_each_candidate(
    load: Path, plain: str, slow: str, tmp_path: Path, made_up: MadeUp
) -> None:
    same = str(text(tmp_path / "same.toml", Path(plain).read_text()))
    done = invoked("compare", plain, slow, same, str(load), "--format", "json")
    assert done.status == 0
    assert made_up.began == [["plain", "slow", "same"]]
    records = [record for record in done.records if record["type"] == "comparison"]
    assert [(record["a"]["name"], record["b"]["name"]) for record in records] == [("plain", "slow"), ("plain", "same")]
    assert records[0]["metrics"]["throughput"]["answer"] == "worse"
    assert set(records[0]["metrics"]) == {"throughput", "rss"}


def test_a_thing_compared_with_itself_tells_this_hosts_noise(load: Path, plain: str, made_up: MadeUp) -> None:
    done = invoked("compare", "--aa", plain, str(load), "--format", "json", "--rounds", "6")
    assert done.status == 0
    assert made_up.began == [["plain", "plain (2)"]]
    record = done.records[-1]
    assert record["type"] == "noise"
    # Those that the file's gate judges.
    assert set(record["noise"]) == {"throughput"}
    assert 0 < record["noise"]["throughput"] < 0.1
    assert set(record["false_alarms"]) == {"throughput", "any"}


def test_ctrl_c_ends_all_servers_and_prints_what_there_is(load: Path, plain: str) -> None:
    arguments = ["gate", str(load), "--baseline", plain, "--server", plain, "--format", "json", "--rounds", "60"]
    with Running(*arguments, "--slice", "100ms") as running:
        running.wait_for("round", 2)
        running.interrupt()
        done = running.finish()
    assert done.status == 130
    record = comparison(done)
    assert record["interrupted"]
    assert len(record["rounds"]) >= 2


def runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_a_killed_gate_leaves_no_server(load: Path, plain: str) -> None:
    arguments = ["gate", str(load), "--baseline", plain, "--server", plain, "--format", "json", "--rounds", "60"]
    with Running(*arguments) as running:
        running.wait_for("round", 1)
        processes = running.processes()
        running.process.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(map(runs, processes)))
        running.gone()
