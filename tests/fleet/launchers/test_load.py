"""A load by the agents of each launcher: a server has counted what the leader has."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import in_process
import pytest
from command import Finished
from in_process import invoked_load
from real_servers import HOST, RealServer, free_port
from real_sshd import HAS_SSHD, sshd
from stub_machines import TOKEN as FLY_TOKEN
from stub_machines import serving

from loadgen.fleet.launchers import fly
from loadgen.fleet.launchers.child import own_command

TOKEN = "a token of sixteen or more"


@pytest.fixture(scope="module")
def redis() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


def load(redis: RealServer, where: str, *more: str) -> Finished:
    """Put a load on the server by agents, and hold both accounts against each other."""
    redis.client().config_resetstat()
    done = invoked_load(redis.port, "--on", where, *more)
    assert done.status == 0, done.stderr
    assert done.counts["ok"] > 0
    sent = {name: count["sent"] for name, count in done.result["totals"]["commands"].items() if name in ("get", "set")}
    assert executed(redis) == sent
    return done


def executed(redis: RealServer) -> dict[str, int]:
    stats = redis.client().info("commandstats")
    return {name: stats[f"cmdstat_{name}"]["calls"] for name in ("get", "set") if f"cmdstat_{name}" in stats}


@HAS_SSHD
def test_agent_over_ssh(redis: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with sshd() as server:
        monkeypatch.setenv("PATH", server.path)
        # A token of the user's is for agents over a network: ssh is proof enough.
        monkeypatch.setenv("LOADGEN_TOKEN", TOKEN)
        remote = shlex.join(own_command()[:-1])
        load(redis, f"ssh:{getpass.getuser()}@{HOST}:{server.port}", "--remote-command", remote)


def test_agents_that_connect(redis: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADGEN_TOKEN", TOKEN)
    # The agents are not the leader's to wait for.
    monkeypatch.setattr(in_process, "children", set)
    port = free_port()
    # They come before their leader, and wait for it.
    agents = [subprocess.Popen([*own_command(), "--connect", f"{HOST}:{port}"]) for _ in range(2)]
    done = load(redis, f"listen:{port}:2")
    assert "2 of 2 agents have come" in done.stderr
    assert [agent.wait() for agent in agents] == [0, 0]


def test_agents_on_machines_of_fly(redis: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "children", set)
    monkeypatch.setattr(fly, "PORT", free_port())

    def start(address: str, config: dict[str, Any]) -> Callable[[], None]:
        program, verb, *arguments = config["init"]["exec"]
        assert (program, verb) == ("loadgen", "agent")
        arguments = [word.replace("fly-local-6pn", address) for word in arguments]
        agent = subprocess.Popen(
            [*own_command(), *arguments], env=os.environ | config["env"], stderr=subprocess.DEVNULL
        )

        def end() -> None:
            # It has ended with its leader, and would end its machine: nothing is left to cost.
            assert agent.wait(20) == 0

        return end

    with serving(start) as stub:
        monkeypatch.setenv("FLY_API_TOKEN", FLY_TOKEN)
        monkeypatch.setenv("FLY_API_HOSTNAME", stub.url)
        done = load(redis, "fly:bench:2")
        assert stub.machines == {}
    assert "unverified: the launcher fly" in done.stderr
    assert FLY_TOKEN not in done.stdout + done.stderr


def test_wrong_token_ends_the_run_before_any_load(redis: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "children", set)
    port = free_port()
    environment = os.environ | {"LOADGEN_TOKEN": "another token of sixteen"}
    agent = subprocess.Popen([*own_command(), "--connect", f"{HOST}:{port}"], env=environment, stderr=subprocess.PIPE)
    monkeypatch.setenv("LOADGEN_TOKEN", TOKEN)
    redis.client().config_resetstat()
    done = invoked_load(redis.port, "--on", f"listen:{port}:1")
    assert done.status == 3
    assert re.search("loadgen: Agent .*token.*; no load was sent", done.stderr)
    assert executed(redis) == {}
    assert agent.communicate(timeout=20)[1]
    assert agent.returncode == 3


def test_dask_that_runs_a_finished_task_again_fires_nothing(redis: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    from loadgen.fleet.launchers.dask.cluster import NO_DASHBOARD, silence
    from loadgen.fleet.launchers.dask.messages import BEGAN
    from loadgen.fleet.launchers.dask.relay import Relay

    silence()
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", scheduler_kwargs=NO_DASHBOARD
    )
    attempts: list[str] = []

    # A leader without care: its tasks may run anywhere, and are held when they have finished.
    submit = distributed.Client.submit
    monkeypatch.setattr(
        distributed.Client,
        "submit",
        lambda self, *args, **options: submit(self, *args, **options | {"allow_other_workers": True}),
    )
    monkeypatch.setattr(distributed.Future, "release", lambda self: None)

    def end_and_lose_the_worker(relay: Relay) -> None:
        end(relay)
        if attempts:
            return
        assert relay.future.status == "finished"
        cluster.sync(cluster.scheduler.remove_worker, relay.worker, stimulus_id="test", close=False)
        until_s = time.monotonic() + 20
        while len(began := began_of(relay)) < 2 and time.monotonic() < until_s:
            time.sleep(0.02)
        attempts.extend(began)

    def began_of(relay: Relay) -> list[str]:
        events = relay.client.get_events(relay.topic)
        return [message["attempt"] for _, message in events if message["kind"] == BEGAN]

    end = Relay.end
    monkeypatch.setattr(Relay, "end", end_and_lose_the_worker)
    with cluster:
        done = load(redis, f"dask:{cluster.scheduler_address}")
    assert done.status == 0
    assert len(set(attempts)) == 2
