"""The events of smoke tests: the beginning of all tests, and the end of each. Values; no I/O."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from loadgen.events import Ending, Event, Result
from loadgen.reason import Reason
from loadgen.severity import Severity
from loadgen.smoke.check import Check


@dataclass(frozen=True, slots=True)
class SmokeBegan(Event):
    """The beginning of tests of servers, one after the other."""

    matrix: bool
    """True when the output is one row per server, and nothing of its load."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(frozen=True, slots=True)
class SmokeEnded(Ending):
    """The end of one smoke test."""

    server: str
    """The server file's stem, the program's name, or the endpoint."""
    identity: str
    """Name and version in the server's own words; empty when the test ended before."""
    checks: tuple[Check, ...]
    """One for each of `criteria.CRITERIA`, in their order."""
    result: Result | None = None
    """The result of the load; None when the test ended before."""
    log_tail: tuple[str, ...] = ()
    """The end of the server's log, where the test failed and there is one."""
    interrupted: bool = False
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def failed(self) -> tuple[Check, ...]:
        """The criteria that were not met."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def doubts(self) -> tuple[Reason, ...]:
        """The reasons why the load's numbers are not the server's; empty when they are, or without a result."""
        return self.result.invalid_because if self.result is not None else ()

    @property
    def passed(self) -> bool:
        return not self.failed and not self.doubts and not self.interrupted

    @property
    def severity(self) -> Severity:
        holds = {
            Severity.INTERRUPTED: self.interrupted,
            Severity.FAILED: self.failed,
            Severity.INVALID: self.doubts,
        }
        return Severity.gravest(severity for severity, why in holds.items() if why)
