"""The time that a process was ready to run and had no CPU, by the kernel's account (proc(5), schedstat)."""

from __future__ import annotations

from pathlib import Path


def waited_ns(pid: int) -> int | None:
    """Return the time that a process's main thread has waited for a CPU; None where the kernel does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
