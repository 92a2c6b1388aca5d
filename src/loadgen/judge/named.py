"""A named check with its answer, of a trial or a test of jobs: what every one of them is held to. A value; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.judge.check import Level
from loadgen.severity import Severity


@dataclass(frozen=True, slots=True)
class Check:
    """One named check, applied to what was observed."""

    name: str
    """One of `trial.checks.every.CHECKS` or `jobs.load.checks.NAMES`; `check 1` and so on for each `[[check]]`."""
    passed: bool | None
    """None where it cannot be told: nobody exposes what the check needs, or the fault did not fire."""
    found: str
    """The finding, such as "2.1 s after the fault ended", or why there is none."""
    limit: str = ""
    """The limit that passes, such as "≤ 10 s"."""
    vital: bool = True
    """False for a check that a client without the feature does not fail by: its None makes no trial untold."""
    level: Level | None = None
    """The level of a `[[check]]`; None for a check that has a name of its own."""

    @property
    def severity(self) -> Severity:
        if self.level is Level.NICE:
            return Severity.GOOD
        if self.passed is None:
            return Severity.UNKNOWN if self.vital else Severity.GOOD
        return Severity.GOOD if self.passed else Severity.BREACHED
