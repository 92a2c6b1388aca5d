"""A server, a worker or the command dies or stops: what was measured is printed, and no process is left."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import psutil
import pytest
from command import Finished, Running, load, settings, short, wait_until
from faulty_server import FaultyServer, never_answers, polite
from real_servers import RealServer

from loadgen.verify.history.file import read

LONG = ("--duration", "300s", "--set", "general.interval=100ms")
"""Longer than a run may take here: it must end early, or the test fails."""

IMPATIENT = "import loadgen.runner.crew; loadgen.runner.crew.GRACE_NS = 500_000_000"


# ── Servers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kind", "rate"), [("redis", []), ("memcached", ["--rate", "20000", "--arrival", "constant"])])
def test_load_resumes_when_a_killed_server_is_back(kind: str, rate: list[str]) -> None:
    protocol = "memcache" if kind == "memcached" else "resp"
    with getattr(RealServer, kind)() as server:
        with Running(*short(server.port), *LONG, *rate, "--protocol", protocol) as running:
            running.wait_for("sample", 2)
            server.kill()
            server.start()
            running.wait_until_connected(server.port, 2)
            running.wait_for_load()
            running.interrupt()
            finished = running.finish()
    connections = finished.result["connections"]
    assert connections["closed"] == connections["reconnects"] == 2
    assert finished.result["conns_active"] == 2
    # What had not reached it went out when it was back.
    assert finished.counts["lost"] <= 2 * 4
    assert finished.counts["timeouts"] == finished.counts["corrupt"] == 0


def test_a_server_that_stays_away_is_told_with_what_was_measured() -> None:
    with RealServer.redis() as server:
        with Running(*short(server.port), "--duration", "1s", "--set", "general.interval=100ms") as running:
            running.wait_for("sample", 2)
            server.kill()
            finished = running.finish()
    assert finished.status == 3
    assert f"No connection to 127.0.0.1:{server.port} was left when the run ended" in finished.complaint
    assert "see whether the server still runs" in finished.complaint
    assert finished.counts["ok"] > 0
    assert finished.result["duration_secs"] == 1
    assert finished.result["conns_active"] == 0


def test_a_schedule_goes_on_while_the_server_is_away() -> None:
    with RealServer.redis() as server:
        with Running(
            *short(server.port),
            "--duration",
            "2s",
            "--rate",
            "1000",
            "--arrival",
            "constant",
            "--set",
            "general.interval=100ms",
        ) as running:
            running.wait_for("sample", 2)
            server.kill()
            finished = running.finish()
    assert finished.status == 3
    # Every request that the schedule wanted counts, also those that could never be sent.
    assert finished.counts["planned"] == 2000
    assert finished.counts["unfinished"] > 0


def test_a_stopped_server_costs_timeouts_and_is_found_again() -> None:
    with RealServer.redis() as server:
        patience = settings(request_timeout="200ms", connect_timeout="300ms")
        with Running(*short(server.port), *LONG, *patience) as running:
            running.wait_for("sample", 2)
            process = psutil.Process(server.pid)
            process.suspend()
            # Until its requests have timed out, and after that an interval more: its connections have been given up.
            wait_until(lambda: any(b'"req_s":0,' in line and b'"err_s":0.0' not in line for line in running.lines))
            running.wait_for("sample", 1 + sum(b'"sample"' in line for line in running.lines))
            process.resume()
            running.wait_for_load()
            running.interrupt()
            finished = running.finish()
    assert finished.status == 130
    assert finished.counts["timeouts"] >= 2 * 4
    assert finished.result["connections"]["failures"]["stalled"] >= 2
    assert finished.result["connections"]["reconnects"] >= 1


# ── Workers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rate", [[], ["--rate", "2000", "--arrival", "constant"]])
def test_a_killed_worker_ends_the_run_at_once_and_what_was_measured_is_printed(rate: list[str], tmp_path: Path) -> None:
    history = tmp_path / "history"
    with RealServer.redis() as server:
        with Running(*short(server.port), *LONG, *rate, "--threads", "2", "--history", str(history)) as running:
            running.wait_for("sample", 3)
            running.workers()[0].kill()
            finished = running.finish()
    assert finished.status == 3
    assert "was killed by SIGKILL" in finished.complaint
    assert "up to its last report is included" in finished.complaint
    assert finished.counts["ok"] > 0
    assert 0 < finished.result["duration_secs"] < 300
    assert not finished.result["interrupted"]
    assert not finished.result["history"]["whole"]
    assert len(read(history).unclosed) == 1


def test_all_workers_killed_ends_the_run_too() -> None:
    with RealServer.redis() as server:
        with Running(*short(server.port), *LONG, "--threads", "2") as running:
            running.wait_for("sample", 3)
            for process in running.workers():
                process.kill()
            finished = running.finish()
    assert finished.status == 3
    assert finished.counts["ok"] > 0


def test_a_worker_killed_during_the_warm_up_ends_the_run() -> None:
    with RealServer.redis() as server:
        with Running(*short(server.port), "--warmup", "300s", "--threads", "2") as running:
            running.wait_for("phase", phase="warmup")
            running.workers()[1].kill()
            finished = running.finish()
    assert finished.status == 3
    assert "was killed by SIGKILL" in finished.complaint
    assert finished.counts["planned"] == 0


def test_a_worker_killed_before_the_load_is_an_error_without_a_result() -> None:
    with FaultyServer(polite(requests=0, after=never_answers)) as server:
        with Running(*short(server.port), "--prefill", *settings(request_timeout="60s")) as running:
            running.wait_for("phase", phase="prefill")
            running.workers()[0].kill()
            finished = running.finish()
    assert finished.status == 3
    assert "was killed by SIGKILL" in finished.complaint
    assert "nothing had been measured yet" in finished.complaint


def test_a_stopped_worker_does_not_hang_the_run() -> None:
    with RealServer.redis() as server:
        arguments = [*short(server.port), "--threads", "2", "--duration", "1s", "--set", "general.interval=100ms"]
        with Running(*arguments, prologue=IMPATIENT) as running:
            running.wait_for("sample", 2)
            running.workers()[0].suspend()
            finished = running.finish()
    assert finished.status == 3
    assert "said nothing for 2 s, stopped or stuck, and was ended" in finished.complaint
    assert finished.counts["ok"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no limit on address space")
def test_a_worker_that_runs_out_of_memory_says_so() -> None:
    limit = 8 * 2**30
    arguments = ["--connections", "1000", "--pipeline", "65536", "--value-length", "1000"]
    with FaultyServer(polite()) as server:
        finished = load(
            server.port, *arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        )
    assert finished.status == 3
    assert "Worker 0 failed: memory ran out" in finished.complaint


# ── The command itself ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_command_leaves_no_worker_and_no_server_behind() -> None:
    with Running(*short(None), *LONG, "--threads", "2") as running:
        running.wait_for("sample", 1)
        # Two workers, the server and its keeper, and the command.
        assert len(running.processes()) == 5
        running.process.kill()
        running.process.wait()
        running.gone()


def test_a_command_that_ends_by_itself_leaves_nobody_behind_either() -> None:
    with Running(*short(None), "--threads", "2") as running:
        finished: Finished = running.finish()
        assert finished.status == 0
        assert running.processes() == []
    assert os.getpid() not in [process.pid for process in running.processes()]
