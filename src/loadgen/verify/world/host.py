"""A host of the simulated world, from its start to its death, as asyncio's tasks and servers see it."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from typing import Any

from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import Host as Machine
from loadgen.verify.world._resident import Resident


class Host:
    """A host that was started, and may be killed. One that is started again is another host of the same name."""

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.machine = machine
        self.resident = Resident(Ground(machine))
        self.resident.context.run(HOST.set, self)
        self.alive = True
        self._grounds: list[Ground] = []
        self.held: deque[Any] = deque()
        """The loop's callbacks that wait until the host's thread runs again."""

    @property
    def address(self) -> str:
        return self.machine.address

    def ground(self) -> Ground:
        """Return a reactor for a client on this host."""
        ground = Ground(self.machine)
        self._grounds.append(ground)
        return ground

    def die(self) -> None:
        """Never run again: nothing on the host is told of anything any more."""
        self.alive = False
        self.held.clear()
        self.abandon()
        self.resident.end()
        for ground in self._grounds:
            ground.end()

    def abandon(self) -> None:
        """Abort all streams of protocols."""
        for transport in self.resident.open():
            transport.abort()

    @property
    def runs(self) -> bool:
        """True when its callbacks can run now."""
        return self.alive and self.resident.runs


HOST: ContextVar[Host] = ContextVar("simulated host")
"""The host on which a task runs. A task inherits the context in which it was made."""
