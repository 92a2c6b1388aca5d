"""The time that the threads of this process waited for a CPU."""

import os
import subprocess
import sys
import threading
import time

import pytest

from loadgen.host import waits
from loadgen.host.waits import Waits

SPIN = "import time; end = time.monotonic() + 30\nwhile time.monotonic() < end: pass"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's account is Linux's")


@pytest.mark.parametrize("main", [True, False], ids=["main thread", "another thread"])
def test_a_thread_that_shares_a_cpu_with_another_process_waits(main: bool) -> None:
    cpu = min(os.sched_getaffinity(0))
    waited: list[int] = []

    def work() -> None:
        allowed = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {cpu})
            found, end_s = Waits(), time.monotonic() + 20
            while sum(waited) < 50_000_000 and time.monotonic() < end_s:
                busy_s = time.monotonic() + 0.05
                while time.monotonic() < busy_s:
                    pass
                waited.append(found.longest_ns() or 0)
        finally:
            os.sched_setaffinity(0, allowed)

    other = subprocess.Popen(["taskset", "-c", str(cpu), sys.executable, "-c", SPIN])
    try:
        if main:
            work()
        else:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    finally:
        other.kill()
        other.wait()
    assert sum(waited) >= 50_000_000


def test_waits_count_from_the_last_reading_and_the_longest_thread_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([{"1": 100, "2": 900}, {"1": 150, "2": 920, "3": 40}, {"1": 150, "3": 45}, {}])
    monkeypatch.setattr(waits, "_waited_ns", lambda: next(readings))
    found = Waits()
    assert [found.longest_ns(), found.longest_ns(), found.longest_ns()] == [50, 5, None]
