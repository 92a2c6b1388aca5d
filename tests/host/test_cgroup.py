"""CPU quotas and throttling as Linux's control groups write them, in both versions, with and without a container."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.host import cgroup
from loadgen.host.cgroup import Throttling


class Machine:
    """Files as a kernel shows them to a process."""

    def __init__(self, home: Path) -> None:
        self.proc, self.mount = home / "proc", home / "sys fs"
        self.proc.mkdir()
        self.mount.mkdir()

    def is_in(self, *lines: str) -> None:
        (self.proc / "cgroup").write_text("".join(f"{line}\n" for line in lines))

    def mounts(self, kind: str, options: str, root: str = "/", at: str = "") -> Path:
        where = self.mount / at
        where.mkdir(exist_ok=True)
        escaped = str(where).replace(" ", "\\040")
        with (self.proc / "mountinfo").open("a") as table:
            table.write(f"31 25 0:26 {root} {escaped} rw,nosuid shared:9 - {kind} {kind} {options}\n")
        return where

    def groups(self) -> tuple[Path, ...]:
        return cgroup.groups(self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def write(directory: Path, **files: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("cpu_", "cpu.", 1)).write_text(text)


def test_the_least_quota_of_a_group_and_all_above_it_holds(machine: Machine) -> None:
    machine.is_in("0::/pod/container")
    top = machine.mounts("cgroup2", "rw,nsdelegate")
    write(top / "pod", cpu_max="150000 100000\n", cpu_stat="usage_usec 5\nnr_throttled 2\nthrottled_usec 30\n")
    write(top / "pod/container", cpu_max="max 100000\n", cpu_stat="nr_periods 9\nnr_throttled 3\nthrottled_usec 70\n")
    assert machine.groups() == (top / "pod/container", top / "pod", top)
    assert cgroup.quota(machine.groups()) == 1.5
    assert cgroup.throttling(machine.groups()) == Throttling(5, 100_000)
    write(top / "pod/container", cpu_max="25000 100000\n")
    assert cgroup.quota(machine.groups()) == 0.25


def test_version_1_has_other_files_and_names_its_controller(machine: Machine) -> None:
    machine.is_in("4:memory:/elsewhere", "3:cpu,cpuacct:/a", "0::/b")
    cpu = machine.mounts("cgroup", "rw,cpu,cpuacct", at="cpu")
    machine.mounts("cgroup", "rw,cpuset", at="cpuset")
    write(cpu / "a", cpu_cfs_quota_us="50000\n", cpu_cfs_period_us="25000\n")
    write(cpu / "a", cpu_stat="nr_periods 9\nnr_throttled 4\nthrottled_time 1234\n")
    write(cpu, cpu_cfs_quota_us="-1\n", cpu_cfs_period_us="100000\n")
    assert machine.groups() == (cpu / "a", cpu)
    assert cgroup.quota(machine.groups()) == 2
    assert cgroup.throttling(machine.groups()) == Throttling(4, 1234)


@pytest.mark.parametrize("own", ["/docker/abc", "/", "/elsewhere", "/../outside"])
def test_a_container_sees_its_own_group_at_the_top(own: str, machine: Machine) -> None:
    machine.is_in(f"0::{own}")
    top = machine.mounts("cgroup2", "rw", root="/docker/abc" if own != "/" else "/")
    write(top, cpu_max="200000 100000\n")
    assert machine.groups() == (top,)
    assert cgroup.quota(machine.groups()) == 2


def test_without_control_groups_there_is_no_quota(machine: Machine) -> None:
    assert machine.groups() == ()
    machine.is_in("0::/a", "nonsense", "")
    machine.mounts("ext4", "rw")
    (machine.proc / "mountinfo").write_text("nonsense\n\n - \n")
    assert machine.groups() == ()
    assert cgroup.quota(()) is None
    assert cgroup.throttling(()) is None


@pytest.mark.parametrize("text", ["", "max\n", "max 100000\n", "0 100000\n", "100 0\n", "-1 100000\n", "x y\n"])
def test_what_is_no_quota_is_none(text: str, tmp_path: Path) -> None:
    write(tmp_path, cpu_max=text, cpu_stat="nr_throttled many\n")
    assert cgroup.quota((tmp_path,)) is None
    assert cgroup.throttling((tmp_path,)) is None


def test_the_difference_of_two_readings_is_what_was_throttled_in_between() -> None:
    assert Throttling(9, 500) - Throttling(4, 200) == Throttling(5, 300)
