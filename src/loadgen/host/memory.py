"""The memory of this machine that is free for a new process."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

PROC = Path("/proc")

_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)


def available_bytes(proc: Path = PROC) -> int | None:
    """Return what the kernel estimates to be available (proc_meminfo(5)), else all memory; None where neither is known.

    Limits of control groups do not count.
    """
    with contextlib.suppress(OSError):
        if (said := _AVAILABLE.search((proc / "meminfo").read_text(encoding="ascii"))) is not None:
            return int(said[1]) * 1024
    with contextlib.suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
