"""The monitor of one process: its memory, descriptors, threads, CPU time and faults, by psutil and /proc.

What takes the kernel long to find out, such as PSS, is looked at less often the longer it takes (`thrift`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache

import psutil

from loadgen.judge.expression.dimension import COUNT, NUMBER, SIZE, TIME
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.cpu import CpuTime
from loadgen.monitors.descriptors import tabled
from loadgen.monitors.monitor import Found, UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.procfs import TICKS_PER_S, Proc, descendants, kinds_of
from loadgen.monitors.series import level, total
from loadgen.monitors.thrift import Thrift
from loadgen.monitors.whose import process_of
from loadgen.units import NS_PER_S

ON_LINUX = sys.platform == "linux"

# The clock of a process's CPU time: its number's complement, and CPUCLOCK_SCHED (include/linux/posix-timers.h).
_CPUCLOCK_SCHED = 2

_EVERYWHERE = {
    "rss": level(SIZE, "resident memory of the process"),
    "fds": level(COUNT, "open descriptors"),
    "threads": level(COUNT, "threads"),
    "cpu": level(NUMBER, "CPUs that the process kept busy since the reading before: 1 is one CPU"),
    "context_switches": total(COUNT, "context switches of the threads that run; of the first one, not on Linux"),
    "children": level(COUNT, "processes that the process has started, and those that they have started"),
    "children_rss": level(SIZE, "resident memory of the children together"),
    "uptime": level(TIME, "time since the start of the process"),
}

_BY_LINUX = {
    "pss": level(SIZE, "resident memory, in which a page that n processes share counts as an n-th"),
    "uss": level(SIZE, "resident memory that no other process shares"),
    "sockets": level(COUNT, "descriptors that are sockets"),
    "files": level(COUNT, "descriptors that are files, devices or folders"),
    "pipes": level(COUNT, "descriptors that are pipes"),
    "eventfds": level(COUNT, "descriptors that are eventfds"),
    "minor_faults": total(COUNT, "page faults without a disk's part: memory that was touched for the first time"),
}

SERIES: Mapping[str, Known] = {**_EVERYWHERE, **(_BY_LINUX if ON_LINUX else {})}


class ProcMonitor:
    """The monitor of kind `proc`."""

    kind = "proc"
    series = SERIES

    def __init__(self, plan: MonitorPlan, under: UnderLoad) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self.pid = process_of(plan, under)
        """Returns the number of the process. Raises Unreadable where there is none."""
        self._process = ProcessReader()

    def read(self) -> Found:
        return self._process.read(self.pid())

    def evidence(self) -> Mapping[str, str]:
        """Return the descriptors by what they point to, the threads by name, and /proc/PID/status."""
        with contextlib.suppress(Unreadable):
            return evidence_of(self.pid())
        return {}

    def close(self) -> None:
        pass


class ProcessReader:
    """Reads one process after another: what is known of a process is given up when another one is read."""

    def __init__(self) -> None:
        self._identity = ""
        self._cpu: CpuTime | None = None
        self._looks = _looks()

    def read(self, pid: int) -> Found:
        """Return the values of the process. Raises Unreadable when the process has ended, or cannot be read."""
        try:
            return self._read(pid)
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            raise Unreadable(f"process {pid} has ended") from None
        except (OSError, psutil.Error) as error:
            raise Unreadable(f"process {pid} cannot be read ({_words(error)})") from None

    def _read(self, pid: int) -> Found:
        values, began_s, cpu_ns = (_on_linux if ON_LINUX else _elsewhere)(pid)
        identity = f"pid {pid}, started {began_s:.2f}"
        if identity != self._identity:
            self._identity, self._cpu, self._looks = identity, None, _looks()
        now = CpuTime(time.monotonic_ns(), cpu_ns)
        if self._cpu is not None:
            values["cpu"] = (now - self._cpu).share
        self._cpu = now
        lacking = ""
        for look, thrift in self._looks:
            if not thrift.allows(from_ns := time.monotonic_ns()):
                continue
            try:
                values |= look(pid)
            except PermissionError as error:
                lacking = (
                    f"process {pid} belongs to another user, and not all of it can be read ({_words(error)}); run "
                    "loadgen as that user"
                )
            thrift.took(from_ns, time.monotonic_ns())
        return Found(values, identity, lacking)


def _words(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


# ── Cheap, and read each time ───────────────────────────────────────────────────────────────────────────────────────


def _on_linux(pid: int) -> tuple[dict[str, float], float, int]:
    """Return values, the Unix time of the start, and the CPU time until now."""
    proc = Proc(pid)
    stat = proc.stat()
    if stat.state == "Z":
        raise ProcessLookupError
    began_ns = stat.started_ticks * NS_PER_S // TICKS_PER_S
    values: dict[str, float] = {
        "rss": stat.rss_bytes,
        "threads": stat.threads,
        "minor_faults": stat.minor_faults,
        "uptime": max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - began_ns),
        "fds": proc.fds(),
    }
    cpu_ns = stat.cpu_ns
    with contextlib.suppress(OSError):
        cpu_ns = time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
    return values, _booted_s() + began_ns / NS_PER_S, cpu_ns


def _elsewhere(pid: int) -> tuple[dict[str, float], float, int]:
    process = psutil.Process(pid)
    with process.oneshot():
        if process.status() == psutil.STATUS_ZOMBIE:
            raise ProcessLookupError
        times, began_s = process.cpu_times(), process.create_time()
        values: dict[str, float] = {
            "rss": process.memory_info().rss,
            "threads": process.num_threads(),
            "fds": process.num_fds(),
            "uptime": max(0.0, time.time() - began_s) * NS_PER_S,
        }
    return values, began_s, int((times.user + times.system) * NS_PER_S)


@cache
def _booted_s() -> float:
    return psutil.boot_time()


# ── Costly, and looked at as often as that is cheap ─────────────────────────────────────────────────────────────────


def _memory(pid: int) -> dict[str, float]:
    pss_bytes, uss_bytes = Proc(pid).rollup()
    return {"pss": pss_bytes, "uss": uss_bytes}


def _kinds(pid: int) -> dict[str, float]:
    return dict(kinds_of(Proc(pid).links().values()))


def _switches(pid: int) -> dict[str, float]:
    if ON_LINUX:
        return {"context_switches": Proc(pid).switches()}
    switches = psutil.Process(pid).num_ctx_switches()
    return {"context_switches": switches.voluntary + switches.involuntary}


def _children(pid: int) -> dict[str, float]:
    found = descendants(pid) if ON_LINUX else [child.pid for child in psutil.Process(pid).children(recursive=True)]
    rss_bytes = 0
    for child in found:
        with contextlib.suppress(OSError, psutil.Error):
            rss_bytes += Proc(child).stat().rss_bytes if ON_LINUX else psutil.Process(child).memory_info().rss
    return {"children": len(found), "children_rss": rss_bytes}


def _looks() -> list[tuple[Callable[[int], dict[str, float]], Thrift]]:
    """Return the costly looks, each with its own thrift."""
    own = [_memory, _kinds] if ON_LINUX else []
    return [(look, Thrift()) for look in (*own, _switches, _children)]


# ── Evidence ────────────────────────────────────────────────────────────────────────────────────────────────────────


def evidence_of(pid: int) -> dict[str, str]:
    """Return what shows the cause of a trouble of a process, by file name, as far as the system lets it be read."""
    found = {}
    for name, look in _EVIDENCE.items() if ON_LINUX else ():
        with contextlib.suppress(OSError):
            found[name] = look(Proc(pid))
    return found


def _status(proc: Proc) -> str:
    return proc.status().decode(errors="backslashreplace")


def _threads(proc: Proc) -> str:
    counts = Counter(proc.thread_names())
    return "".join(f"{count:>7}  {name}\n" for name, count in counts.most_common())


_EVIDENCE: Mapping[str, Callable[[Proc], str]] = {
    "descriptors.txt": tabled,
    "threads.txt": _threads,
    "status.txt": _status,
}
