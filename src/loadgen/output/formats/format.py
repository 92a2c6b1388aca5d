"""The interface of outputs, and formats as tables from kinds of events to the functions that render them.

A format also names the kinds of events that it does not show. A kind that is in neither fails a test of every format,
so that no format misses a new event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.round import ContestBegan, RoundEnded
from loadgen.events import (
    Configured,
    Event,
    FaultBegan,
    FaultEnded,
    Monitored,
    MonitorGap,
    PhaseBegan,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
    TopologyChanged,
)
from loadgen.jobs.load.ended import JobsBegan, JobsCompared, JobsEnded, JobsProgress, QueueInspected, WorkerNoted
from loadgen.output.paper import layout
from loadgen.output.paper.sink import Sink
from loadgen.smoke.ended import SmokeBegan, SmokeEnded
from loadgen.soak.ended import SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded

Kind = TypeVar("Kind", bound=Event)

Table = Mapping[type[Event], Callable[[Any], None]]
Kinds = frozenset[type[Event]]

OF_MONITORS: Kinds = frozenset({Monitored, MonitorGap})
OF_LOADS: Kinds = frozenset({Configured, ServerAwaited, PhaseBegan, Sample, TopologyChanged, Result}) | OF_MONITORS
OF_SEARCHES: Kinds = frozenset({StepTaken, SearchEnded})
OF_TESTS: Kinds = frozenset({SmokeBegan, SmokeEnded})
OF_COMPARISONS: Kinds = frozenset({ContestBegan, RoundEnded, Compared, NoiseFound})
OF_TRIALS: Kinds = frozenset({ChaosBegan, TrialBegan, TrialPhaseBegan, TrialSample, TrialEnded, ChaosEnded})
OF_FAULTS: Kinds = frozenset({FaultBegan, FaultEnded})
OF_CAMPAIGNS: Kinds = frozenset({CampaignBegan, CaseEnded, FailureFound, CampaignEnded})
OF_STRESS: Kinds = frozenset({StressBegan, Stressed, StressEnded})
OF_SOAKS: Kinds = frozenset({SoakBegan, SoakBaseline, SoakCheckpoint, SoakNoted, SoakEnded})
OF_JOBS: Kinds = frozenset({JobsBegan, JobsProgress, WorkerNoted, JobsEnded, JobsCompared, QueueInspected})
OF_HISTORIES: Kinds = frozenset({HistoryChecked})
OF_VERIFICATION = OF_CAMPAIGNS | OF_STRESS | OF_HISTORIES
OF_RESULTS = (
    OF_LOADS | OF_SEARCHES | OF_TESTS | OF_COMPARISONS | OF_TRIALS | OF_FAULTS | OF_VERIFICATION | OF_SOAKS | OF_JOBS
)
"""All kinds of events but Progress."""


class Output(Protocol):
    """A destination of a command's events: a stream, or a file."""

    def emit(self, event: Event) -> None:
        """Write the event. Raise OutputError when it cannot be written."""

    def close(self) -> None:
        """End the output: to be called once, however the command ends. Raise OutputError as `emit` does."""


def on(kind: type[Kind], render: Callable[[Kind], None]) -> Table:
    """Return a row of a table: the kind of event and the function that renders it."""
    return {kind: render}


class Format:
    """An output that renders each event with the function in its table."""

    silent: ClassVar[Kinds]
    """The kinds of events that the format does not show."""
    logs_tests: ClassVar[bool] = False
    """True when the load of a single smoke test, or each of a stress test, is shown before the answer."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._hides_loads = False

    def emit(self, event: Event) -> None:
        if isinstance(event, SmokeBegan):
            self._hides_loads = event.matrix or not self.logs_tests
        if isinstance(event, StressBegan):
            self._hides_loads = not self.logs_tests
        kind = type(event)
        if kind not in self.silent and not (self._hides_loads and kind in OF_LOADS):
            self.table[kind](event)

    def close(self) -> None:
        """Do nothing: a format writes each event at once."""


class Laid(Format):
    """A format whose lines are as wide as the terminal at the time of the event, or 80 columns without one."""

    def __init__(self, sink: Sink, table: Table) -> None:
        super().__init__(table)
        self._sink = sink

    def emit(self, event: Event) -> None:
        with layout.at(self._sink.columns or layout.WIDTH):
            super().emit(event)
