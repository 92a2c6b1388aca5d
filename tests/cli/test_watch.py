"""`loadgen watch`: a soak from outside, which is found stopped, gone, overdue, or well."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from in_process import invoked
from real_servers import RealServer
from run_folders import run_folder
from soaks import SERIES, asked
from stub_http import serving

from loadgen.cli.verbs import watch
from loadgen.errors import ExitCode
from loadgen.host import machine
from loadgen.soak import folder
from loadgen.soak.asked import Asked
from loadgen.soak.found import End, GapSeen, How, RestartSeen

OF = asked(duration_s=120, checkpoint_s=20, settle_s=10, series=SERIES)


def values(t: float) -> dict[str, float]:
    return {"proc.fds": 22, "proc.rss": 16_600_000, "load.requests": 500, "load.errors": 0, "load.p99": 2_000_000}


NOW = 1_790_000_000.0


@pytest.fixture
def at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """What watches takes it to be NOW, however long the folder takes to be written."""
    monkeypatch.setattr(watch, "time", SimpleNamespace(time=lambda: NOW, sleep=time.sleep))


def under_way(path: Path, *, age_s: float = 0.0, of: Asked = OF, **more: Any) -> Path:
    """A run folder whose newest sample is `age_s` older than NOW."""
    until_s = 50
    more["run"] = {"pid": os.getpid(), "host": machine.fingerprint(), **more.get("run", {})}
    began_s = NOW - age_s - until_s - of.schedule.settle_s
    return run_folder(path, of, values, until_s=until_s, ends=None, began_s=began_s, **more)


@pytest.mark.usefixtures("at_now")
def test_the_status_of_a_soak_that_is_well_has_everything_and_exit_0(tmp_path: Path) -> None:
    gaps = (GapSeen("redis", 30.0, "no answer"),)
    done = invoked("watch", "--once", str(under_way(tmp_path / "run", gaps=gaps)))
    assert (done.status, done.stderr) == (ExitCode.YES, "")
    for pattern in (
        r"time +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}$",
        r"state +soaking, checkpoint 2 of 6 was 10 s ago, the next is due in 10 s$",
        r"latest +\[2/6\] 40s: FD=22 \(\+0, 0\.0/min\)",
        r"health +healthy$",
        r"restarts +0$",
        r"gaps +1 reading was missed$",
        r"expected end +\d{4}-",
        r"left +1 min 10 s$",
        r".* proc\.fds +22\b",
    ):
        assert re.search(f"^{pattern}", done.stdout, re.M), (pattern, done.stdout)


@pytest.mark.usefixtures("at_now")
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"age_s": 12.0}, "its heartbeat is 12s old"),
        ({"age_s": 50.0}, "no checkpoint for 1m, since checkpoint 2; the interval is 20s"),
        ({"run": {"pid": 2**22}}, "the soak's process is gone, and there is no result"),
        ({"restarts": (RestartSeen("redis", 30.0, "a", "b"),)}, "restart: redis was restarted"),
    ],
)
def test_a_soak_that_is_not_well_is_exit_1(more: dict[str, Any], words: str, tmp_path: Path) -> None:
    done = invoked("watch", "--once", str(under_way(tmp_path / "run", **more)))
    assert done.status == ExitCode.NO
    assert re.search(f"UNHEALTHY: {words}", " ".join(done.stdout.split())), done.stdout


@pytest.mark.usefixtures("at_now")
def test_a_process_on_another_machine_is_not_looked_for(tmp_path: Path) -> None:
    run = under_way(tmp_path / "run", run={"host": "elsewhere", "pid": 2**22})
    assert invoked("watch", "--once", str(run)).status == ExitCode.YES


@pytest.mark.parametrize("arguments", [["--once"], []])
def test_a_soak_that_has_ended_has_the_exit_status_of_its_verdict(arguments: list[str], tmp_path: Path) -> None:
    crashed = run_folder(
        tmp_path / "crashed", OF, values, until_s=50, ends=lambda _: End(How.CRASHED, 50.0, "redis ended")
    )
    done = invoked("watch", *arguments, str(crashed))
    assert done.status == json.loads((crashed / "result.json").read_text())["exit_status"] == ExitCode.NO
    assert "[2/6] 40s: FD=22" in done.stdout
    if arguments:
        assert re.search(r"^state +ended, after 2 of 6 checkpoints$", done.stdout, re.M)


@pytest.mark.parametrize("arguments", [["--once"], []])
def test_a_soak_whose_result_has_no_exit_status_cannot_be_told(arguments: list[str], tmp_path: Path) -> None:
    ended = run_folder(tmp_path / "run", OF, values)
    for result in ("{}", '{"exit_status": 99}', '{"exit_status": "x"}'):
        (ended / "result.json").write_text(result)
        done = invoked("watch", *arguments, str(ended))
        assert (done.status, done.stderr) == (ExitCode.CANNOT_TELL, "")


@pytest.mark.usefixtures("at_now")
def test_a_follower_gives_up_on_a_soak_without_checkpoints(tmp_path: Path) -> None:
    done = invoked("watch", str(under_way(tmp_path / "run", age_s=50.0)))
    assert done.status == ExitCode.NO
    assert done.stdout.splitlines()[-2].startswith("watch: no checkpoint for 1m, since checkpoint 2")
    assert "[2/6] 40s: FD=22" in done.stdout
    coloured = invoked("watch", "--color", "always", str(tmp_path / "run")).stdout.splitlines()
    assert [line for line in coloured if "\x1b" in line] == coloured[-2:], "what the log does not have"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name the run folder of a soak, or what to watch by --pid"),
        (["{tmp}"], "is no run folder of a soak: it has no run.json"),
        (["{tmp}/nowhere"], "is no run folder of a soak: it has no run.json"),
        (["--once", "{tmp}/other"], "its files are not what a soak writes"),
    ],
)
def test_what_is_no_run_is_refused_in_a_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text('{"started_s": "x"}')
    done = invoked("watch", *(each.format(tmp=tmp_path) for each in arguments))
    assert (done.status, done.stdout) == (ExitCode.USAGE, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_soak_that_is_stopped_is_found_by_its_missing_checkpoint(tmp_path: Path) -> None:
    """Acceptance 3.9, with an interval of a second."""
    run = tmp_path / "run"
    soak = ["soak", "--embedded", "--duration", "300s", "--interval", "1s", "--settle", "200ms", "--rate", "100"]
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "loadgen", *soak, "--every", "200ms", "--run-folder", str(run)],
            stdout=out,
            stderr=out,
        )
    try:
        events = run / "events.ndjson"
        deadline_s = time.monotonic() + 120
        while not (events.exists() and b'"checkpoint"' in events.read_bytes()):
            assert process.poll() is None, (tmp_path / "out").read_text()
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
        done = invoked("watch", str(run))
        assert done.status == ExitCode.NO
        said = [line for line in done.stdout.splitlines() if line.startswith("watch: ")]
        assert said[0].startswith("watch: the soak's process is stopped")
        assert any(
            re.match(r"watch: no checkpoint for \d+s, since checkpoint \d+; the interval is 1s", s) for s in said
        )
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        process.wait(60)


BRIEFLY = ["--every", "100ms", "--interval", "500ms", "--settle", "300ms", "--color", "never"]


def test_a_process_under_somebody_elses_load_has_checkpoints_and_a_verdict(tmp_path: Path) -> None:
    run = tmp_path / "run"
    watched = [*BRIEFLY, "--duration", "2s", "--run-folder", str(run), "--pid", str(os.getpid())]
    done = invoked("watch", *watched)
    # So few samples cannot tell how it grows.
    assert done.status == ExitCode.CANNOT_TELL, done.stdout + done.stderr
    assert re.search(rf"^=== Soak \(2s\): process {os.getpid()} \(.+\) ===$", done.stdout, re.M)
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("[")] == [
        "[1/4] 500ms" if "500ms" in done.stdout else "[1/4] 0.5s",
        "[2/4] 1s",
        "[3/4] 1.5s",
        "[4/4] 2s",
    ]
    assert "no errors" not in done.stdout, "requests are somebody else's to count"
    assert json.loads((run / "run.json").read_text())["load"] == "none of loadgen's: it is somebody else's"
    assert (run / "evidence" / "1-proc-descriptors.txt").exists()
    assert invoked("report", str(run)).status == ExitCode.YES
    assert invoked("watch", *watched).status == ExitCode.USAGE, "there is a run in it"


@pytest.mark.parametrize(("real", "series"), [("redis", "redis.used_memory"), ("memcached", "memcached.bytes")])
def test_a_server_and_a_page_of_metrics_are_read_to_a_verdict(real: str, series: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with getattr(RealServer, real)() as server, serving() as page:
        page.answers["/metrics"] = (200, "text/plain", b"# TYPE process_open_fds gauge\nprocess_open_fds 12\n")
        address, pid = f"127.0.0.1:{server.port}", server.pid
        done = invoked(
            "watch", *BRIEFLY, "--duration", "1s", "--run-folder", str(run), "--server", address,
            "--metrics", f"{page.url}/metrics",
        )  # fmt: skip
    assert done.status == ExitCode.CANNOT_TELL, done.stdout + done.stderr
    # The process that listens at the address is read, too.
    assert re.search(r"^\[2/2\] 1s: .*FD\[proc\]=\d", done.stdout, re.M)
    kept = folder.read(run)
    words = rf"{page.url}/metrics, {real} \d+\.\S+, {address}, process {pid} \({real}\S*\)"
    assert re.fullmatch(words, kept.run["target"])
    newest = kept.newest()
    assert newest["prometheus.fds"] == 12
    assert newest[series] >= 0
    for monitor in (real, "prometheus"):
        assert f"{monitor} read throughout" in done.stdout


def test_a_key_that_is_not_acted_on_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inert.toml").write_text('[general]\nio_engine = "auto"\n')
    done = invoked("watch", "--config", "inert.toml")
    warning, refusal = done.stderr.splitlines()
    assert warning.startswith("warning: inert.toml:2:1: general.io_engine: is not acted on")
    assert "inert.toml has no [[monitor]]" in refusal


def test_a_process_that_ends_while_it_is_watched_fails(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1"]) as process:
        done = invoked(
            "watch", *BRIEFLY, "--duration", "300s", "--run-folder", str(tmp_path / "run"), "--pid", str(process.pid)
        )
        assert done.status == ExitCode.NO
        assert f"process {process.pid} has ended" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (["--pid", str(2**22)], f"the monitor proc cannot be read: there is no process {2**22}.", 3),
        (["--server", "127.0.0.1:1"], "127.0.0.1:1 answers neither as redis nor as memcached", 3),
        (["--metrics", "http://127.0.0.1:1/"], "nothing listens there", 3),
        (["--metrics", "nonsense"], "nonsense is no URL of HTTP", 2),
        (["--pid", "1", "--once"], "--pid watches without a RUN: leave out --once", 2),
        (["run", "--duration", "5s"], "--duration is for a watch of a process", 2),
        (["--pid", "1", "--every", "10ms"], "--every is the time between two samples, and at least 100ms", 2),
        (["--pid", "1", "--every", "1m", "--duration", "5s"], "--every is at most the time between two checkpoints", 2),
        (["--config", "soak", "--checkpoints", "3", "--interval", "1s"], "keep one of them", 2),
    ],
)
def test_what_cannot_be_watched_is_said_in_a_sentence(
    arguments: list[str], words: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoked("watch", *arguments)
    assert (done.status, done.stdout) == (status, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [*tmp_path.iterdir()] == [], "nothing was begun"
