"""Every output, and every format as a table: for each kind of event, what renders it.

A format names the events of which it says nothing, too. An event that is in neither fails a test of every format, so a
new one is not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.round import ContestBegan, RoundEnded
from loadgen.events import (
    Configured,
    Event,
    PhaseBegan,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
)
from loadgen.output.paper import layout
from loadgen.output.paper.sink import Sink
from loadgen.smoke.ended import SmokeBegan, SmokeEnded

Kind = TypeVar("Kind", bound=Event)

Table = Mapping[type[Event], Callable[[Any], None]]
Kinds = frozenset[type[Event]]

OF_LOADS: Kinds = frozenset({Configured, ServerAwaited, PhaseBegan, Sample, Result})
OF_SEARCHES: Kinds = frozenset({StepTaken, SearchEnded})
OF_TESTS: Kinds = frozenset({SmokeBegan, SmokeEnded})
OF_COMPARISONS: Kinds = frozenset({ContestBegan, RoundEnded, Compared, NoiseFound})
OF_RESULTS = OF_LOADS | OF_SEARCHES | OF_TESTS | OF_COMPARISONS
"""All but Progress."""


class Output(Protocol):
    """Where the events of a command go: to a stream, or to a file of its own."""

    def emit(self, event: Event) -> None:
        """Raises OutputError when it cannot be written."""

    def close(self) -> None:
        """To be called once, after the last event, however the command ends. Raises OutputError as `emit` does."""


def on(kind: type[Kind], render: Callable[[Kind], None]) -> Table:
    """A row of a table: what renders events of this kind."""
    return {kind: render}


class Format:
    """An output that looks in its table for what renders an event."""

    silent: ClassVar[Kinds]
    """The events of which the format says nothing."""
    logs_tests: ClassVar[bool] = False
    """Whether the load of a smoke test is shown before the test's answer."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._hides_loads = False

    def emit(self, event: Event) -> None:
        if isinstance(event, SmokeBegan):
            self._hides_loads = event.matrix or not self.logs_tests
        kind = type(event)
        if kind not in self.silent and not (self._hides_loads and kind in OF_LOADS):
            self.table[kind](event)

    def close(self) -> None:
        """Nothing is kept back."""


class Laid(Format):
    """A format whose lines are as wide as the terminal is at the moment, or 80 columns where there is none."""

    def __init__(self, sink: Sink, table: Table) -> None:
        super().__init__(table)
        self._sink = sink

    def emit(self, event: Event) -> None:
        with layout.at(self._sink.columns or layout.WIDTH):
            super().emit(event)
