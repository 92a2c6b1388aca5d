"""The time that a process waited for a CPU."""

import os
import subprocess
import sys
import time

import pytest

from loadgen.host.waits import waited_ns


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's account is Linux's")
def test_a_process_that_shares_a_cpu_with_another_waits() -> None:
    before_ns = waited_ns(os.getpid())
    assert before_ns is not None
    cpu = min(os.sched_getaffinity(0))
    spin = "import time; end = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
    allowed = os.sched_getaffinity(0)
    other = subprocess.Popen(["taskset", "-c", str(cpu), sys.executable, "-c", spin])
    try:
        os.sched_setaffinity(0, {cpu})
        end_s = time.monotonic() + 20
        while (waited_ns(os.getpid()) or 0) - before_ns < 50_000_000:
            assert time.monotonic() < end_s
    finally:
        os.sched_setaffinity(0, allowed)
        other.kill()
        other.wait()


def test_a_process_that_is_not_there_has_no_account() -> None:
    assert waited_ns(2**22 + 1) is None
