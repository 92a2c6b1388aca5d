"""What a leader and the task of a Dask worker say to each other."""

from __future__ import annotations

from typing import NamedTuple

WELCOME = "welcome"
END = "end"
KILL = "kill"
"""What a leader says to an attempt at the task; all else is bytes for the agent. KILL is for one that is lost."""

BEGAN, BYTES, ENDED = "began", "bytes", "ended"
"""The kinds of a task's events. The body of the first is empty; the last one's is how the agent ended."""

READ_BYTES = 65536
"""How much of a stream one message carries."""

RESOURCE = "loadgen"
"""A resource of workers (`dask worker --resources "loadgen=1"`) that keeps two agents off one worker."""


class Versions(NamedTuple):
    """What must be the same on both sides."""

    loadgen: str
    python: str
    distributed: str
