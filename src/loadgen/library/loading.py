"""A plan whose load is about to be put on."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.faults.operator_thread import OperatorThread
from loadgen.judge.judging import Judging
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Plan
from loadgen.reason import Reason
from loadgen.usage import WatchedServer


@dataclass(frozen=True, slots=True)
class Loading:
    """A plan with every number resolved, and its server, which runs."""

    plan: Plan
    judging: Judging
    server: WatchedServer | None
    """The server when loadgen started it; else None."""
    operator: OperatorThread | None = None
    """Carries out the plan's faults; None without faults."""
    monitors: tuple[MonitorPlan, ...] = ()
    """What is read beside the load."""
    notes: tuple[Reason, ...] = ()
    """Remarks of the bench on the load's result."""
