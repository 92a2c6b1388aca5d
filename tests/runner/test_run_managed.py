"""`loadgen run` with a managed server: the server's resource use, and the end of a run whose server ends."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from command import Finished, Running, wait_until
from in_process import invoked
from places import SERVERS, SUPPORT
from real_servers import RealServer
from runs import redis_info

PLANTED = SUPPORT / "planted_server.py"
BRIEFLY = [
    *("--format", "json", "--threads", "1", "-c", "4", "--keys", "1000", "--warmup", "100ms", "--seed", "1"),
    *("--set", "verdict.lag=30s", "--set", "verdict.shortfall=1", "--request-timeout", "30s"),
]


def run(server: Path, *more: str) -> Finished:
    return invoked("run", "--server", str(server), *BRIEFLY, *more)


def planted(folder: Path, fault: str) -> Path:
    path = folder / f"{fault}.toml"
    command = json.dumps([sys.executable, str(PLANTED), "{port}", fault])
    path.write_text(f'[target]\nprotocol = "resp"\n[target.server]\ncommand = {command}\n')
    return path


def servers_of(running: Running) -> list[psutil.Process]:
    """Of a run's processes, those that are not loadgen's own."""
    children = running.process.pid
    return [p for p in psutil.Process(children).children(recursive=True) if p.name().startswith("redis-server")]


def port_of(server: psutil.Process) -> int:
    """Where it listens, as soon as it does."""

    def listening() -> set[int]:
        return {c.laddr.port for c in server.net_connections("tcp") if c.status == "LISTEN"}

    wait_until(lambda: bool(listening()))
    [port] = listening()
    return port


@pytest.mark.parametrize("name", ["redis", "memcached", "builtin-uvloop"])
def test_what_the_server_used_stands_beside_its_load(name: str) -> None:
    done = run(SERVERS / f"{name}.toml", "--duration", "1s", "--set", "general.interval=200ms")
    assert done.status == 0
    server = done.result["server"]
    assert server["name"] == name
    assert server["cpu_s"] > 0
    per_request = 1e6 * server["cpu_s"] / sum(done.result["totals"]["commands"][c]["sent"] for c in ("get", "set"))
    assert server["cpu_us_per_request"] == pytest.approx(per_request, rel=1e-3)
    samples = [record["server"] for record in done.records if record["type"] == "sample"]
    assert len(samples) >= 5
    # Time that intervals do not cover, between the phases, is in the whole and in no interval.
    assert sum(s["cpu_share"] * 0.2 for s in samples) <= 1.2 * server["cpu_s"]
    assert max(s["rss_bytes"] for s in samples) <= server["max_rss_bytes"]
    assert server["max_threads"] >= 1
    assert server["max_fds"] > 4


def test_the_servers_cpu_is_what_it_says_itself() -> None:
    arguments = [
        "run",
        "--server",
        str(SERVERS / "redis.toml"),
        *BRIEFLY,
        "--duration",
        "3s",
        "--set",
        "general.interval=100ms",
    ]
    with Running(*arguments) as running:
        running.wait_for("sample", 10)
        [server] = servers_of(running)
        info, _ = redis_info(port_of(server))
        theirs = float(info["used_cpu_sys"]) + float(info["used_cpu_user"])
        ours = sum(psutil.Process(server.pid).cpu_times()[:2])
        assert ours == pytest.approx(theirs, abs=0.1)
        done = running.finish()
    # At the end it has used at least what it had used then, and at most the whole time of one thread and some.
    assert theirs - 0.5 <= done.result["server"]["cpu_s"] <= 3.6


def test_embedded_shows_its_cpu_too() -> None:
    done = invoked("run", "--embedded", *BRIEFLY, "--duration", "200ms")
    assert done.result["server"]["cpu_us_per_request"] > 0


def test_a_server_that_is_not_ours_has_no_figures() -> None:
    with RealServer.redis() as server:
        done = invoked("run", "--port", str(server.port), *BRIEFLY, "--duration", "200ms")
    assert done.result.get("server") is None


def test_a_server_that_crashes_ends_the_run_at_once_with_its_signal_and_all_counts(tmp_path: Path) -> None:
    done = run(planted(tmp_path, "crashes"), "--duration", "60s", "--warmup", "0s")
    assert done.status == 3
    assert "SIGSEGV" in done.complaint
    assert "SIGSEGV" in done.result["server"]["fate"]
    assert done.result["duration_secs"] < 30
    assert done.counts["ok"] > 0


def test_a_server_that_is_killed_during_the_prefill_ends_the_command_with_its_fate() -> None:
    arguments = ["run", "--server", str(SERVERS / "redis.toml"), *BRIEFLY, "--duration", "1s", "--prefill"]
    with Running(*arguments, "--keys", "20000000") as running:
        wait_until(lambda: bool(servers_of(running)))
        [server] = servers_of(running)
        port = port_of(server)
        wait_until(lambda: "cmdstat_set" in redis_info(port)[0])
        server.send_signal(signal.SIGKILL)
        done = running.finish()
    assert done.status == 3
    assert "SIGKILL" in done.complaint
    assert "nothing had been measured" in done.complaint


def test_a_server_that_was_restarted_under_the_load_is_no_valid_run(tmp_path: Path) -> None:
    done = run(planted(tmp_path, "restarts"), "--duration", "300ms")
    assert done.status == 4
    assert "was restarted while load was on it" in done.complaint


def test_errors_in_the_servers_log_are_shown(tmp_path: Path) -> None:
    done = run(planted(tmp_path, "complains"), "--duration", "300ms")
    assert any("panicked" in line for line in done.result["server"]["complaints"])


def test_a_search_whose_server_crashes_says_how_it_ended(tmp_path: Path) -> None:
    done = invoked(
        *("saturate", "--server", str(planted(tmp_path, "crashes")), *BRIEFLY),
        *("--set", "slo.p99=5s", "--set", "workload.saturation_search.sample_window=200ms", "--request-timeout", "1s"),
    )
    assert done.status == 3
    assert "SIGSEGV" in done.complaint


@pytest.mark.parametrize(
    ("command", "record"),
    [
        (("run", "--rate", "2000", "--duration", "60s", "--set", "general.interval=200ms"), "sample"),
        (("saturate", "--set", "slo.p99=5s", "--set", "workload.saturation_search.sample_window=1s"), "step"),
    ],
    ids=["run", "search"],
)
def test_a_server_that_is_killed_in_an_open_loop_ends_the_command_long_before_the_request_timeout(
    command: tuple[str, ...], record: str
) -> None:
    """Requests that fall due after the server's end have no connection to go out on: the drain does not wait for it."""
    verb, *more = command
    with Running(verb, "--server", str(SERVERS / "redis.toml"), *BRIEFLY, *more, "--request-timeout", "60s") as running:
        running.wait_for(record)
        [server] = servers_of(running)
        began_s = time.monotonic()
        server.send_signal(signal.SIGKILL)
        done = running.finish()
        assert time.monotonic() - began_s < 60
    assert done.status == 3
    assert "SIGKILL" in done.complaint
    [ended] = [each for each in done.records if each["type"] in ("result", "saturation")]
    assert ended["verdict"]["codes"]["reasons"] == ["server-ended"]
    assert ended["unaccounted"] == 0


def test_a_server_that_is_killed_in_the_drain_ends_the_drain() -> None:
    arguments = ["--rate", "2000", "--duration", "1s", "--request-timeout", "60s"]
    with Running("run", "--server", str(SERVERS / "redis.toml"), *BRIEFLY, *arguments) as running:
        running.wait_for("phase", phase="measure")
        [server] = servers_of(running)
        server.suspend()
        running.wait_for("phase", phase="drain")
        began_s = time.monotonic()
        server.send_signal(signal.SIGKILL)
        done = running.finish()
        assert time.monotonic() - began_s < 60
    assert done.status == 3
    assert done.counts["unfinished"] > 0
    assert "server-ended" in done.result["verdict"]["codes"]["reasons"]


def test_two_options_that_name_the_server_are_one_too_many() -> None:
    done = invoked("run", "--embedded", "--server", str(SERVERS / "redis.toml"))
    assert done.status == 2
    assert "keep one of them" in done.stderr


def test_an_option_that_names_a_server_wins_over_the_files_own(tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text((SERVERS / "memcached.toml").read_text() + "[general]\nthreads = 1\n")
    done = invoked("run", str(config), "--server", str(SERVERS / "redis.toml"), *BRIEFLY, "--duration", "100ms")
    assert done.records[0]["identity"].startswith("redis")
    done = invoked("run", str(config), *BRIEFLY, "--duration", "100ms")
    assert done.records[0]["identity"].startswith("memcached")


def test_embedded_takes_the_place_of_several_servers(tmp_path: Path) -> None:
    config = tmp_path / "two.toml"
    config.write_text('[target]\nendpoints = ["127.0.0.1:1", "127.0.0.1:2"]\n')
    done = invoked("run", str(config), "--embedded", *BRIEFLY, "--duration", "100ms")
    assert done.status == 0
    assert done.result["connections"]["opened"] == 4
