"""The CPU quotas of this process's control groups, and the throttling by them. Standard library only.

Linux has control groups of version 2 (cgroup-v2.rst: `cpu.max`, `cpu.stat`) and version 1 (sched-bwc.rst:
`cpu.cfs_quota_us`). A process in a container sees the groups up to the container's own. Other systems have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadgen.units import NS_PER_US

PROC = Path("/proc/self")

_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Throttling:
    """The throttling by quotas since the groups were made; `now - before` is the throttling in between."""

    count: int = 0
    """Periods in which a quota was used up."""
    ns: int = 0
    """The time for which something in the group then waited for the next period."""

    def __sub__(self, before: Throttling) -> Throttling:
        return Throttling(self.count - before.count, self.ns - before.ns)


def groups(proc: Path = PROC) -> tuple[Path, ...]:
    """Return the directories of the groups that bound this process's CPU: its own group, then the ancestors it sees."""
    own = dict(_own(_read(proc / "cgroup")))
    found: list[Path] = []
    for controllers, root, mount in _mounts(_read(proc / "mountinfo")):
        path = own.get("cpu" if "cpu" in controllers else "") if controllers & {"", "cpu"} else None
        if path is None:
            continue
        # The mount may show only a part of the hierarchy. This process's group may be the part's top, or outside.
        inside = Path(path).relative_to(root).parts if Path(path).is_relative_to(root) else ()
        if ".." not in inside:
            found += [mount.joinpath(*inside[:n]) for n in range(len(inside), -1, -1)]
    return tuple(dict.fromkeys(found))


def quota(directories: tuple[Path, ...]) -> float | None:
    """Return the least of these groups' quotas, in CPUs: 0.25 is a quarter of a CPU. None without a quota."""
    return min((cpus for directory in directories if (cpus := _quota(directory)) is not None), default=None)


def throttling(directories: tuple[Path, ...]) -> Throttling | None:
    """Return the throttling by these groups' quotas, summed; None when no group reports any."""
    reported = [Throttling(*counts) for directory in directories if (counts := _throttled(directory)) is not None]
    return Throttling(sum(t.count for t in reported), sum(t.ns for t in reported)) if reported else None


def _quota(directory: Path) -> float | None:
    quota_us, _, period_us = _read(directory / "cpu.max").strip().partition(" ")
    if not quota_us:
        quota_us = _read(directory / "cpu.cfs_quota_us").strip()
        period_us = _read(directory / "cpu.cfs_period_us").strip()
    # Without a quota, version 2 writes "max", version 1 "-1".
    if not (quota_us.isdecimal() and period_us.isdecimal()) or not int(quota_us) or not int(period_us):
        return None
    return int(quota_us) / int(period_us)


def _throttled(directory: Path) -> tuple[int, int] | None:
    reported = dict(line.partition(" ")[::2] for line in _read(directory / "cpu.stat").splitlines())
    count, us, ns = (reported.get(key, "") for key in ("nr_throttled", "throttled_usec", "throttled_time"))
    if not count.isdecimal():
        return None
    return int(count), int(us) * NS_PER_US if us.isdecimal() else int(ns) if ns.isdecimal() else 0


def _own(text: str) -> Iterator[tuple[str, str]]:
    """Yield each controller ("" for version 2) and this process's group. "3:cpu,cpuacct:/a" is a line of cgroups(7)."""
    for line in text.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        for controller in controllers.split(","):
            yield controller, path


def _mounts(text: str) -> Iterator[tuple[set[str], str, Path]]:
    """Yield each mounted hierarchy: its controllers, {""} for version 2, the mounted group, and the mount point.

    "31 25 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct" is a line of proc_pid_mountinfo(5).
    """
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(" "), (*after.split(" ", 2), "", "", "")[:3]
        if len(fields) < 5 or kind not in ("cgroup", "cgroup2"):
            continue
        root, mount = (_ESCAPED.sub(lambda code: chr(int(code[1], 8)), field) for field in fields[3:5])
        yield ({""} if kind == "cgroup2" else set(options.split(","))), root, Path(mount)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
