"""A Redis Cluster that loadgen starts: formed, under load while faults come over its nodes, and gone at the end.

A real cluster takes some 3 s to be ready, and a fail-over 2 s more: one run has them all.
"""

from __future__ import annotations

import shutil
import subprocess
from threading import Timer

import psutil
import tomli
from places import CONFIGS

from loadgen import config
from loadgen.events import Event, Result, TopologyChanged
from loadgen.faults.bench import bench_of
from loadgen.faults.kinds import needs_of
from loadgen.faults.needs import missing
from loadgen.runner.discovery import on_bench
from loadgen.runner.run import Run
from loadgen.runner.stop import Stop

FILE = CONFIGS / "fault-cluster.toml"
KILL = {"kind": "kill", "on": "master 2", "at": "600ms"}
CUT_OFF = {"kind": "black_hole", "on": "replica 1", "at": "600ms", "for": "300ms"}
AFTER_S = 0.3
"""The time for which the load goes on when the replica has taken over."""


def forwards() -> bool:
    """False where the host's filter drops what is forwarded, as that of Docker does."""
    iptables = shutil.which("iptables", path="/usr/sbin:/sbin")
    told = subprocess.run([iptables, "-S", "FORWARD"], capture_output=True, text=True) if iptables else None
    return told is None or "-P FORWARD DROP" not in told.stdout


def quicker() -> list[str]:
    """The file's command, of nodes that take a silent one for failed sooner."""
    command: list[str] = tomli.loads(FILE.read_text())["target"]["server"]["command"]
    command[command.index("--cluster-node-timeout") + 1] = "400"
    return command


def ran(*faults: dict[str, str]) -> Result:
    """The file's load under these faults, until another node serves, and for a moment more."""
    briefly = {
        "general.warmup": "0s",
        "workload.rate_limit": 1500,
        "workload.keyspace.count": 2000,
        "connection.connections": 12,
        "connection.request_timeout": "30s",
        "target.read_from": "all",
        "target.server.command": quicker(),
        "fault": [*faults],
    }
    settings = config.load(FILE, (), briefly)
    plan, server, stop = config.resolve(settings), config.server_plan(settings, FILE.stem), Stop()
    planned = config.faults(settings.fault, plan.seed, config.cluster_plan(settings))

    def heard(event: Event) -> None:
        if isinstance(event, TopologyChanged) and any("serves instead of" in words for words in event.words):
            Timer(AFTER_S, stop.set).start()

    with bench_of(plan.target, server, planned).up(lambda progress: None) as up:
        on = on_bench(plan, up)
        return Run(
            on, heard, judging=config.judging(settings), server=up.server, operator=up.operator, stop=stop
        ).result()


def test_a_master_is_killed_under_load_and_its_replica_takes_over() -> None:
    in_networks = not missing(needs_of(["black_hole"])) and forwards()
    result = ran(KILL, CUT_OFF) if in_networks else ran(KILL)
    assert not [each for each in psutil.Process().children(recursive=True) if each.name() == "redis-server"]
    # The faults are named by their nodes' roles, and have taken effect.
    killed, *others = result.faults
    assert [str(report.fault) for report in result.faults] == [
        "kill (process) on master 2",
        *["black_hole (net) on replica 1" for _ in others],
    ]
    assert killed.effects == 1
    assert all(report.fired for report in result.faults)
    # Each master's lane is before that of its replica: the faults are on the third lane and on the second.
    outages = {outage.node: outage for outage in result.outages}
    assert outages.keys() == ({2, 3} if others else {3})
    assert all(outage.is_planned for outage in outages.values())
    assert outages[3].refused > 0
    # What waited for the new master was sent to it; the other shards lost nothing.
    nodes = [*result.measured.nodes.values()]
    assert all(node.ok and not node.failed for place, node in enumerate(nodes, 1) if place not in outages)
    assert nodes[2].ok > 9 * nodes[2].failed
    assert result.unaccounted == 0
