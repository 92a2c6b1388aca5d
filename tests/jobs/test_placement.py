"""Workers in network namespaces: each a host with a link of its own, on the files of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from job_tests import MS, on_worker, plan, ran
from namespaces import machines
from real_servers import RealServer

from loadgen.config import jobs_file
from loadgen.errors import ConfigError
from loadgen.host import namespaces
from loadgen.jobs.leader import test as leader
from loadgen.jobs.load.plan import JobFault, Kind, QueueSettings

QUEUE = QueueSettings(lease_ns=500 * MS, sweep_ns=100 * MS, result_ttl_ns=0)

ON_REDIS = """
[queue]
adapter = "streams"
storage = "redis://{host}:6379"

[placement]
workers = "{where}"

[[jobs]]
jobs = 10
"""


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two namespaces by name only, `a` and `b`."""
    monkeypatch.setattr(namespaces, "FOLDER", tmp_path)
    monkeypatch.setattr(namespaces, "_may_enter", lambda: True)
    monkeypatch.setattr(namespaces.shutil, "which", lambda program: f"/sbin/{program}")
    for name in ("a", "b"):
        (tmp_path / name).touch()


def case(where: str, host: str = "10.0.0.1", more: str = ""):
    return jobs_file.case_of(ON_REDIS.format(host=host, where=where) + more, "test", "test.toml").plan


def problem(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        case(*words)
    (only,) = caught.value.problems
    return only


def test_workers_are_in_the_namespaces_by_turns(named) -> None:
    found = case("netns:a, b")
    assert found.namespaces == ("a", "b")
    assert [found.namespace(number) for number in (1, 2, 3, 4)] == ["a", "b", "a", "b"]
    assert case("local").namespaces == ()
    assert case("local").namespace(1) == ""


def test_a_namespace_that_is_not_there_is_named(named) -> None:
    for name in ("c", "", "../a"):
        assert f"there is no network namespace {name!r}" in problem(f"netns:a,{name}").replace('"', "'")


def test_who_may_not_enter_a_namespace_is_told_so(named, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "_may_enter", lambda: False)
    assert "start loadgen as root" in problem("netns:a")
    monkeypatch.setattr(namespaces.shutil, "which", lambda program: None)
    assert "install iproute2" in problem("netns:a")


@pytest.mark.parametrize("where", ["ssh:h1", "tcp:h1:7000", "listen:7000:2", "dask:local:2", "fly:app:2"])
def test_other_machines_are_refused_as_the_ledger_is_a_file_of_this_one(where: str) -> None:
    said = problem(where)
    assert where.partition(":")[0] in said
    assert "the ledger by which jobs are counted is a file of this one" in said
    assert "a test of its own on each machine" in said


def test_other_words_are_refused_with_what_there_is() -> None:
    assert 'must be "local", or network namespaces such as "netns:a,b"' in problem("local:2")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
def test_a_queue_on_loopback_is_another_host_in_each_namespace(named, host: str) -> None:
    assert "is another host in each network namespace" in problem("netns:a", host)
    assert case("local", host).namespaces == ()


def test_what_loadgen_would_start_on_loopback_is_refused(named) -> None:
    proxy = '[[fault]]\nkind = "latency"\nat = "1s"\ndelay = "5ms"\n'
    assert "latency is done by a proxy on loopback" in problem("netns:a", "10.0.0.1", proxy)
    own = '[queue]\nadapter = "streams"\n[placement]\nworkers = "netns:a"\n[[jobs]]\njobs = 1\n'
    with pytest.raises(ConfigError, match="the Redis that loadgen starts is on loopback"):
        jobs_file.case_of(own, "test", "test.toml")
    # A file is a file in every namespace.
    assert jobs_file.case_of(own.replace("streams", "sqlite"), "test", "test.toml").plan.namespaces == ("a",)


@pytest.fixture(scope="module")
def two() -> Iterator[list[tuple[str, str, str]]]:
    """Two namespaces that are there: of each its name, the host's address on its link, and its own address."""
    with machines(2) as made:
        yield made


@pytest.fixture(scope="module")
def server(two) -> Iterator[RealServer]:
    with RealServer.redis("--bind", "0.0.0.0", "--protected-mode", "no") as started:
        yield started


@pytest.mark.parametrize(
    ("adapter", "jobs", "faults"), [("streams", 80, (on_worker("kill", 1, 0.2, 0.1),)), ("rq", 4, ())]
)
def test_workers_in_namespaces_come_from_there_and_come_back_there(
    adapter: str, jobs: int, faults: tuple[JobFault, ...], two, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[int, str]] = []

    class Seen(leader.Process):
        def __init__(self, name, *more, **others) -> None:
            super().__init__(name, *more, **others)
            if name.startswith("Worker"):
                pid = self.worker_pid if others.get("guarded") else self.pid
                started.append((pid, name))

    monkeypatch.setattr(leader, "Process", Seen)
    client = server.redis()
    over, where = Event(), set[str]()
    homes: dict[tuple[str, int], int] = {}
    inodes = {Path("/run/netns", name).stat().st_ino: name for name, _, _ in two}

    def look() -> None:
        while not over.wait(0.03):
            where.update(each["addr"].rpartition(":")[0] for each in client.client_list())
            for pid, name in [*started]:
                with contextlib.suppress(OSError):
                    # A process is here until `ip` has entered the namespace: the last look counts.
                    homes[name, pid] = Path(f"/proc/{pid}/ns/net").stat().st_ino

    # The host is reached by either of its addresses: what comes from a namespace has that of its own link.
    wanted = plan((Kind(jobs, work_ns=20 * MS),), adapter, workers=2, concurrency=2, queue=QUEUE, faults=faults)
    wanted = replace(
        wanted,
        storage=f"redis://{two[0][1]}:{server.port}",
        queue_name=adapter,
        namespaces=tuple(name for name, _, _ in two),
    )
    watcher = Thread(target=look)
    watcher.start()
    try:
        done = ran(wanted)
    finally:
        over.set()
        watcher.join()
    assert done.ended.reasons == ()
    assert (done.counts.lost, done.counts.completed) == (0, jobs)
    assert {address for _, _, address in two} <= where
    assert [name for _, name in started].count("Worker 1") == 1 + len(faults)
    where_to = {"Worker 1": two[0][0], "Worker 2": two[1][0]}
    assert [inodes.get(homes.get((name, pid), 0)) for pid, name in started] == [where_to[name] for _, name in started]
