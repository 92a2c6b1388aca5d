"""CPUs that do not sleep while something is timed on them.

An idle CPU sleeps, and waking the CPU takes microseconds on metal, and milliseconds where a hypervisor runs other
guests meanwhile. So a request takes longer at a lower load, and the generator sends late without being busy. A process
with the policy SCHED_IDLE (sched(7)) keeps its CPU awake, and yields to every other process. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator

from loadgen.host import cgroup
from loadgen.host._awake import stay
from loadgen.host.stop_signals import held_back


def can_be_kept() -> bool:
    """True when this system has SCHED_IDLE, and no CPU quota that the idle processes would use up."""
    return hasattr(os, "SCHED_IDLE") and cgroup.quota(cgroup.groups()) is None


@contextlib.contextmanager
def kept(cpus: Iterable[int]) -> Iterator[list[int]]:
    """Keep these CPUs awake until the context ends; yield the CPUs for which that is permitted."""
    with contextlib.ExitStack() as stack:
        with held_back():
            started = {}
            for cpu in cpus if can_be_kept() else ():
                with contextlib.suppress(OSError):
                    started[cpu] = stack.enter_context(_process(cpu))
        # Each process writes a byte once SCHED_IDLE is set, and ends without writing where that is not permitted.
        yield [cpu for cpu, process in started.items() if process.stdout is not None and process.stdout.read(1)]


@contextlib.contextmanager
def _process(cpu: int) -> Iterator[subprocess.Popen[bytes]]:
    words = f"from loadgen.host.awake import main; main({cpu}, {os.getpid()})"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def main(cpu: int, parent: int) -> None:
    """Keep a CPU awake until the parent process ends."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    sys.stdout.write(".")
    sys.stdout.flush()
    stay(parent)
