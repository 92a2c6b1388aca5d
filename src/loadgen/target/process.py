"""The resource use of a process and its descendants, as the operating system counts it.

This file signals and starts no process. On Linux the CPU time is exact to the nanosecond: clock_gettime(2) reads the
CPU clock of a whole process, ended threads included. Ended children are known from their parents, in ticks of 10 ms.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from loadgen.units import NS_PER_S
from loadgen.usage import Usage

_ON_LINUX = sys.platform == "linux"

# The clock of a process's CPU time: its number's complement, and CPUCLOCK_SCHED (include/linux/posix-timers.h).
_CPUCLOCK_SCHED = 2


class ProcessTree:
    """A process and its descendants at the time of each call.

    `root` must be a child of this process that has not been waited for, or its id could be another process's. Without
    `counts_root`, only the descendants are counted: the root is a keeper, which does nothing else.
    """

    def __init__(self, root: int, *, counts_root: bool = True) -> None:
        self._root = root
        self._counts_root = counts_root
        self._most_cpu_ns = 0

    def usage(self) -> Usage | None:
        """Return the use until now; None when no process is left, or the system does not say.

        Memory that processes share is counted for each of them.
        """
        at_ns, living, rss_bytes, threads, fds = time.monotonic_ns(), 0, 0, 0, 0
        # A child that ends during this call is missing in one reading. In the reverse order it would be counted twice.
        cpu_ns = 0 if self._counts_root else _of_ended_children(self._root)
        for pid in self.pids():
            with contextlib.suppress(psutil.Error, OSError):
                process = psutil.Process(pid)
                with process.oneshot():
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    cpu_ns += _cpu_ns(process)
                    rss_bytes += process.memory_info().rss
                    threads += process.num_threads()
                living += 1
                fds += _fds(process)
        if not living:
            return None
        # Ticks are rounded down: a child's time may seem to shrink by a tick when the child ends.
        self._most_cpu_ns = max(self._most_cpu_ns, cpu_ns)
        return Usage(at_ns, self._most_cpu_ns, rss_bytes, threads, fds)

    def pids(self) -> list[int]:
        """Return the processes that are counted, parents before their children."""
        return [*([self._root] if self._counts_root else []), *_descendants(self._root)]


def _cpu_ns(process: psutil.Process) -> int:
    times = process.cpu_times()
    ended_s = times.children_user + times.children_system
    if _ON_LINUX:
        return int(ended_s * NS_PER_S) + time.clock_gettime_ns((~process.pid << 3) | _CPUCLOCK_SCHED)
    return int((ended_s + times.user + times.system) * NS_PER_S)


def _of_ended_children(pid: int) -> int:
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return int((times.children_user + times.children_system) * NS_PER_S)
    return 0


def _fds(process: psutil.Process) -> int:
    """Return the number of open files; 0 where the system does not say, as for another user's process."""
    with contextlib.suppress(psutil.Error, OSError):
        # Since 6.2, Linux reports the number without listing thousands of files.
        return (_ON_LINUX and Path(f"/proc/{process.pid}/fd").stat().st_size) or int(process.num_fds())
    return 0


def _descendants(pid: int) -> list[int]:
    if not Path("/proc/thread-self/children").exists():
        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        return []
    found, unasked = list[int](), [pid]
    while unasked:
        children = list(_children(unasked.pop()))
        found += children
        unasked += children
    return found


def _children(pid: int) -> Iterator[int]:
    """Yield the children by proc_tid_children(5). psutil reads every process of the host, a hundred times as slow."""
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                yield from map(int, (thread / "children").read_bytes().split())
