"""Faults of the process layer on real servers: each has its effect, counts it, and is over after its end."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from kernel_faults import MEMCACHED, REDIS, answers_again, ask_for, fault, server_for
from real_servers import ask

from loadgen.faults.interpreter import FaultError
from loadgen.faults.process import ProcessFaults, memory
from loadgen.faults.process.group import Group
from loadgen.faults.process.quota import CpuQuota
from loadgen.target.server import ManagedServer

LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has prlimit, and queues in /proc")


@pytest.fixture
def plain():
    """A server that shares everything with loadgen: no root is needed."""
    with ManagedServer(MEMCACHED) as server:
        yield server


def test_a_killed_server_is_down_until_the_end_and_no_exit_of_its_own_is_reported(plain):
    faults, kill, pid = ProcessFaults([plain]), fault("kill"), plain.pid
    faults.begin(kill, 1)
    assert ask_for(plain, 0.2).errors.keys() == {"ConnectionRefusedError"}
    assert (plain.exit_report(), plain.usage()) == ("", None)
    faults.end(kill, 1)
    assert answers_again(plain)
    assert plain.pid != pid
    assert faults.effects(kill, 1) == 1
    assert not plain.restarted()


@pytest.mark.parametrize(("data", "left"), [("kept", b"$1\r\n1\r\n"), ("gone", b"$-1\r\n")])
def test_a_killed_server_has_its_data_again_or_none(data, left):
    with ManagedServer(REDIS) as server:
        faults, kill = ProcessFaults([server]), fault("kill", data=data)
        assert ask(server.port, b"SET key 1\r\n", b"\r\n") == b"+OK\r\n"
        faults.begin(kill, 1)
        faults.end(kill, 1)
        assert ask(server.port, b"GET key\r\nPING\r\n", b"PONG\r\n") == left + b"+PONG\r\n"


def test_a_stopped_server_accepts_and_never_answers_until_it_is_resumed(plain):
    faults, pause = ProcessFaults([plain]), fault("pause")
    with socket.create_connection((plain.host, plain.port), timeout=20) as connection:
        faults.begin(pause, 1)
        assert ask_for(plain, 0.5).errors.keys() == {"TimeoutError"}
        connection.sendall(b"mn\r\n")
        faults.end(pause, 1)
        assert connection.recv(100) == b"MN\r\n"
    assert faults.effects(pause, 1) == 1


@LINUX_ONLY
def test_a_server_without_descriptors_leaves_connections_in_the_listeners_queue(plain):
    faults, limit = ProcessFaults([plain]), fault("fd_limit")
    faults.begin(limit, 1)
    with ExitStack() as stack:
        for _ in range(4):
            # memcached shortens the queue when it has no descriptor left: some connections are not even queued.
            with suppress(TimeoutError):
                stack.enter_context(socket.create_connection((plain.host, plain.port), timeout=0.05))
        assert "TimeoutError" in ask_for(plain, 0.4).errors
        assert faults.effects(limit, 1) >= 1
    faults.end(limit, 1)
    assert answers_again(plain)
    assert faults.effects(limit, 1) >= 1


@LINUX_ONLY
def test_a_connection_that_closes_makes_no_room_for_another(plain):
    faults, limit = ProcessFaults([plain]), fault("fd_limit")
    with socket.create_connection((plain.host, plain.port), timeout=20) as first:
        first.sendall(b"mn\r\n")
        assert first.recv(100) == b"MN\r\n"
        faults.begin(limit, 1)
        # What is open goes on.
        first.sendall(b"mn\r\n")
        assert first.recv(100) == b"MN\r\n"
    assert ask_for(plain, 0.5).answered == 0
    faults.end(limit, 1)
    assert faults.effects(limit, 1) >= 1
    assert answers_again(plain)


@LINUX_ONLY
def test_a_server_with_spare_descriptors_still_accepts_so_many(plain):
    faults, limit = ProcessFaults([plain]), fault("fd_limit", spare=100)
    faults.begin(limit, 1)
    assert ask_for(plain, 0.2).errors == {}
    faults.end(limit, 1)
    assert faults.effects(limit, 1) == 0


def test_a_quota_throttles_the_server_until_its_end():
    with server_for(["cpu_quota"]) as server:
        faults, quota = ProcessFaults([server]), fault("cpu_quota", share=0.01)
        faults.begin(quota, 1)
        slow = ask_for(server, 1.0, timeout_s=5)
        assert max(slow.latencies_s) > 0.05
        faults.end(quota, 1)
        assert faults.effects(quota, 1) >= 1
        group = Group(server, "cpu.cfs_quota_us", "cpu.max")
        before = group.count("cpu.stat", "nr_throttled")
        ask_for(server, 0.5, timeout_s=5)
        # The period in which the quota ended may still be counted.
        assert group.count("cpu.stat", "nr_throttled") - before <= 1


# With the long interval, the process that takes the memory goes on after the server's end, and is killed as well.
@pytest.mark.parametrize("interval_s", [0.01, 0.5])
def test_the_kernel_kills_a_server_out_of_memory_and_it_is_started_again(interval_s, monkeypatch):
    monkeypatch.setattr(memory, "_INTERVAL_S", interval_s)
    with server_for(["oom"]) as server:
        faults, oom, pid = ProcessFaults([server]), fault("oom"), server.pid
        faults.begin(oom, 1)
        assert ask_for(server, 0.2).answered == 0
        assert server.exit_report() == ""
        faults.end(oom, 1)
        assert answers_again(server)
        assert server.pid != pid
        assert faults.effects(oom, 1) == 1


def test_a_fault_that_cannot_begin_says_why_and_counts_nothing(plain):
    faults = ProcessFaults([plain])
    with pytest.raises(FaultError, match=r"node 1: the server has no control group of its own"):
        faults.begin(fault("cpu_quota"), 1)
    with pytest.raises(FaultError, match=r"node 2: there is 1 server of loadgen's own"):
        faults.begin(fault("kill"), 2)
    faults.end(fault("cpu_quota"), 1)
    assert faults.effects(fault("cpu_quota"), 1) == 0
    faults.begin(fault("pause"), 1)
    with pytest.raises(FaultError, match="lasts already"):
        faults.begin(fault("pause"), 1)
    faults.close()
    assert answers_again(plain)


# ── Control groups of version 2, whose files are written as cgroup-v2.rst has them: this machine may have version 1 ──


def grouped(folder: Path, **files: str) -> ManagedServer:
    """A server with a control group that has these files, and with nothing else."""
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return cast("ManagedServer", SimpleNamespace(cgroups=(folder,)))


def test_a_quota_of_version_2_is_a_share_of_a_period_and_its_end_is_the_maximum(tmp_path: Path):
    server = grouped(tmp_path, cpu_max="max 100000\n", cpu_stat="usage_usec 5\nnr_throttled 7\n")
    quota = CpuQuota(server, fault("cpu_quota", share=0.25))
    assert (tmp_path / "cpu.max").read_text() == "25000 100000\n"
    (tmp_path / "cpu.stat").write_text("usage_usec 5\nnr_throttled 10\n")
    assert quota.effects() == 3
    quota.end()
    assert (tmp_path / "cpu.max").read_text() == "max 100000\n"


def test_the_groups_of_both_versions_are_told_apart_by_their_files(tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert Group(grouped(first, memory_limit_in_bytes="1"), "memory.limit_in_bytes", "memory.max").version == 1
    newer = Group(
        grouped(second, memory_max="max", memory_events="low 0\noom_kill 2\n"), "memory.limit_in_bytes", "memory.max"
    )
    assert (newer.version, newer.count("memory.events", "oom_kill"), newer.count("memory.events", "none")) == (2, 2, 0)
    with pytest.raises(FaultError, match="has no control group of its own"):
        Group(grouped(second), "cpu.cfs_quota_us", "cpu.max")


# ── Memory and the clock, as redis itself has them ──────────────────────────────────────────────────────────────────


def first_line(server: ManagedServer, command: str) -> bytes:
    return ask(server.port, command.encode() + b"\r\n", b"\r\n").split(b"\r\n")[0]


def test_a_server_under_memory_pressure_refuses_writes_and_answers_reads_until_the_end():
    with ManagedServer(REDIS) as server:
        assert first_line(server, "SET key 1") == b"+OK"
        faults, pressure = ProcessFaults([server]), fault("memory_pressure")
        faults.begin(pressure, 1)
        assert faults.effects(pressure, 1) == 0
        assert first_line(server, "SET other " + "x" * 10_000).startswith(b"-OOM")
        assert first_line(server, "GET key") == b"$1"
        assert faults.effects(pressure, 1) == 1
        faults.end(pressure, 1)
        assert first_line(server, "SET other 1") == b"+OK"
        assert faults.effects(pressure, 1) == 1


def test_memory_that_is_left_can_still_be_used():
    with ManagedServer(REDIS) as server:
        faults, pressure = ProcessFaults([server]), fault("memory_pressure", spare=300_000)
        faults.begin(pressure, 1)
        replies = [first_line(server, f"SET {number} " + "x" * 50_000)[:4] for number in range(10)]
        faults.close()
        # redis counts the bytes that it reads a command into, too.
        assert replies[0] == b"+OK"
        assert 1 <= replies.count(b"+OK") <= 6
        assert replies[-1] == b"-OOM"


def test_memory_pressure_is_a_fault_of_redis_only(plain):
    with pytest.raises(FaultError, match="the limit is one of redis' protocol"):
        ProcessFaults([plain]).begin(fault("memory_pressure"), 1)


@pytest.mark.parametrize(("towards", "sign"), [("ahead", 1), ("back", -1)])
def test_a_clock_jumps_for_the_server_alone_and_comes_back(towards, sign):
    def clock_s() -> int:
        return int(ask(server.port, b"TIME\r\nPING\r\n", b"PONG\r\n").split(b"\r\n")[2])

    with server_for(["clock_jump"], REDIS) as server:
        before_s = clock_s()
        assert first_line(server, "SET key 1 EX 1000") == b"+OK"
        faults, jump = ProcessFaults([server]), fault("clock_jump", jump=3600 * 10**9, towards=towards)
        faults.begin(jump, 1)
        assert abs(clock_s() - before_s - sign * 3600) < 60
        assert first_line(server, "EXISTS key") == (b":0" if towards == "ahead" else b":1")
        assert faults.effects(jump, 1) > 0
        faults.end(jump, 1)
        assert abs(clock_s() - before_s) < 60
