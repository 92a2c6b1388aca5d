"""The results on standard output, held back while a dashboard is shown on the same terminal."""

from __future__ import annotations

from collections.abc import Callable

from loadgen.events import (
    Event,
    FaultBegan,
    FaultEnded,
    Monitored,
    MonitorGap,
    PhaseBegan,
    Progress,
    Sample,
    TopologyChanged,
)
from loadgen.output.formats.format import Kinds, Output
from loadgen.phase import Phase
from loadgen.trial.ended import TrialPhaseBegan, TrialSample

LIVE: Kinds = frozenset(
    {
        Progress,
        PhaseBegan,
        Sample,
        Monitored,
        MonitorGap,
        FaultBegan,
        FaultEnded,
        TrialPhaseBegan,
        TrialSample,
        TopologyChanged,
    }
)
"""The kinds of events that say how a command gets on, which the dashboard has shown."""


class Held:
    """An output that gets its events when the dashboard has gone: all, or in a summary all but those of LIVE."""

    def __init__(self, output: Output, is_shown: Callable[[], bool], *, summary: bool) -> None:
        self._output = output
        self._is_shown = is_shown
        self._summary = summary
        self._silent: Kinds = getattr(output, "silent", frozenset())
        """The kinds that the output would not show, which need not be kept."""
        self._events: list[Event] = []

    def emit(self, event: Event) -> None:
        if not self._is_shown():
            self._release()
            self._output.emit(event)
        elif type(event) not in self._silent and not (self._summary and _is_live(event)):
            self._events.append(event)

    def close(self) -> None:
        """Pass on what was held, and close the output. The dashboard is closed before."""
        try:
            self._release()
        finally:
            self._output.close()

    def _release(self) -> None:
        events, self._events = self._events, []
        for event in events:
            self._output.emit(event)


def _is_live(event: Event) -> bool:
    """Return True for the kinds of LIVE; the phase of a search heads the table of its steps, which stays."""
    return type(event) in LIVE and not (isinstance(event, PhaseBegan) and event.phase == Phase.SEARCH)
