"""A Redis Cluster that loadgen starts: formed, under load while faults come over its nodes, and gone at the end.

A real cluster takes some 3 s to be ready, and a fail-over 2 s more: one run has them all.
"""

from __future__ import annotations

import json

import psutil
import pytest
import tomli
from in_process import invoked
from places import CONFIGS
from records import check_record
from runs import sets

from loadgen.faults.kinds import needs_of
from loadgen.faults.needs import missing

FILE = CONFIGS / "fault-cluster.toml"
BRIEFLY = (
    "general.warmup=0s",
    "general.duration=2400ms",
    "workload.rate_limit=1500",
    "workload.keyspace.count=2000",
    "connection.connections=12",
    "connection.request_timeout=30s",
    "verdict.lag=30s",
    "verdict.shortfall=1",
    'admin.format="json"',
)


def started() -> set[int]:
    """The redis-servers of clusters on this machine that this process has started."""
    keepers = psutil.Process().children(recursive=True)
    return {each.pid for each in keepers if each.name() == "redis-server"}


def test_a_master_is_killed_under_load_and_its_replica_takes_over() -> None:
    kill = {"kind": "kill", "on": "master 1", "at": "600ms", "for": "1600ms"}
    cut_off = {"kind": "black_hole", "on": "replica 2", "at": "600ms", "for": "1s"}
    faults = [kill] if missing(needs_of(["black_hole"])) else [kill, cut_off]
    given = f"fault=[{', '.join(map(_table, faults))}]"
    done = invoked(str(FILE), *sets(*BRIEFLY, f"target.server.command={json.dumps(quicker())}", given))
    assert done.status == 0, done.stderr
    assert not started()
    for record in done.records:
        check_record(record)
    result = next(record for record in done.records if record["type"] == "result")
    # The fault is named by the node's role, and has taken effect.
    [killed, *others] = result["faults"]
    assert killed["fault"]["roles"] == ["master 1"]
    assert (killed["effects"], killed["fired"]) == (1, True)
    assert [report["fault"]["roles"] for report in others] == [["replica 2"]] * len(others)
    assert all(report["fired"] and report["effects"] > 0 for report in others)
    # A replica has taken over, and the failures are the fault's. What fails on a replica is on nobody's lane.
    assert any("serves instead of" in words for change in result["changes"] for words in change["words"])
    [outage] = result["outages"]
    assert (outage["node"], outage["planned"], outage["refused"] > 0) == (1, True, True)
    first, *rest = result["nodes"]
    assert all(node["ok"] == node["requests"] for node in rest)
    assert result["unaccounted"] == 0
    assert sum(node["ok"] for node in result["nodes"]) > 0.95 * result["requests"]
    # What waited for the new master was sent to it: the lane has its third of the load.
    assert first["share"] == pytest.approx(1 / 3, abs=0.05)


def quicker() -> list[str]:
    """The file's command, of nodes that take a silent one for failed sooner."""
    command: list[str] = tomli.loads(FILE.read_text())["target"]["server"]["command"]
    command[command.index("--cluster-node-timeout") + 1] = "400"
    return command


def _table(fault: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in fault.items()) + "}"
