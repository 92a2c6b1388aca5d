"""The files of /proc about one process, by proc(5): bytes → values. Pure, but for `Proc`, which reads the files."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loadgen.units import NS_PER_S

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_KB = re.compile(rb"^(\w+):\s+(\d+) kB$", re.MULTILINE)
_SWITCHES = re.compile(rb"^(?:non)?voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/PID/stat says."""

    name: str
    """At most 15 bytes of the command's name."""
    state: str
    """One letter; Z is a process that has ended."""
    minor_faults: int
    cpu_ns: int
    """User and system time of all threads, in steps of a tick."""
    threads: int
    started_ticks: int
    """Since the machine was started."""
    rss_bytes: int


def parse_stat(text: bytes) -> Stat:
    """Return the values of /proc/PID/stat. The name, in parentheses, may itself have parentheses and spaces."""
    name, _, rest = text.partition(b"(")[2].rpartition(b")")
    columns = rest.split()
    return Stat(
        name=name.decode(errors="backslashreplace"),
        state=columns[0].decode(),
        minor_faults=int(columns[7]),
        cpu_ns=(int(columns[11]) + int(columns[12])) * NS_PER_S // TICKS_PER_S,
        threads=int(columns[17]),
        started_ticks=int(columns[19]),
        rss_bytes=int(columns[21]) * PAGE_BYTES,
    )


def parse_switches(status: bytes) -> int:
    """Return the context switches of a thread, voluntary or not, from its status."""
    return sum(map(int, _SWITCHES.findall(status)))


def parse_rollup(text: bytes) -> tuple[int, int]:
    """Return the bytes of PSS and USS from smaps_rollup."""
    kb = {name: int(number) for name, number in _KB.findall(text)}
    return kb.get(b"Pss", 0) << 10, (kb.get(b"Private_Clean", 0) + kb.get(b"Private_Dirty", 0)) << 10


def kinds_of(links: Iterable[str]) -> dict[str, int]:
    """Return how many descriptors are sockets, files, pipes and eventfds, by what they point to."""
    found = {"sockets": 0, "files": 0, "pipes": 0, "eventfds": 0}
    for link in links:
        if link.startswith("socket:"):
            found["sockets"] += 1
        elif link.startswith("pipe:"):
            found["pipes"] += 1
        elif link.startswith("/"):
            found["files"] += 1
        elif link == "anon_inode:[eventfd]":
            found["eventfds"] += 1
    return found


class Proc:
    """The files of one process. Every method raises OSError when the process has ended, or is not ours to read."""

    def __init__(self, pid: int, root: Path = Path("/proc")) -> None:
        self.pid = pid
        self._path = root / str(pid)

    def stat(self) -> Stat:
        return parse_stat(self._read("stat"))

    def status(self) -> bytes:
        return self._read("status")

    def rollup(self) -> tuple[int, int]:
        """Return the bytes of PSS and USS. The kernel walks all of the process's page tables for it."""
        return parse_rollup(self._read("smaps_rollup"))

    def fds(self) -> int:
        """Return the number of open descriptors, which Linux reports without a listing since 6.2."""
        folder = self._path / "fd"
        return folder.stat().st_size or len([*folder.iterdir()])

    def links(self) -> dict[int, str]:
        """Return what each descriptor points to; one that is closed meanwhile is left out."""
        found = {}
        for link in (self._path / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[int(link.name)] = str(link.readlink())
        return found

    def switches(self) -> int:
        """Return the context switches of all threads that run now."""
        total = 0
        for thread in (self._path / "task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += parse_switches(self._read(f"task/{thread.name}/status"))
        return total

    def thread_names(self) -> list[str]:
        found = []
        for thread in (self._path / "task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found.append(self._read(f"task/{thread.name}/comm").decode(errors="backslashreplace").rstrip("\n"))
        return found

    def children(self) -> Iterator[int]:
        """Yield the processes that this one has started, by proc_tid_children(5)."""
        for thread in (self._path / "task").iterdir():
            with contextlib.suppress(OSError):
                yield from map(int, self._read(f"task/{thread.name}/children").split())

    def table(self, name: str) -> bytes:
        """Return a file of the process's network namespace, such as `tcp`; empty where there is none."""
        with contextlib.suppress(OSError):
            return self._read(f"net/{name}")
        return b""

    def command_line(self) -> bytes:
        return self._read("cmdline")

    def _read(self, name: str) -> bytes:
        return (self._path / name).read_bytes()


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have started, parents first."""
    found, unasked = list[int](), [pid]
    while unasked:
        with contextlib.suppress(OSError):
            children = list(Proc(unasked.pop()).children())
            found += children
            unasked += children
    return found
