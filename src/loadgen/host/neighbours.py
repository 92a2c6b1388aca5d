"""The use of this machine's CPUs by other programs, by the kernel's account. Standard library only.

`NeighbourWatch` reads the accounts at the beginning and at the end; `Busy` is the difference as a value, and gives the
reasons why a machine was too busy for figures that are to be kept. A share that the system does not report is 0.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadgen.host.machine import PROC, cpu_times
from loadgen.units import percent_beside

MOST_STOLEN = 0.02
"""The largest share of all CPUs' time that a hypervisor may give to others."""
MOST_WAITED = 0.02
"""The largest share of its time that a worker may be ready to run and without a CPU."""
MOST_OTHERS = 0.05
"""The largest share of all CPUs' time that other processes may use."""

_MOST_NAMED = 3

# Fields of proc(5)'s stat, counted from behind the name in brackets: parent, user and system time, start.
_PARENT, _USER, _SYSTEM, _START = 1, 11, 12, 19
# The first columns of /proc/stat's first line are processes' time: user, nice, system.
_OF_PROCESSES = 3


@dataclass(frozen=True, slots=True)
class Busy:
    """The shares of the machine that others had; `names` has the other processes that used the most CPU."""

    stolen: float = 0.0
    waited: float = 0.0
    others: float = 0.0
    names: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons not to keep figures that were taken in that time; empty when they may be kept."""
        who = f" ({', '.join(self.names)})" if self.names else ""
        found = (
            (self.stolen, MOST_STOLEN, "CPU steal was", ""),
            (self.waited, MOST_WAITED, "the worker waited for a CPU", " of the time"),
            (self.others, MOST_OTHERS, "other programs used", f" of all CPUs' time{who}"),
        )
        beyond = ((first, *percent_beside(share, most), last) for share, most, first, last in found if share > most)
        return tuple(f"{first} {share}{last} (limit {most})" for first, share, most, last in beyond)


@dataclass(frozen=True, slots=True)
class _Process:
    name: str
    parent: int
    start: int
    ticks: int


class NeighbourWatch:
    """The use of the CPUs since the watch was made. This process and its descendants are not others."""

    def __init__(self, proc: Path = PROC) -> None:
        self.proc = proc
        self.total = cpu_times(proc)
        self.used = _ticks_of_processes(proc)
        self.processes = _processes(proc)
        self.ended_s = _own_s()

    def busy(self, waited: float) -> Busy:
        """Return the shares until now; `waited` is the share of time for which the workers report waiting."""
        now, used, processes = cpu_times(self.proc), _ticks_of_processes(self.proc), _processes(self.proc)
        if now is None or self.total is None or (span := now - self.total).ticks <= 0:
            return Busy(waited=waited)
        own = _own_family(processes)
        spent = {pid: self._spent(pid, process) for pid, process in processes.items()}
        # os.times() is exact for this process and its ended children; running descendants have their accounts in /proc.
        ours = (_own_s() - self.ended_s) * os.sysconf("SC_CLK_TCK") + sum(spent[pid] for pid in own - {os.getpid()})
        others = max(0.0, (used - self.used - ours) / span.ticks)
        most = sorted(spent.keys() - own, key=lambda pid: -spent[pid])[:_MOST_NAMED]
        names = tuple(processes[pid].name for pid in most if spent[pid] > MOST_OTHERS * span.ticks / _MOST_NAMED)
        return Busy(span.steal_share or 0.0, waited, others, tuple(dict.fromkeys(names)))

    def _spent(self, pid: int, process: _Process) -> int:
        """Return the process's ticks since the watch was made, or since the process started if that was later."""
        before = self.processes.get(pid)
        return process.ticks - (before.ticks if before is not None and before.start == process.start else 0)


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _own_family(processes: Mapping[int, _Process]) -> set[int]:
    """Return the ids of this process and its descendants."""
    own = {os.getpid()}
    while found := {pid for pid, process in processes.items() if process.parent in own} - own:
        own |= found
    return own


def _ticks_of_processes(proc: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return sum(map(int, (proc / "stat").read_text().split()[1 : 1 + _OF_PROCESSES]))
    return 0


def _processes(proc: Path) -> dict[int, _Process]:
    """Return every process by its id; empty when the system does not report processes."""
    found = {}
    for entry in proc.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            head, _, tail = entry.read_text(errors="replace").rpartition(")")
            fields = tail.split()
            ticks = int(fields[_USER]) + int(fields[_SYSTEM])
            name = head.partition("(")[2]
            found[int(entry.parent.name)] = _Process(name, int(fields[_PARENT]), int(fields[_START]), ticks)
    return found
