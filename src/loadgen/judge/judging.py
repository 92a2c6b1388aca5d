"""The objectives, checks and limits that a run's numbers are judged by: a frozen value, which no worker receives."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.judge.check import Check
from loadgen.judge.verdict import VerdictLimits
from loadgen.slo import Objective


@dataclass(frozen=True, slots=True)
class Judging:
    """The objectives, checks and limits for the result of a plan. Without arguments: none, and the default limits."""

    slo: tuple[Objective, ...] = ()
    """The objectives that the result must meet."""
    checks: tuple[Check, ...] = ()
    """The checks of `[[check]]`, which the result is held against."""
    limits: VerdictLimits = field(default_factory=VerdictLimits)
    """The limits beyond which a number is distrusted, and the requests and connections that may fail."""
