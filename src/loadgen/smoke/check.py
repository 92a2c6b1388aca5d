"""One criterion of a smoke test, applied to the findings. A value; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion, applied to the findings."""

    name: str
    """One of `criteria.CRITERIA`."""
    passed: bool | None
    """None when the criterion does not apply (`found` says why), or when the test ended before it was judged."""
    found: str
    """The finding, such as "1.92 ms" or "killed by SIGSEGV 2.1 s into the load"."""
    limit: str = ""
    """The limit that passes, such as "< 100 ms"; empty where the name of the check implies the limit."""
