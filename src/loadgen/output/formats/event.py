"""What every output is: something with `emit`, that is given any event of any verb and prints those that it knows."""

from __future__ import annotations

from typing import Protocol

from loadgen.events import Event
from loadgen.output.paper import layout
from loadgen.output.paper.sink import Sink
from loadgen.smoke.criteria import SmokeEnded


class AnyOutput(Protocol):
    """Where events go."""

    def emit(self, event: Event) -> None: ...


class EndsOnly:
    """Passes on how smoke tests ended, and nothing of their loads."""

    def __init__(self, output: AnyOutput) -> None:
        self._output = output

    def emit(self, event: Event) -> None:
        if isinstance(event, SmokeEnded):
            self._output.emit(event)


class Fitted:
    """Has an output lay out its lines as wide as the terminal is at the moment, or 80 columns where there is none."""

    def __init__(self, output: AnyOutput, sink: Sink) -> None:
        self._output = output
        self._sink = sink

    def emit(self, event: Event) -> None:
        with layout.at(self._sink.columns or layout.WIDTH):
            self._output.emit(event)
