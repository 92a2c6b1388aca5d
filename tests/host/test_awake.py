"""CPUs that are kept from sleeping: the processes that do it, how long they run, and their cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from command import wait_until

from loadgen.host import awake, cgroup

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="the policy is Linux's")


@pytest.fixture(autouse=True)
def no_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "quota", lambda groups: None)


@pytest.fixture
def cpu() -> Iterator[int]:
    """One of ours, which this test is on."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield max(before)
    os.sched_setaffinity(0, before)


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_a_process_of_the_idle_policy_is_on_each_cpu_and_ends_with_the_time_that_is_measured(cpu: int) -> None:
    before = children()
    with awake.kept([cpu]) as kept:
        assert kept == [cpu]
        [process] = [child for child in children() if child not in before]
        assert process.cpu_affinity() == [cpu]
        assert os.sched_getscheduler(process.pid) == os.SCHED_IDLE
    assert not process.is_running()
    assert children() == before


def test_its_cpu_does_not_sleep_and_is_there_for_whoever_wants_it(cpu: int) -> None:
    before = children()
    with awake.kept([cpu]):
        [process] = [child for child in children() if child not in before]

        def used() -> float:
            return sum(process.cpu_times()[:2])

        began = used()
        # It runs whenever nobody else does, however many do that here.
        wait_until(lambda: used() > began + 0.02)
        began, own, until = used(), time.process_time(), time.process_time() + 0.5
        while time.process_time() < until:
            pass
        # By their weights it has 0.3 % of the CPU.
        assert used() - began < 0.1 * (time.process_time() - own)


def test_it_ends_with_its_parent_however_that_ends() -> None:
    script = (
        "import os, psutil, signal; from loadgen.host import awake, cgroup; cgroup.quota = lambda groups: None\n"
        "with awake.kept([max(os.sched_getaffinity(0))]):\n"
        "    print(*[child.pid for child in psutil.Process().children()], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=False, text=True)
    assert done.returncode == -signal.SIGKILL
    [pid] = map(int, done.stdout.split())
    wait_until(lambda: not psutil.pid_exists(pid))


def test_a_quota_is_not_used_up_by_doing_nothing(monkeypatch: pytest.MonkeyPatch, cpu: int) -> None:
    monkeypatch.setattr(cgroup, "quota", lambda groups: 1.5)
    before = children()
    with awake.kept([cpu]) as kept:
        assert kept == []
        assert children() == before


def test_where_the_policy_is_refused_no_process_spins_without_it(monkeypatch: pytest.MonkeyPatch, cpu: int) -> None:
    def refused(*arguments: object) -> None:
        raise PermissionError

    spun: list[int] = []
    monkeypatch.setattr(os, "sched_setscheduler", refused)
    monkeypatch.setattr(awake, "stay", spun.append)
    with pytest.raises(PermissionError):
        awake.main(cpu, os.getpid())
    assert not spun


def test_a_process_that_ends_at_once_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, cpu: int) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with awake.kept([cpu]) as kept:
        assert kept == []


def test_one_that_cannot_be_started_is_done_without(monkeypatch: pytest.MonkeyPatch, cpu: int) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/program")
    before = children()
    with awake.kept([cpu]) as kept:
        assert kept == []
        assert children() == before
