"""Cases in a world of the compiled loop: the world is made, the case runs, and its events can be told as text."""

from __future__ import annotations

from abc import ABC, abstractmethod

from loadgen.verify.case import Outcome
from loadgen.verify.tape import Tape
from loadgen.verify.world._world import World
from loadgen.verify.world.policy import drawn_order

_EVENTS_PER_OPERATION = 4
"""About so many events has a world for each request, by which changes of priorities are placed."""


class WorldCase(ABC):
    """Cases of the kind `name` with so many operations."""

    def __init__(self, name: str, operations: int) -> None:
        self.name = name
        self._operations = operations

    @abstractmethod
    def _outcome(self, tape: Tape, world: World) -> Outcome:
        """Run the case of a tape in a new world."""

    def run(self, tape: Tape) -> Outcome:
        return self._run(tape, [], log=False)

    def events(self, tape: Tape) -> list[str]:
        """Run the case of a tape; return its events as text."""
        events: list[str] = []
        self._run(tape, events, log=True)
        return events

    def _run(self, tape: Tape, events: list[str], *, log: bool) -> Outcome:
        world = World(tape, drawn_order(tape, self._operations * _EVENTS_PER_OPERATION))
        if log:
            world.keep_log()
        try:
            return self._outcome(tape, world)
        finally:
            events += (
                f"{at_ns} ns, {name} {number}: event {kind} {argument}, trace {trace:016x}"
                for at_ns, name, number, kind, argument, trace in world.logged()
            )
            world.close()
