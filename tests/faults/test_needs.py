"""The probes for what faults need: each names what is missing and the remedy, and leaves nothing behind."""

from __future__ import annotations

import pytest
from nobody import as_nobody, python_of_nobody

from loadgen.faults import needs
from loadgen.faults.kinds import Need, needs_of
from loadgen.faults.surroundings import surroundings_for
from loadgen.surroundings import SHARED, Surroundings


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch):
    needs._lack.cache_clear()
    yield
    needs._lack.cache_clear()


@pytest.mark.parametrize(
    ("tool", "need", "package"),
    [
        ("ip", Need.NETNS, "iproute2"),
        ("nft", Need.NFT, "nftables"),
        ("iptables", Need.NFQUEUE, "iptables"),
        ("tc", Need.TBF, "iproute2"),
    ],
)
def test_a_tool_that_is_not_installed_is_named_with_its_package(monkeypatch, tmp_path, tool, need, package):
    for other in ("ip", "nft", "iptables", "tc", "nsenter"):
        if other != tool:
            (tmp_path / other).write_text("#!/bin/sh\n")
            (tmp_path / other).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("loadgen.target.apart._ADMIN_PATH", str(tmp_path))
    [lack] = needs.missing([need])
    assert str(lack) == f"{need}: the command {tool} is not installed: apt-get install {package}"


def test_without_a_compiler_the_library_is_missing(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    assert [str(lack) for lack in needs.missing([Need.PRELOAD])] == [
        "preload: there is no C compiler: apt-get install gcc libc6-dev, or set CC"
    ]


def test_what_is_missing_comes_in_the_order_of_needs_and_is_probed_once(monkeypatch):
    asked = []
    probes = {need: lambda need=need: asked.append(need) or "gone" for need in Need}
    monkeypatch.setattr(needs, "_PROBES", probes)
    both = (Need.TBF, Need.ROOT)
    assert [lack.need for lack in needs.missing(both)] == [Need.ROOT, Need.TBF]
    assert needs.missing(both) == needs.missing(reversed(both))
    assert asked == [Need.ROOT, Need.TBF]


AS_NOBODY = """
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import Need, needs_of
from loadgen.faults.needs import missing
from loadgen.faults.process import ProcessFaults
from loadgen.faults.surroundings import surroundings_for
from loadgen.server_plan import ServerPlan, loopback
from loadgen.target.server import ManagedServer
for lack in missing(needs_of(["loss", "delay", "throttle", "cpu_quota"])):
    print(lack)
assert surroundings_for(["kill", "pause", "fd_limit"]) == surroundings_for([])
command = ("memcached", "-l", "{host}", "-p", "{port}", "-U", "0", "-t", "1")
with ManagedServer(ServerPlan("memcached", command, loopback("memcache"))) as server:
    faults = ProcessFaults([server])
    for kind in ("kill", "pause", "fd_limit"):
        fault = Fault(kind, Layer.PROCESS, parameters={"spare": 0})
        faults.begin(fault, 1)
        faults.end(fault, 1)
        print(kind, faults.effects(fault, 1), server.has_ended())
"""


def test_without_root_net_faults_are_missing_and_process_faults_work():
    ran = as_nobody(python_of_nobody(), "-c", AS_NOBODY)
    assert ran.stdout.splitlines() == [
        "root: loadgen does not run as root: run it by sudo",
        "netns: namespaces are made by root: run loadgen by sudo",
        "nft: namespaces are made by root: run loadgen by sudo",
        "nfqueue: namespaces are made by root: run loadgen by sudo",
        "tbf: namespaces are made by root: run loadgen by sudo",
        "cgroup: control groups are made by root: run loadgen by sudo",
        "kill 1 False",
        "pause 1 False",
        "fd_limit 0 False",
    ], ran.stderr


def test_surroundings_are_those_that_the_kinds_need(monkeypatch):
    monkeypatch.setattr("loadgen.faults.disk.library.built", lambda: "/cache/disk.so")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert surroundings_for(["kill", "pause"]) == SHARED
    assert surroundings_for(["loss", "oom"]) == Surroundings(netns=True, cgroup=True, user="nobody")
    assert surroundings_for(["power_cut"]) == Surroundings(preload="/cache/disk.so", user="nobody")
    assert surroundings_for(["disk_full"]).tmpfs_bytes == 64 << 20
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert surroundings_for(["power_cut"]) == Surroundings(preload="/cache/disk.so")


@pytest.mark.parametrize("kind", ["loss", "delay", "throttle", "link_down"])
def test_every_fault_of_packets_needs_a_network_namespace(kind):
    assert {Need.ROOT, Need.NETNS} <= set(needs_of([kind]))
