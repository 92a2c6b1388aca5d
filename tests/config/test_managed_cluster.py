"""[target.server.cluster]: the nodes that it comes to, faults that name them by their roles, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_problems import found, problem

from loadgen.config import cluster_plan, dump, faults, load, server_plan
from loadgen.server_plan import ClusterPlan

COMMAND = 'command = ["redis-server", "--port", "{port}"]\n'
SERVER = f"[target.server]\n{COMMAND}[target.server.cluster]\n"
CLUSTER = f"[target]\ncluster = true\n{SERVER}"


def read(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text(text)
    return path


def test_a_cluster_has_three_masters_with_a_replica_each_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert cluster_plan(load(read(tmp_path, CLUSTER))) == ClusterPlan(3, 1)
    plan = cluster_plan(load(read(tmp_path, f"{CLUSTER}masters = 1\nreplicas_per_master = 2\n")))
    assert plan is not None
    assert plan.roles == ("master 1", "replica 1", "replica 2")


def test_each_node_has_its_own_name_port_and_log(tmp_path: Path) -> None:
    text = CLUSTER.replace(COMMAND, f'{COMMAND}port = 7000\nlog = "/tmp/nodes.log"\n')
    plan = server_plan(load(read(tmp_path, text)), "bench")
    assert plan is not None
    nodes = plan.nodes
    assert [node.name for node in nodes[2:4]] == ["bench, master 3", "bench, replica 1"]
    assert [node.port for node in nodes] == [*range(7000, 7006)]
    assert nodes[3].log == "/tmp/nodes-replica-1.log"
    assert {node.cluster for node in nodes} == {None}
    free = server_plan(load(read(tmp_path, CLUSTER)), "bench")
    assert free is not None
    assert {node.port for node in free.nodes} == {0}


def test_faults_name_nodes_by_their_roles_or_numbers(tmp_path: Path) -> None:
    settings = load(read(tmp_path, f'{CLUSTER}[[fault]]\nkind = "kill"\non = ["replica 1", 2]\n'))
    [fault] = faults(settings.fault, 1, cluster_plan(settings))
    assert fault.on == (4, 2)
    assert str(fault) == "kill (process) on replica 1, master 2"
    assert [fault.place(node) for node in (4, 2)] == ["replica 1", "master 2"]
    again = load(read(tmp_path, dump(settings)))
    assert again.fault == settings.fault


def test_every_node_of_a_cluster_is_every_node(tmp_path: Path) -> None:
    settings = load(read(tmp_path, f'{CLUSTER}[[fault]]\nkind = "kill"\n'))
    [fault] = faults(settings.fault, 1, cluster_plan(settings))
    assert (fault.on, str(fault)) == ((), "kill (process) on every node")


@pytest.mark.parametrize(
    ("on", "sentence"),
    [
        (
            '"master 4"',
            'there is no "master 4": the nodes are "master 1" to "master 3" and "replica 1" to "replica 3", with the '
            "numbers 1 to 6; name one of them",
        ),
        (
            "7",
            'there is no node 7: the nodes are "master 1" to "master 3" and "replica 1" to "replica 3", with the '
            "numbers 1 to 6; name one of them",
        ),
        ('["master 1", 1]', "names a node twice, by its role and its number; name it once"),
    ],
)
def test_a_fault_on_a_node_that_is_not_there_is_one_sentence(tmp_path: Path, on: str, sentence: str) -> None:
    text = f'{CLUSTER}[[fault]]\nkind = "kill"\non = {on}\n'
    assert problem(tmp_path, text) == f"bench.toml:8:1: fault[0].on: {sentence}"


def test_roles_are_for_clusters_that_loadgen_starts(tmp_path: Path) -> None:
    text = '[target]\nendpoints = ["127.0.0.1:1"]\ncluster = true\n[[fault]]\nkind = "down"\non = "master 1"\n'
    assert problem(tmp_path, text) == (
        'bench.toml:6:1: fault[0].on: "master 1" is a node of a cluster that loadgen starts, and there is none; '
        "describe it in [target.server.cluster], or write the number of a node"
    )


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"[target]\n{SERVER}", [("4:16: target.server.cluster", "missing")]),
        (CLUSTER.replace("{port}", "{socket}"), [("4:1: target.server.command", "no-port")]),
        (CLUSTER.replace("{port}", "7000"), [("4:1: target.server.command", "no-port")]),
        (CLUSTER.replace(COMMAND, f"{COMMAND}port = 55531\n"), [("5:1: target.server.port", "too-large")]),
        (f"{CLUSTER}masters = 0\n", [("6:1: target.server.cluster.masters", "too-small")]),
        (f"{CLUSTER}replicas = 1\n", [("6:1: target.server.cluster.replicas", "unknown")]),
    ],
)
def test_a_cluster_that_cannot_be_is_a_problem_at_its_place(
    tmp_path: Path, text: str, problems: list[tuple[str, str]]
) -> None:
    assert problems[0] in found(tmp_path, text)
