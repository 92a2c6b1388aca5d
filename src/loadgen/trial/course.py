"""The course of a trial in time: which phase begins when, and when faults begin and end. Told the time; no clock.

A phase without a length lasts until the course is cut short. Faults begin and end by the times of the fault phase, the
end of which ends those that are left.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.faults.fault import Fault
from loadgen.faults.timeline import Step, steps
from loadgen.trial.plan import Phases

LEAD_NS = 200_000_000
"""The time from the beginning of the fault phase to the first fault, so that every caller is in the phase by then."""


GRACE_NS = 1_500_000_000
"""The time by which the recovery is longer than planned: a fault may end late, as a server takes time to start, and a
node is back when it has been so for a second."""


@dataclass(frozen=True, slots=True)
class Enter:
    """A phase begins."""

    phase: str
    length_ns: int
    """0: until somebody stops it."""
    at_ns: int


@dataclass(frozen=True, slots=True)
class Do:
    """A fault is to begin or to end."""

    step: Step
    at_ns: int


@dataclass(frozen=True, slots=True)
class Over:
    """The last phase has ended."""

    at_ns: int


Action = Enter | Do | Over


class Course:
    """The actions of a trial, in the order of time. Those of one time: ends of faults, phases, beginnings of faults."""

    def __init__(self, phases: Phases, faults: tuple[Fault, ...], nodes: int, start_ns: int) -> None:
        """`nodes` counts a node once for each group of callers. `start_ns` is when the callers begin to call."""
        self._left = [*_actions(phases, faults, nodes, start_ns)]
        self.phase = "settle"
        """The phase that was entered last."""

    @property
    def next_ns(self) -> int | None:
        """The time of the next action; None where nothing is to come."""
        return self._left[0].at_ns if self._left else None

    def due(self, now_ns: int) -> list[Action]:
        """Return the actions whose time has come, each once."""
        found: list[Action] = []
        while self._left and self._left[0].at_ns <= now_ns:
            action = self._left.pop(0)
            if isinstance(action, Enter):
                self.phase = action.phase
            found.append(action)
        return found


def _actions(phases: Phases, faults: tuple[Fault, ...], nodes: int, start_ns: int) -> list[Action]:
    """Return all actions in order."""
    found: list[Action] = []
    at_ns = start_ns
    lengths = {"settle": phases.settle_ns, "baseline": phases.baseline_ns}
    if faults:
        lengths |= {"fault": phases.fault_ns, "recovery": phases.recovery_ns}
    for phase, length_ns in lengths.items():
        if phase == "settle" and not length_ns:
            continue
        found.append(Enter(phase, length_ns, at_ns))
        if phase == "fault":
            found += [Do(step, at_ns + LEAD_NS + step.at_ns) for step in steps(faults, nodes, length_ns)]
            at_ns += LEAD_NS
        if not length_ns:
            return found
        at_ns += length_ns
    return [*sorted(found, key=_place), Over(at_ns + GRACE_NS * bool(faults))]


def _place(action: Action) -> tuple[int, int]:
    if isinstance(action, Do):
        return action.at_ns, 2 if action.step.begins else 0
    return action.at_ns, 1
