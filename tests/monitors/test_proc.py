"""Processes: which one is read, what is read of it, and what is said when it is gone."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loadgen.monitors import proc as room
from loadgen.monitors.making import make
from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.own import tasks
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.proc import SERIES, ProcessReader
from loadgen.monitors.thrift import Thrift
from loadgen.plan import Endpoint, Target

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
OWN = os.getpid()


def at(port: int, address: str = "127.0.0.1") -> Target:
    return Target("resp", (Endpoint(address, port, address),))


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"])


# ── What is read ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reading_has_every_series_but_cpu_which_needs_two() -> None:
    reader = ProcessReader()
    first, second = reader.read(OWN), reader.read(OWN)
    assert first.values.keys() == SERIES.keys() - {"cpu"}
    assert second.values["cpu"] >= 0
    assert second.identity == first.identity
    assert f"pid {OWN}, started " in first.identity
    assert first.lacking == ""
    assert first.values["rss"] > 0
    assert first.values["uptime"] > 0


@ON_LINUX
def test_what_is_opened_and_started_is_counted() -> None:
    before = ProcessReader().read(OWN).values
    leaked = [socket.socket() for _ in range(5)]
    ends = os.pipe()
    barrier = threading.Barrier(2)
    thread = threading.Thread(target=barrier.wait)
    thread.start()
    child = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    try:
        after = ProcessReader().read(OWN).values
    finally:
        barrier.wait()
        thread.join()
        child.communicate()
        for each in leaked:
            each.close()
        for end in ends:
            os.close(end)
    grown = {name: after[name] - before[name] for name in ("sockets", "pipes", "fds", "threads", "children")}
    assert grown == {"sockets": 5, "pipes": 4, "fds": 9, "threads": 1, "children": 1}
    assert after["children_rss"] > 0


def test_elsewhere_than_on_linux_psutil_reads_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ON_LINUX", False)
    reader = ProcessReader()
    values = {**reader.read(OWN).values, **reader.read(OWN).values}
    assert values.keys() == room._EVERYWHERE.keys()
    assert values["rss"] > 0


def test_what_is_costly_is_looked_at_less_often() -> None:
    thrift = Thrift(share=0.002)
    assert thrift.allows(0)
    thrift.took(0, 1_000_000)
    assert not thrift.allows(500_000_000)
    assert thrift.allows(501_000_000)


@ON_LINUX
def test_a_costly_look_is_left_out_of_readings_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_looks", lambda: [(lambda pid: {"pss": 1.0}, Thrift(share=1e-9))])
    reader = ProcessReader()
    assert "pss" in reader.read(OWN).values
    assert "pss" not in reader.read(OWN).values


@ON_LINUX
def test_what_may_not_be_read_of_another_users_process_is_told_and_the_rest_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(pid: int) -> dict[str, float]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(room, "_looks", lambda: [(refused, Thrift())])
    found = ProcessReader().read(OWN)
    assert "rss" in found.values
    assert found.lacking == (
        f"process {OWN} belongs to another user, and not all of it can be read (Permission denied); run loadgen as "
        "that user"
    )


def test_the_next_process_has_no_cpu_share_with_the_time_of_the_one_before() -> None:
    child = sleeper()
    try:
        reader = ProcessReader()
        reader.read(OWN)
        assert "cpu" in reader.read(OWN).values
        assert "cpu" not in reader.read(child.pid).values
    finally:
        child.kill()
        child.wait()


# ── Which process is read ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_pid_that_is_gone_is_told() -> None:
    child = sleeper()
    monitor = make(MonitorPlan("proc", "proc", pid=child.pid), UnderLoad())
    # A process that has just begun may have no resident memory yet, by the kernel's account.
    assert monitor.read().values["threads"] == 1
    child.kill()
    child.wait()
    with pytest.raises(Unreadable, match=rf"^process {child.pid} has ended$"):
        monitor.read()
    with pytest.raises(Unreadable, match=rf"^there is no process {child.pid}$"):
        make(MonitorPlan("proc", "proc", pid=child.pid), UnderLoad()).read()
    assert monitor.evidence() == {}


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone_too() -> None:
    child = sleeper()
    monitor = make(MonitorPlan("proc", "proc", pid=child.pid), UnderLoad())
    monitor.read()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(Unreadable, match="has ended"):
        monitor.read()
    child.wait()


def test_a_name_means_the_oldest_process_and_the_next_one_when_that_has_ended(tmp_path: Path) -> None:
    program = tmp_path / "lg_named"
    program.symlink_to("/bin/sleep")
    monitor = make(MonitorPlan("proc", "proc", process="lg_named"), UnderLoad())
    with pytest.raises(Unreadable, match=r"^no process is named lg_named$"):
        monitor.read()
    first, second = (subprocess.Popen([program, "1000"]) for _ in range(2))
    try:
        assert monitor.read().identity.startswith(f"pid {first.pid},")
        first.kill()
        # The first has ended, and nobody has waited for it yet.
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
        assert monitor.read().identity.startswith(f"pid {second.pid},")
    finally:
        for each in (first, second):
            each.kill()
            each.wait()


def test_a_server_means_the_process_that_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert make(MonitorPlan("proc", "p"), UnderLoad(at(port))).read().identity.startswith(f"pid {OWN},")
    with pytest.raises(Unreadable, match=rf"^no process of this host is seen to listen on 127.0.0.1:{port}$"):
        make(MonitorPlan("proc", "p", server=at(port)), UnderLoad()).read()
    with pytest.raises(
        Unreadable, match=r"^192.0.2.1:6379 is on another host, whose processes cannot be read from here$"
    ):
        make(MonitorPlan("proc", "p", server=at(6379, "192.0.2.1")), UnderLoad()).read()


def test_a_managed_servers_process_is_asked_for_each_time() -> None:
    pids = iter([OWN, 0])
    monitor = make(MonitorPlan("proc", "p"), UnderLoad(at(1), pid=lambda: next(pids)))
    assert monitor.read().identity.startswith(f"pid {OWN},")
    with pytest.raises(Unreadable, match=r"^the server is not running$"):
        monitor.read()


def test_nothing_named_and_nothing_under_load_is_told() -> None:
    for kind in ("proc", "redis", "memcached"):
        with pytest.raises(Unreadable, match="is under load; write"):
            make(MonitorPlan(kind, kind), UnderLoad()).read()


# ── loadgen itself ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_loadgen_reads_itself_and_its_workers_and_no_other_child() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", "from loadgen.version import __version__; input()"], stdin=subprocess.PIPE
    )
    other = sleeper()
    try:
        monitor = make(MonitorPlan("self", "self"), UnderLoad())
        first = monitor.read()
        assert first.values["processes"] == 2
        assert first.values["fds"] > ProcessReader().read(OWN).values["fds"]
        assert monitor.read().values.keys() <= monitor.series.keys()
        assert {f"{worker.pid}-descriptors.txt", f"{OWN}-descriptors.txt", "stacks.txt"} <= monitor.evidence().keys()
    finally:
        for each in (worker, other):
            each.kill()
            each.communicate()


def test_the_stacks_of_tasks_and_threads_are_evidence() -> None:
    import asyncio

    async def leaky() -> None:
        await asyncio.sleep(1000)

    async def main() -> None:
        before = len([*tasks()])
        leaked = [asyncio.create_task(leaky(), name=f"leaked {number}") for number in range(3)]
        await asyncio.sleep(0)
        assert len([*tasks()]) == before + 3
        text = make(MonitorPlan("self", "self"), UnderLoad()).evidence()["stacks.txt"]
        assert text.count("await asyncio.sleep(1000)") == 3
        assert "task leaked 2" in text
        assert "thread MainThread" in text
        for each in leaked:
            each.cancel()

    asyncio.run(main())


def test_tasks_are_counted_while_another_thread_makes_tuples() -> None:
    """A reference to a tuple that is being made would end what makes it."""
    ended = threading.Event()
    counter = threading.Thread(target=lambda: [len([*tasks()]) for _ in iter(ended.is_set, True)])
    counter.start()
    try:
        for _ in range(20_000):
            assert len(tuple(number for number in range(200))) == 200
    finally:
        ended.set()
        counter.join()
