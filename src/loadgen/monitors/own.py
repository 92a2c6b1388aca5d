"""The monitor of loadgen itself, of kind `self`: its processes, as `proc` reads one, and its asyncio tasks.

loadgen's processes are this one and the workers that it has started. Servers, and the keepers between, are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping

import psutil

from loadgen.judge.expression.dimension import COUNT
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors._tasks import all_tasks
from loadgen.monitors.monitor import Found, UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.proc import ON_LINUX, ProcessReader, evidence_of
from loadgen.monitors.proc import SERIES as OF_A_PROCESS
from loadgen.monitors.procfs import Proc
from loadgen.monitors.series import level
from loadgen.monitors.thrift import Thrift

_OURS = b"from loadgen."
"""What the command line of a process has that loadgen has started to run a module of its own."""

_OF_ONE = ("uptime", "children", "children_rss")
"""The series of a process that are not summed up over loadgen's."""

SERIES: Mapping[str, Known] = {
    **{
        name: Known(
            known.dimension, f"{known.meaning}; all processes of loadgen together", is_scalar=False, over=known.over
        )
        for name, known in OF_A_PROCESS.items()
        if name not in _OF_ONE
    },
    "processes": level(COUNT, "loadgen's own process and its workers"),
    "tasks": level(COUNT, "asyncio tasks of loadgen's own process that have not ended"),
    "uptime": OF_A_PROCESS["uptime"],
}


class OwnMonitor:
    """The monitor of kind `self`."""

    kind = "self"
    series = SERIES

    def __init__(self, plan: MonitorPlan, under: UnderLoad) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self._readers = dict[int, ProcessReader]()
        self._thrift = Thrift()

    def read(self) -> Found:
        own = os.getpid()
        pids = [own, *workers(own)]
        self._readers = {pid: self._readers.get(pid) or ProcessReader() for pid in pids}
        found = dict[int, Found]()
        for pid, reader in self._readers.items():
            # A worker may end at any time.
            with contextlib.suppress(Unreadable):
                found[pid] = reader.read(pid)
        values = summed([each.values for each in found.values()])
        values |= {"processes": len(found), "uptime": found[own].values["uptime"]}
        if self._thrift.allows(from_ns := time.monotonic_ns()):
            values["tasks"] = len(list(tasks()))
            self._thrift.took(from_ns, time.monotonic_ns())
        return Found(values, found[own].identity)

    def evidence(self) -> Mapping[str, str]:
        """Return the stacks of all threads and tasks of this process, and the descriptors of all processes."""
        found = {"stacks.txt": stacks()}
        for pid in (os.getpid(), *workers(os.getpid())):
            found |= {f"{pid}-{name}": text for name, text in evidence_of(pid).items()}
        return found

    def close(self) -> None:
        pass


def summed(readings: list[Mapping[str, float]]) -> dict[str, float]:
    """Return the sums of the series that all readings have."""
    names = [name for name in SERIES if all(name in values for values in readings) and name not in _OF_ONE]
    return {name: sum(values[name] for values in readings) for name in names} if readings else {}


def workers(own: int) -> list[int]:
    """Return the processes that a process has started to run modules of loadgen."""
    found = []
    with contextlib.suppress(OSError, psutil.Error):
        children = [*Proc(own).children()] if ON_LINUX else [each.pid for each in psutil.Process(own).children()]
        for pid in children:
            with contextlib.suppress(OSError, psutil.Error):
                line = Proc(pid).command_line() if ON_LINUX else "\0".join(psutil.Process(pid).cmdline()).encode()
                found += [pid] * (_OURS in line)
    return found


def tasks() -> Iterator[asyncio.Task[object]]:
    """Return the tasks of all event loops of this process that have not ended.

    asyncio lists those of one loop, and only for the thread that runs it.
    """
    return (each for each in all_tasks() if not each.done())


def stacks() -> str:
    """Return the stacks of all threads and tasks of this process."""
    out = io.StringIO()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        out.write(f"thread {names.get(ident, ident)}\n{''.join(traceback.format_stack(frame))}\n")
    for task in tasks():
        out.write(f"task {task.get_name()}\n")
        # The loop of a task may go on meanwhile.
        with contextlib.suppress(RuntimeError):
            task.print_stack(file=out)
        out.write("\n")
    return out.getvalue()
