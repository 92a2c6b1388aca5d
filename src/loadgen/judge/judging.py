"""By what a run's numbers are judged: objectives and limits. A frozen value beside the plan; no worker is sent it."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.judge.verdict import VerdictLimits
from loadgen.slo import Objective


@dataclass(frozen=True, slots=True)
class Judging:
    """What the result of a plan is held against. Without arguments: no objective, and every limit at its default."""

    slo: tuple[Objective, ...] = ()
    """What the result must meet."""
    limits: VerdictLimits = field(default_factory=VerdictLimits)
    """From where on a number is distrusted, and how many requests and connections may fail."""
