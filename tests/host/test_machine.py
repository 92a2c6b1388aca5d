"""The description of the machine, read from files as Linux writes them, and the files that are kept for the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadgen.host import machine
from loadgen.host.machine import CpuTimes

STAT = "cpu  100 0 50 800 10 0 5 {steal} 70 0\ncpu0 100 0 50 800 10 0 5 {steal} 70 0\nintr 12\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def test_guest_time_is_not_counted_twice(proc: Path) -> None:
    (proc / "stat").write_text(STAT.format(steal=35))
    assert machine.cpu_times(proc) == CpuTimes(ticks=1000, stolen=35)


@pytest.mark.parametrize(
    "text", ["", "cpu\n", "cpu 1 2 3\n", "cpu0 1 2 3 4 5 6 7 8\n", "cpu 1 2 3 4 5 6 7 x\n", "cpu 1 2 3 4 5 6 7 -8\n"]
)
def test_what_is_no_account_of_cpu_time_is_none(proc: Path, text: str) -> None:
    (proc / "stat").write_text(text)
    assert machine.cpu_times(proc) is None


def test_the_difference_of_two_readings_has_the_steal_in_between() -> None:
    assert (CpuTimes(1200, 45) - CpuTimes(1000, 35)).steal_share == 0.05


def test_no_time_at_all_has_no_steal_share() -> None:
    assert CpuTimes(0, 0).steal_share is None


def test_steal_that_the_kernel_takes_back_is_none_at_all() -> None:
    assert CpuTimes(100, -1).steal_share == 0.0


def test_a_watch_tells_the_steal_since_it_began(proc: Path) -> None:
    (proc / "stat").write_text(STAT.format(steal=35))
    watch = machine.HostWatch(proc)
    (proc / "stat").write_text(STAT.format(steal=135))
    assert watch.signs().steal_share == 1.0


def test_a_machine_that_keeps_no_account_has_no_signs(proc: Path) -> None:
    assert machine.HostWatch(proc / "absent").signs().steal_share is None
    assert machine.clock_source(proc / "absent") == ""


def test_the_clock_source_is_one_word(proc: Path) -> None:
    (proc / "current_clocksource").write_text("tsc\n")
    assert machine.clock_source(proc / "current_clocksource") == "tsc"


def test_a_fingerprint_names_host_cpus_and_kernel(proc: Path) -> None:
    (proc / "cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD: EPYC\n\nprocessor\t: 1\nmodel name\t: other\n")
    system = os.uname()
    whole = f"{system.nodename}: {os.cpu_count()} × AMD: EPYC, {system.sysname} {system.release}"
    assert machine.fingerprint(proc) == whole


def test_a_cpu_without_a_model_goes_by_its_machine(proc: Path) -> None:
    (proc / "cpuinfo").write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    assert f"× {os.uname().machine}, " in machine.fingerprint(proc)
    assert machine.fingerprint(proc / "absent") == machine.fingerprint(proc)


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/me"}, Path("/state/loadgen")),
        ({"XDG_STATE_HOME": "", "HOME": "/home/me"}, Path("/home/me/.local/state/loadgen")),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/me"}, Path("/home/me/.local/state/loadgen")),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
def test_state_lies_where_the_specification_has_it(environment: dict[str, str], directory: Path | None) -> None:
    assert machine.state_directory(environment) == directory


def test_what_is_stored_is_found_again_and_nothing_beside_it(home: dict[str, str]) -> None:
    assert machine.store("selftest.json", "one", home)
    assert machine.store("selftest.json", "zwölf", home)
    assert machine.stored("selftest.json", home) == "zwölf"
    directory = machine.state_directory(home)
    assert directory is not None
    assert [path.name for path in directory.iterdir()] == ["selftest.json"]


def test_nothing_stored_is_empty(home: dict[str, str]) -> None:
    assert machine.stored("selftest.json", home) == ""
    assert machine.stored("selftest.json", {}) == ""


def test_a_home_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file where a folder should be")
    assert not machine.store("selftest.json", "text", {"HOME": str(tmp_path)})
    assert not machine.store("selftest.json", "text", {})


def test_what_cannot_take_its_name_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "loadgen" / "selftest.json").mkdir(parents=True)
    assert not machine.store("selftest.json", "text", {"XDG_STATE_HOME": str(tmp_path)})
    assert [path.name for path in (tmp_path / "loadgen").iterdir()] == ["selftest.json"]


@pytest.mark.parametrize(
    ("path", "text", "virtual"),
    [
        ("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu tsc hypervisor lm\n", True),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: hypervisor\nflags\t\t: fpu tsc lm\n", False),
        ("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\n", False),
        ("sys/hypervisor/type", "xen\n", True),
        ("proc/device-tree/hypervisor", "", True),
        ("elsewhere", "", False),
    ],
)
def test_a_virtual_machine_is_told_by_what_its_kernel_says(tmp_path: Path, path: str, text: str, virtual: bool) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    assert machine.is_virtual(tmp_path) is virtual
