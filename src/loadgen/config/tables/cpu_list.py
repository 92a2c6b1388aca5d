"""A list of CPUs as text, in the kernel's notation: `0-3,8`."""

from __future__ import annotations

import os
import re

from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.host import cgroup

_RANGE = re.compile(r"\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?", re.ASCII)


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the CPUs' numbers in the order written. Raises ValueError when malformed, empty, or naming a CPU twice."""
    cpus: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ValueError(f'"{text}" is not a list of CPUs; write numbers and ranges, such as "0-3,8"')
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(
                f'"{text}" has the range {first}-{last}, which ends before it begins; write {last}-{first}'
            )
        cpus.extend(range(first, last + 1))
    if len(set(cpus)) < len(cpus):
        raise Refused(ProblemCode.TWICE, f'"{text}" names a CPU twice; name each once')
    return tuple(cpus)


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use whole, by its affinity mask and its CPU quota; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    paid = cgroup.quota(cgroup.groups())
    return allowed if paid is None else max(1, min(allowed, int(paid)))


def absent_cpus(cpus: tuple[int, ...]) -> list[int]:
    """Return those of `cpus` that this machine does not have."""
    present = set(range(os.cpu_count() or 1))
    if hasattr(os, "sched_getaffinity"):
        # When CPUs in the middle are offline, some numbers are above the count.
        present |= os.sched_getaffinity(0)
    return [cpu for cpu in cpus if cpu not in present]
