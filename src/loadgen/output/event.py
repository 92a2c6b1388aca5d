"""What every output is: something with `emit`, that is given any event of any verb and prints those that it knows."""

from __future__ import annotations

from typing import Protocol

from loadgen.comparison import JudgingEvent
from loadgen.events import Event
from loadgen.smoke import SmokeEnded

AnyEvent = Event | SmokeEnded | JudgingEvent


class AnyOutput(Protocol):
    """Where events go."""

    def emit(self, event: AnyEvent) -> None: ...


class EndsOnly:
    """Passes on how smoke tests ended, and nothing of their loads."""

    def __init__(self, output: AnyOutput) -> None:
        self._output = output

    def emit(self, event: AnyEvent) -> None:
        if isinstance(event, SmokeEnded):
            self._output.emit(event)
