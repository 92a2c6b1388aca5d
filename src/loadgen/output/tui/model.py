"""The state of the dashboard: a fold over all events of a command. No clock and no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadgen.events import (
    Configured,
    Event,
    FaultBegan,
    FaultEnded,
    Monitored,
    MonitorGap,
    PhaseBegan,
    Progress,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
    TopologyChanged,
)
from loadgen.output.tui.faults import Faults
from loadgen.output.tui.load import Load
from loadgen.output.tui.log import Log
from loadgen.output.tui.trials import Trials
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample


class Model:
    """A command's state. Trials are shown as soon as they have begun, and a load until then."""

    def __init__(self, began_s: float, *, can_skip: bool = False) -> None:
        self.began_s = began_s
        """Unix time of the command's start."""
        self.can_skip = can_skip
        """True when the key `n` does something."""
        self.stopping = False
        """True after the user has asked for the end."""
        self.log = Log()
        self.load = Load(self.log)
        self.trials = Trials(self.log)
        load, trials = self.load, self.trials
        self._table: Mapping[type[Event], Callable[[Any], None]] = {
            ServerAwaited: load.server_awaited,
            Configured: load.configured,
            PhaseBegan: load.phase_began,
            Progress: load.progressed,
            Sample: load.sampled,
            Monitored: load.monitored,
            MonitorGap: load.monitor_gap,
            TopologyChanged: load.topology_changed,
            StepTaken: load.step_taken,
            Result: load.ended_load,
            SearchEnded: load.ended_load,
            ChaosBegan: trials.chaos_began,
            TrialBegan: trials.trial_began,
            TrialPhaseBegan: trials.phase_began,
            TrialSample: trials.sample,
            TrialEnded: trials.trial_ended,
            ChaosEnded: trials.chaos_ended,
            FaultBegan: lambda event: self.faults.began(event),
            FaultEnded: lambda event: self.faults.ended(event),
        }

    @property
    def kinds(self) -> frozenset[type[Event]]:
        """The kinds of events that change the state."""
        return frozenset(self._table)

    @property
    def shows_trials(self) -> bool:
        return self.trials.began is not None or self.trials.plan is not None

    @property
    def faults(self) -> Faults:
        """The faults of what is shown."""
        return self.trials.faults if self.shows_trials else self.load.faults

    def tell(self, event: Event) -> None:
        """Change the state by an event. Kinds of other verbs change nothing."""
        if (fold := self._table.get(type(event))) is not None:
            fold(event)
