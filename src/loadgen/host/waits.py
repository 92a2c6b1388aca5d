"""The time that threads were ready to run and had no CPU, by the kernel's account (proc(5), schedstat)."""

from __future__ import annotations

import contextlib
from pathlib import Path


class Waits:
    """The threads of this process, and how long each waits for a CPU from one reading to the next."""

    def __init__(self) -> None:
        self._before = _waited_ns()

    def longest_ns(self) -> int | None:
        """Return the longest that one thread has waited since the last call; None where the kernel does not say.

        Threads wait at the same time as others, so that their waits do not add up to a time.
        """
        now = _waited_ns()
        since = [waited_ns - self._before.get(thread, 0) for thread, waited_ns in now.items()]
        self._before = now
        return max(since, default=None)


def _waited_ns() -> dict[str, int]:
    """Return what each thread has waited since it began; nothing where the kernel does not say."""
    found = {}
    try:
        threads = [*Path("/proc/self/task").iterdir()]
    except OSError:
        return {}
    for thread in threads:
        # A thread that ends meanwhile has no account any more.
        with contextlib.suppress(OSError, ValueError, IndexError):
            found[thread.name] = int((thread / "schedstat").read_bytes().split()[1])
    return found
