"""Callers in network namespaces: the servers, and a proxy before them, see them come from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from namespaces import machines
from real_servers import RealServer

from loadgen.cli import placed
from loadgen.config import scenario_file
from loadgen.errors import ConfigError, UsageError
from loadgen.faults.bench import Bench
from loadgen.host import namespaces
from loadgen.plan import Endpoint
from loadgen.runner.stop import Stop
from loadgen.trial.adapters import clients
from loadgen.trial.plan import ClientPlan, TrialPlan
from loadgen.trial.trial import Trial, caller_plans
from loadgen.trial.workloads import WORKLOADS

SCENARIO = """
title = "callers on links of their own"
protocol = "resp"
nodes = 1
groups = 2
rate = 100
concurrency = 4

[phases]
settle = "100ms"
baseline = "200ms"
fault = "200ms"
recovery = "100ms"

[placement]
clients = "{where}"
"""

LATENCY = '\n[[fault]]\nkind = "latency"\non = 1\ndelay = "2ms"\nfor = "100ms"\n'


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two namespaces by name only, `a` and `b`."""
    monkeypatch.setattr(namespaces, "FOLDER", tmp_path)
    monkeypatch.setattr(namespaces, "_may_enter", lambda: True)
    monkeypatch.setattr(namespaces.shutil, "which", lambda program: f"/sbin/{program}")
    for name in ("a", "b"):
        (tmp_path / name).touch()


def trial(where: str, workload: str = "constant", more: str = "") -> TrialPlan:
    scenario = scenario_file.scenario_of(SCENARIO.format(where=where) + more, "test", "test.toml")
    return scenario.plan(ClientPlan("mine", "mine:make"), "resp", WORKLOADS[workload], 7)


def refused(plan: TrialPlan, *hosts: str, toxiproxy: str = "") -> str:
    with pytest.raises(UsageError) as caught:
        placed.check(plan, [Endpoint(host, 6379, host) for host in hosts], toxiproxy)
    return str(caught.value)


def test_groups_of_callers_are_in_the_namespaces_by_turns(named) -> None:
    plan = trial("netns:a,b")
    assert plan.namespaces == ("a", "b")
    assert [each.namespace for each in caller_plans(plan, ((), (), ()), 1)] == ["a", "b", "a"]
    assert [each.namespace for each in caller_plans(trial("local"), ((), ()), 1)] == ["", ""]


def test_what_set_says_of_the_placement_holds_without_a_file(named) -> None:
    changed = scenario_file.changed(scenario_file.Scenario("", ""), ['placement.clients="netns:b"'])
    assert changed.namespaces == ("b",)


@pytest.mark.parametrize("where", ["ssh:h1", "tcp:h1:7000", "listen:7000:2", "dask:local:2", "fly:app:2"])
def test_other_machines_are_refused_as_callers_share_memory(where: str) -> None:
    with pytest.raises(ConfigError, match="the callers of a trial share memory"):
        trial(where)


def test_nodes_that_namespaces_do_not_reach_are_refused(named) -> None:
    plan = trial("netns:a")
    placed.check(plan, [Endpoint("10.9.0.1", 6379, "10.9.0.1")], "")
    assert "the servers that loadgen starts are on loopback" in refused(plan)
    assert "127.0.0.1:6379 is another host" in refused(plan, "10.9.0.1", "127.0.0.1")
    assert "asks a backend on loopback" in refused(trial("netns:a", "stampede"), "10.9.0.1")
    # 192.0.2.0/24 is for documents, and no machine's.
    delayed = trial("netns:a", more=LATENCY)
    assert "is not on this machine" in refused(delayed, "192.0.2.1")
    assert "would be on loopback" in refused(delayed, "192.0.2.1", toxiproxy="http://localhost:8474")
    placed.check(delayed, [Endpoint("192.0.2.1", 6379, "192.0.2.1")], "http://10.9.0.1:8474")


@pytest.fixture(scope="module")
def two() -> Iterator[list[tuple[str, str, str]]]:
    """Two namespaces that are there: of each its name, the host's address on its link, and its own address."""
    with machines(2) as made:
        yield made


def test_callers_in_namespaces_come_from_there_and_reach_a_proxy_too(two) -> None:
    names = tuple(name for name, _, _ in two)
    # Group 1 asks the server itself, and group 2 a proxy before it, at the node's address.
    fault = LATENCY.replace("on = 1", "on = 1\ngroup = 2")
    scenario = scenario_file.scenario_of(SCENARIO.format(where=f"netns:{','.join(names)}") + fault, "test", "test.toml")
    plan = scenario.plan(clients.client_named("redis-py", {}), "resp", WORKLOADS["constant"], 7)
    over, seen = Event(), set[str]()
    with RealServer.redis("--bind", "0.0.0.0", "--protected-mode", "no") as server:
        asked, node = server.redis(), Endpoint(two[0][1], server.port, two[0][1])

        def look() -> None:
            while not over.wait(0.03):
                seen.update(each["addr"].rpartition(":")[0] for each in asked.client_list())

        placed.check(plan, (node,), "")
        bench = Bench(given=(node,), faults=plan.faults, groups=2, beside_nodes=True)
        watcher = Thread(target=look)
        watcher.start()
        try:
            ended = Trial(plan, bench, lambda event: None, Stop()).ended()
        finally:
            over.set()
            watcher.join()
    assert ended.reasons == ()
    [report] = ended.faults
    assert report.fired, report
    counts = ended.phases["baseline"].of()
    assert counts.ok > 0
    assert (counts.failed, counts.wrong, ended.wrong) == (0, 0, ())
    # The proxy is on the host: group 2 comes to the server from there.
    assert two[0][2] in seen
    assert two[0][1] in seen
    assert two[1][2] not in seen
