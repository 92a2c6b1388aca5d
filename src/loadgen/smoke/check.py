"""One criterion of a smoke test, held against what was found. A value; no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion, held against what was found."""

    name: str
    """One of `criteria.CRITERIA`."""
    passed: bool | None
    """None: it does not apply here (`found` says why), or the test ended before it could be judged."""
    found: str
    """What was found, such as "1.92 ms" or "killed by SIGSEGV 2.1 s into the load"."""
    limit: str = ""
    """What would pass, such as "< 100 ms"; empty where that goes without saying."""
