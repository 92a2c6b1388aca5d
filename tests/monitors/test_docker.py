"""Containers, by the answers of the Docker Engine's API, and by a stub of the Engine on its socket."""

import json
from pathlib import Path

import pytest
from stub_http import Stub, serving

from loadgen.monitors import docker
from loadgen.monitors.docker import parse_container, parse_log, parse_stats
from loadgen.monitors.making import make
from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan

STARTED = "2026-11-30T03:00:00.123456789Z"
STARTED_S = 1_796_007_600.123456


def inspected(*, running: bool = True, health: str = "healthy", restarts: int = 2, started: str = STARTED) -> bytes:
    state = {"Status": "running" if running else "exited", "Running": running, "OOMKilled": False, "StartedAt": started}
    if health:
        state["Health"] = {"Status": health, "FailingStreak": 0}
    tree = {"Id": "0123456789abcdef", "Name": "/cache-1", "RestartCount": restarts, "State": state}
    return json.dumps({**tree, "Config": {"Tty": False}}).encode()


STATS = json.dumps(
    {
        "memory_stats": {"usage": 50_000_000, "limit": 100_000_000, "stats": {"inactive_file": 8_000_000}},
        "pids_stats": {"current": 7},
        "cpu_stats": {"cpu_usage": {"total_usage": 4_000_000_000}},
    }
).encode()


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4) + text


def test_a_containers_state_is_series_and_its_start_is_its_identity() -> None:
    found = parse_container(inspected(), STARTED_S + 60)
    values = dict(found.values)
    assert values.pop("uptime") == pytest.approx(60e9, abs=1000)
    assert values == {"running": 1, "healthy": 1, "restart_count": 2, "oom_killed": 0}
    assert found.identity == f"container 0123456789ab, started {STARTED}"


def test_a_container_that_is_down_has_no_identity_so_that_a_restart_is_counted_once() -> None:
    found = parse_container(inspected(running=False, health=""), STARTED_S)
    assert found.values == {"running": 0, "restart_count": 2, "oom_killed": 0}
    assert found.identity == ""


@pytest.mark.parametrize(("health", "healthy"), [("unhealthy", 0), ("starting", 0), ("none", None)])
def test_health_is_of_a_container_that_has_a_check(health: str, healthy: int | None) -> None:
    assert parse_container(inspected(health=health), STARTED_S).values.get("healthy") == healthy


def test_memory_is_without_the_page_cache_that_is_not_in_use() -> None:
    assert parse_stats(STATS) == ({"memory": 42_000_000, "memory_limit": 100_000_000, "pids": 7}, 4_000_000_000)
    assert parse_stats(b"{}") == ({}, None)


def test_a_log_is_taken_out_of_its_frames_also_when_it_is_cut_off() -> None:
    body = frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"end")
    assert parse_log(body, has_terminal=False) == "out\nerr\nend"
    assert parse_log(body[:-1], has_terminal=False) == "out\nerr\nen"
    assert parse_log(b"plain\n", has_terminal=True) == "plain\n"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [(b"<html>", "answered something that is not JSON"), (b"{}", "something that is no container")],
)
def test_what_is_no_container_is_refused(body: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable, match=sentence):
        parse_container(body, 0)


def test_a_container_is_read_on_the_engines_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    monitor = make(MonitorPlan("docker", "docker", container="cache-1"), UnderLoad())
    with pytest.raises(
        Unreadable, match=rf"^the Docker Engine at {socket} cannot be asked: No such file or directory$"
    ):
        monitor.read()
    with serving(socket) as stub:
        with pytest.raises(Unreadable, match=r"^the Docker Engine has no container cache-1$"):
            monitor.read()
        answers(stub)
        first, second = monitor.read(), monitor.read()
        assert "cpu" not in first.values
        assert second.values["cpu"] == 0
        assert second.values.keys() == monitor.series.keys()
        assert second.identity == first.identity != ""
        evidence = monitor.evidence()
        assert evidence["log.txt"] == "a\nb\n"
        assert json.loads(evidence["container.txt"])["State"]["Health"]["Status"] == "healthy"
        stub.answers["/containers/cache-1/json"] = (500, "application/json", b"{}")
        with pytest.raises(Unreadable, match="answered with status 500"):
            monitor.read()


def answers(stub: Stub) -> None:
    stub.answers["/containers/cache-1/json"] = (200, "application/json", inspected())
    stub.answers["/containers/cache-1/stats?stream=false&one-shot=true"] = (200, "application/json", STATS)
    logs = "/containers/cache-1/logs?stdout=true&stderr=true&timestamps=true&tail=100"
    stub.answers[logs] = (200, "application/octet-stream", frame(1, b"a\n") + frame(2, b"b\n"))


def test_an_engine_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    with pytest.raises(Unreadable, match=r"DOCKER_HOST is tcp://10.0.0.1:2375, which is no socket"):
        make(MonitorPlan("docker", "d", container="x"), UnderLoad()).read()
    with pytest.raises(Unreadable, match=r"^path is tcp://10.0.0.2:2375, which is no socket"):
        make(MonitorPlan("docker", "d", container="x", path="tcp://10.0.0.2:2375"), UnderLoad()).read()


def test_an_empty_docker_host_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(docker, "SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setenv("DOCKER_HOST", "")
    with pytest.raises(Unreadable, match=r"none\.sock cannot be asked"):
        make(MonitorPlan("docker", "d", container="x"), UnderLoad()).read()
