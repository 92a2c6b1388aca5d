"""The plan of a monitor: a frozen value, resolved from `[[monitor]]` or made by a program. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.plan import Target
from loadgen.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class MonitorPlan:
    """A monitor. `kinds.KINDS` has the row of its kind, which says which of the keys below it has."""

    kind: str
    """The name of a row of `kinds.KINDS`, such as `proc`."""
    name: str
    """The monitor's name, which is unique among those of a command; the default is the kind."""
    every_ns: int = NS_PER_S
    """The time from one reading to the next."""
    timeout_ns: int = 5 * NS_PER_S
    """The longest that a reading may wait for an answer."""
    pid: int = 0
    """The process to read; 0: the one that `process` or `server` names."""
    process: str = ""
    """The name of the process to read."""
    server: Target | None = None
    """The server to read, with one endpoint; None: the first server under load."""
    url: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """The metric that is the value of a series, by the series' name."""
    path: str = ""
    """A path in JSON, or of a folder."""
    command: tuple[str, ...] = ()
    container: str = ""
    evidence: tuple[str, ...] = ()
    """URLs that are fetched, and commands that are run, where evidence is kept."""
