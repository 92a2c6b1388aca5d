"""An agent's introduction, of which a test changes what it is about."""

from __future__ import annotations

from loadgen.fleet.introduction import Introduction


def introduced(**changed: object) -> Introduction:
    facts: dict[str, object] = {
        "version": "1",
        "python": "3",
        "host": "h",
        "pid": 1,
        "cpus": 2,
        "open_files": 0,
        "clock_ns": 5,
        "wall_s": 1.5,
        "nonce": "n",
    }
    return Introduction(**{**facts, **changed})  # type: ignore[arg-type]
