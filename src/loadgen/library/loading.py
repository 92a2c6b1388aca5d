"""A described plan when its load is about to be put on."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.judge.judging import Judging
from loadgen.plan import Plan
from loadgen.target.server import ManagedServer


@dataclass(frozen=True, slots=True)
class Loading:
    """A plan with every number resolved, whose server is there."""

    plan: Plan
    judging: Judging
    server: ManagedServer | None
    """Where it was started by us."""
