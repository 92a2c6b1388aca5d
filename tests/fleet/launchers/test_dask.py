"""Agents on Dask workers: bytes both ways through the scheduler, and one attempt ever that is welcomed.

Workers run in the test's own process, with a program in the agent's place.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadgen.errors import UsageError, WorkerError
from loadgen.fleet.launchers.asked import Asked
from loadgen.fleet.launchers.dask.launcher import Dask

distributed = pytest.importorskip("distributed", reason="distributed is not installed")

from loadgen.fleet.launchers.dask import cluster as cluster_module  # noqa: E402
from loadgen.fleet.launchers.dask import task  # noqa: E402
from loadgen.fleet.launchers.dask.cluster import checked_workers, client_of  # noqa: E402
from loadgen.fleet.launchers.dask.relay import Relay  # noqa: E402


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    cluster_module.silence()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=False, protocol="tcp", scheduler_kwargs=cluster_module.NO_DASHBOARD
    ) as up:
        yield up


@pytest.fixture(scope="module")
def client(cluster: distributed.LocalCluster) -> Iterator[distributed.Client]:
    with client_of(cluster.scheduler_address) as connected:
        yield connected


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell's command in the agent's place."""

    def be(command: str) -> None:
        monkeypatch.setattr(task, "own_command", lambda: ["sh", "-c", command])

    be("exec cat")
    return be


def read(relay: Relay, length: int) -> bytes:
    relay.channel.socket.settimeout(20)
    data = b""
    while len(data) < length and (more := relay.channel.socket.recv(65536)):
        data += more
    return data


def launched(client: distributed.Client, name: str) -> Relay:
    relay = Relay(client, name, min(checked_workers(client, 1, 20)), False)
    relay.await_beginning(time.monotonic() + 20)
    return relay


def test_every_worker_has_an_agent_and_bytes_pass_in_order(
    cluster: distributed.LocalCluster, agent: Callable[[str], None]
) -> None:
    every = bytes(range(256)) * 1000
    with Dask(cluster.scheduler_address).launch("order") as channels:
        assert sorted(channel.name for channel in channels) == sorted(
            worker.address for worker in cluster.workers.values()
        )
        for channel in channels:
            channel.socket.settimeout(20)
            channel.socket.sendall(every)
        for channel in channels:
            back = b""
            while len(back) < len(every):
                back += channel.socket.recv(65536)
            assert back == every
    # Nothing is left on the scheduler that it could run again.
    assert not any(str(key).startswith("loadgen-") for key in cluster.scheduler.tasks)
    until_s = time.monotonic() + 20
    while (queues := cluster.scheduler.extensions["queues"].queues) and time.monotonic() < until_s:
        pass
    assert not queues


def test_end_of_the_agent_is_told_in_its_words(
    cluster: distributed.LocalCluster, client: distributed.Client, agent: Callable[[str], None]
) -> None:
    agent("echo last words; echo no memory >&2; exit 3")
    relay = launched(client, "end")
    assert read(relay, 100) == b"last words\n"
    assert relay.channel.ending() == "ended with exit status 3: no memory"
    # Nobody holds the task any more, which a scheduler that loses its worker would run again.
    until_s = time.monotonic() + 20
    while (is_held := relay.topic in cluster.scheduler.tasks) and time.monotonic() < until_s:
        pass
    assert not is_held
    relay.end()
    agent("/no/such/agent")
    relay = launched(client, "none")
    assert read(relay, 1) == b""
    assert "ended with exit status 127" in relay.channel.ending()
    relay.end()
    relay.end()


def test_second_attempt_at_a_task_is_turned_away_and_starts_no_agent(
    client: distributed.Client, agent: Callable[[str], None], tmp_path: Path
) -> None:
    agent(f"echo started >> {tmp_path}/starts; exec cat")
    relay = launched(client, "twice")
    # What a scheduler does that has lost the worker of a task, also of one that had finished.
    again = client.submit(task.relay, relay.topic, key="again", pure=False)
    assert again.result(20) is None
    relay.channel.socket.sendall(b"still there")
    assert read(relay, 11) == b"still there"
    relay.end()
    late = client.submit(task.relay, relay.topic, key="late", pure=False)
    client.cancel([late])
    assert (relay.turned_away, started(tmp_path)) == (1, 1)


def started(folder: Path) -> int:
    return len((folder / "starts").read_text().splitlines())


def test_agent_that_is_lost_is_killed(client: distributed.Client, agent: Callable[[str], None]) -> None:
    # It would be waited for otherwise: it does not end when its input does.
    agent("trap '' TERM; exec sleep 1000")
    relay = launched(client, "lost")
    relay.give_up()
    relay.end()
    assert relay.is_released.wait(20)
    assert relay.channel.ending() == "was killed by SIGKILL"


def test_attempt_without_a_leader_starts_no_agent(
    client: distributed.Client, agent: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    agent(f"echo started >> {tmp_path}/starts")
    monkeypatch.setattr(task, "ANSWER_S", 0.0)
    assert client.submit(task.relay, "nobody-leads-this", pure=False).result(20) is None
    with pytest.raises(FileNotFoundError):
        started(tmp_path)


def test_worker_of_another_version_is_refused(client: distributed.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = task.versions()
    monkeypatch.setattr(cluster_module, "versions", lambda: ours._replace(loadgen="0.0.1"))
    # Workers in this process answer with the function that they are sent.
    monkeypatch.setattr(client, "run", lambda *_, **__: {"tcp://w": ours})
    with pytest.raises(WorkerError, match=f"Dask worker tcp://w has loadgen {ours.loadgen}, and here is 0.0.1"):
        checked_workers(client, 1, 20)
    monkeypatch.setattr(client, "run", lambda *_, **__: {"tcp://w": ModuleNotFoundError("No module named 'loadgen'")})
    with pytest.raises(WorkerError, match=r"cannot run an agent .No module named 'loadgen'.: install loadgen 0.0.1"):
        checked_workers(client, 1, 20)


def test_scheduler_that_is_not_there_and_one_without_workers_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, client: distributed.Client
) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_S", 0.2)
    with pytest.raises(WorkerError, match=r"No Dask scheduler was reached at tcp://127.0.0.1:1 "):
        with client_of("tcp://127.0.0.1:1"):
            pass
    with pytest.raises(UsageError, match="needs certificates in Dask's own configuration"), client_of("tls://h:1"):
        pass
    with pytest.raises(WorkerError, match="has no workers: start some"):
        checked_workers(client, 3, 0.1)


@pytest.mark.parametrize(
    "words", ["", "local", "local:0", "local:-1", "scheduler:8786", "http://scheduler:8786", "tcp://x"]
)
def test_mistaken_cluster_is_a_usage_error(words: str) -> None:
    with pytest.raises(UsageError, match="is no Dask cluster; write"):
        Dask.of(words, Asked())


def test_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'loadgen\[dask\]'"):
        Dask.of("local:2", Asked())
