"""Nothing outlives loadgen: servers, namespaces, packet filters, mounts, control groups and folders."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from kernel_faults import fault, server_for
from places import ROOT

from loadgen.faults.cleanup import cleanup
from loadgen.faults.interpreter import FaultError
from loadgen.faults.net import NetFaults
from loadgen.target import apart, keeper

KINDS = ("loss", "delay", "throttle", "cpu_quota", "disk_full")
WITHIN_S = 5.0

PARENT = f"""
import json, os, sys, time
sys.path.insert(0, {str(ROOT / "tests" / "support")!r})
from kernel_faults import fault, server_for
from loadgen.faults.disk import DiskFaults
from loadgen.faults.net import NetFaults
from loadgen.faults.process import ProcessFaults
with server_for({KINDS!r}) as server:
    net = NetFaults([server])
    for kind in {KINDS[:3]!r}:
        net.begin(fault(kind), 1)
    ProcessFaults([server]).begin(fault("cpu_quota"), 1)
    DiskFaults([server]).begin(fault("disk_full"), 1)
    children = [int(pid) for pid in open(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read().split()]
    print(json.dumps({{
        "keeper": server.keeper_pid,
        "processes": [server.pid, *children],
        "interface": server.outer_interface,
        "cgroups": list(map(str, server.cgroups)),
        "folder": str(server.notes.parent),
        "network": os.readlink(f"/proc/{{server.keeper_pid}}/ns/net"),
        "mounts": os.readlink(f"/proc/{{server.keeper_pid}}/ns/mnt"),
    }}), flush=True)
    time.sleep(300)
"""


@dataclass
class MidFault:
    """A loadgen with a server on which faults are, and all that there is of it."""

    loadgen: subprocess.Popen[str]
    keeper: int
    processes: list[int]
    interface: str
    cgroups: list[str]
    folder: str
    network: str
    mounts: str
    ready_at: float = field(default_factory=lambda: time.clock_gettime(time.CLOCK_BOOTTIME))

    def left(self) -> list[str]:
        """What there still is, less the control groups and the folder."""
        found = [f"process {pid}" for pid in {self.keeper, *self.processes} if is_alive(pid)]
        found += [self.interface] * Path("/sys/class/net", self.interface).exists()
        return found + [name for name in (self.network, self.mounts) if name in namespaces(self.ready_at)]

    def kept(self) -> list[str]:
        """Those of the control groups and the folder that there still are."""
        return [path for path in (*self.cgroups, self.folder) if Path(path).exists()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def namespaces(started_until: float) -> set[str]:
    """Every network and mount namespace that a process is in which started up to a time since boot.

    The kernel gives the number of a namespace that is gone to another, such as one of a test beside this.
    """
    found = set()
    for path in Path("/proc").glob("[0-9]*/ns/*"):
        if path.name in ("net", "mnt"):
            with contextlib.suppress(OSError):
                ticks = int((path.parent.parent / "stat").read_text().rpartition(")")[2].split()[19])
                if ticks / os.sysconf("SC_CLK_TCK") <= started_until:
                    found.add(str(path.readlink()))
    return found


def comes_true(condition: object, timeout_s: float = WITHIN_S) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """One of these tests at a time on this machine: a cleanup is for what any loadgen has left."""
    with Path("/tmp/loadgen-tests-of-leftovers.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def mid_fault() -> Iterator[MidFault]:
    # Skips where this machine does not allow the faults.
    server_for(KINDS)
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as loadgen:
        try:
            assert loadgen.stdout is not None
            running = MidFault(loadgen, **json.loads(loadgen.stdout.readline()))
            # The keeper, the server and what decides over packets; the interface; two namespaces.
            assert len(set(running.left())) == 6
            assert len(running.kept()) == len(running.cgroups) + 1
            yield running
        finally:
            loadgen.kill()


def test_nothing_is_left_when_loadgen_is_killed_in_the_middle_of_faults(mid_fault: MidFault):
    mid_fault.loadgen.kill()
    assert comes_true(lambda: mid_fault.left() + mid_fault.kept() == []), mid_fault.left() + mid_fault.kept()


def test_cleanup_removes_what_is_left_when_the_keeper_is_killed_too(mid_fault: MidFault):
    os.kill(mid_fault.keeper, 9)
    mid_fault.loadgen.kill()
    assert comes_true(lambda: mid_fault.left() == []), mid_fault.left()
    assert mid_fault.kept() != []
    said = cleanup()
    assert comes_true(lambda: mid_fault.kept() == []), mid_fault.kept()
    assert {f"the control group {group}" for group in mid_fault.cgroups} <= set(said)


def test_cleanup_leaves_what_belongs_to_a_living_keeper():
    with server_for(["black_hole", "cpu_quota"]) as server:
        said = cleanup()
        assert not any(str(server.keeper_pid) in words or str(server.pid) in words.split() for words in said)
        assert Path("/sys/class/net", server.outer_interface).exists()
        assert all(group.exists() for group in server.cgroups)
        assert not server.has_ended()


def test_cleanup_removes_an_interface_and_a_server_whose_keeper_is_gone():
    server_for(["black_hole"])
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    name = f"{apart.PREFIX}{gone.pid}"
    subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p"], check=True)
    environment = os.environ | {keeper.OWNER: str(gone.pid)}
    with subprocess.Popen(["sleep", "300"], env=environment) as orphan:
        try:
            said = cleanup()
            assert {f"the interface {name}", f"the process {orphan.pid}"} <= set(said)
            assert orphan.wait(20) == -9
            assert not Path("/sys/class/net", name).exists()
        finally:
            orphan.kill()


def test_a_keeper_that_is_killed_takes_the_server_and_what_decides_over_packets_along():
    with server_for(["delay", "cpu_quota"]) as server, NetFaults([server]) as faults:
        faults.begin(fault("delay"), 1)
        interface, groups, pid = server.outer_interface, server.cgroups, server.pid
        [deciding] = [each for each in psutil.Process().children() if "loadgen.faults.packets.main" in each.cmdline()]
        os.kill(server.keeper_pid, 9)
        assert comes_true(lambda: not is_alive(pid) and not is_alive(deciding.pid))
        assert comes_true(lambda: not Path("/sys/class/net", interface).exists())
        with pytest.raises(FaultError, match="could not be counted on node 1"):
            faults.effects(fault("delay"), 1)
    assert not any(group.exists() for group in groups)
