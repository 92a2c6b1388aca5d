"""Processes that are pinned to a CPU and run to their end, and the cost of each.

This file does not know the programs. A process that is started here is ended here, by its own id.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The time between two readings of a running process's peak memory, which cannot be read after its end.
LOOK_EVERY_S = 0.05

# The longest that a program may run when its memory is read.
PATIENCE_S = 180.0


class BenchmarkError(Exception):
    """Something that ends the benchmark, as a sentence for whoever started it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What is known of a process that ended well."""

    stdout: str
    wall_s: float
    cpu_s: float
    """User and system time of it and of every process that it waited for, from start to end."""
    peak_rss_bytes: int
    """Of it and its children: the sum of each one's peak."""
    child_rss_bytes: int
    """The peak of its largest child; 0 when it had none, or on a system without /proc."""


@contextlib.contextmanager
def pinned(cpu: int | None, soft_files: int | None = None) -> Iterator[None]:
    """What is started meanwhile runs on `cpu`, with a soft limit of `soft_files` open files (None: all allowed)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    own_cpus = os.sched_getaffinity(0) if cpu is not None else set()
    # macOS refuses a soft limit of "no limit".
    most = 65536 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft_files or most, most), hard))
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        if cpu is not None:
            os.sched_setaffinity(0, own_cpus)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def run(
    command: Sequence[str],
    cpu: int | None,
    environment: Mapping[str, str] | None = None,
    soft_files: int | None = None,
    look: bool = True,
) -> Ended:
    """Runs a program to its end. Raises BenchmarkError when it fails. Without `look`, no memory is read."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        with pinned(cpu, soft_files):
            began = time.perf_counter()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **(environment or {})},
            )
        try:
            peaks = watch(process.pid, began) if look else {}
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        stdout.seek(0)
        stderr.seek(0)
        said = stdout.read().decode(errors="replace")
        if process.returncode:
            why = stderr.read().decode(errors="replace").strip() or said[-500:]
            line = " ".join([*(f"{name}={value}" for name, value in (environment or {}).items()), *command])
            raise BenchmarkError(f"`{line}` ended with {process.returncode}: {why}")
    if not peaks:
        # On Linux, a program inherits the peak of the process that started it, so this is only for systems without
        # /proc.
        peaks = {process.pid: usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)}
    children = [peak for pid, peak in peaks.items() if pid != process.pid]
    return Ended(said, wall_s, usage.ru_utime + usage.ru_stime, sum(peaks.values()), max(children, default=0))


def watch(pid: int, began: float) -> dict[int, int]:
    """Waits until a process has ended, without taking its status; returns the peak memory of it and of its children."""
    peaks: dict[int, int] = {}
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        for one in (pid, *children_of(pid)):
            # Zero means that the process has just been started or has ended.
            peaks[one] = max(peaks.get(one, 0), peak_rss_bytes(one))
        if time.perf_counter() - began > PATIENCE_S:
            raise BenchmarkError(f"process {pid} did not end within {PATIENCE_S:.0f} s")
        time.sleep(LOOK_EVERY_S)
    return {one: peak for one, peak in peaks.items() if peak}


def peak_rss_bytes(pid: int) -> int:
    """The most memory that a process has had resident since it became what it is; 0 where that is not known."""
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/status").open(errors="replace") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
