"""CPUs that do not sleep while something is timed on them.

A CPU with nothing to do sleeps, and what wakes it has to wait until it does: for microseconds on metal, and for
milliseconds where a hypervisor runs others meanwhile. A request then takes longer the less there is to do, and the
generator sends late without being busy. A process of the policy SCHED_IDLE (sched(7)) keeps its CPU awake, and gives
way to whatever else wants to run. Standard library only.
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
    """Whether this system knows the policy, and no quota of CPU is used up by those that do nothing."""
    return hasattr(os, "SCHED_IDLE") and cgroup.quota(cgroup.groups()) is None


@contextlib.contextmanager
def kept(cpus: Iterable[int]) -> Iterator[list[int]]:
    """These CPUs do not sleep: those that it gives, as some may not be kept from it."""
    with contextlib.ExitStack() as stack:
        with held_back():
            started = {}
            for cpu in cpus if can_be_kept() else ():
                with contextlib.suppress(OSError):
                    started[cpu] = stack.enter_context(_process(cpu))
        # Each says a byte when it has its policy, and ends without one where it may not have it.
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
    """Keeps a CPU awake for as long as the parent lives."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    sys.stdout.write(".")
    sys.stdout.flush()
    stay(parent)
