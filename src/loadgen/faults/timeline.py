"""The steps in which faults begin and end, with their times. Pure functions; no clock.

A step is due at an offset from the start of the window. Whoever leads the load or the scenario does each at its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loadgen.faults.fault import Fault


@dataclass(frozen=True, slots=True)
class Step:
    """One beginning or end of a fault on one node."""

    at_ns: int
    """The offset from the start of the window."""
    number: int
    """The index of the fault in the list of faults."""
    fault: Fault
    node: int
    """From 1."""
    begins: bool
    """False for an end."""


def steps(faults: Iterable[Fault], nodes: int, window_ns: int) -> tuple[Step, ...]:
    """Return every step of the faults on so many nodes, in the order of time, ends before beginnings at one time.

    A beginning at or after the end of the window is left out. A spell that would last beyond the window ends with it,
    so that every beginning has an end.
    """
    found = [step for number, fault in enumerate(faults) for step in _of(number, fault, nodes, window_ns)]
    return tuple(sorted(found, key=lambda step: (step.at_ns, step.begins)))


def _of(number: int, fault: Fault, nodes: int, window_ns: int) -> Iterator[Step]:
    for turn in range(fault.times):
        for place, node in enumerate(fault.nodes(nodes)):
            begin_ns = fault.at_ns + turn * fault.every_ns + place * fault.stagger_ns
            end_ns = min(begin_ns + fault.for_ns, window_ns) if fault.for_ns else window_ns
            if begin_ns < window_ns:
                yield Step(begin_ns, number, fault, node, begins=True)
                yield Step(end_ns, number, fault, node, begins=False)
