"""Constructed runs of every verb, as each format prints them."""

from __future__ import annotations

import io
from collections.abc import Iterable

from constructed_campaigns import CAMPAIGNS
from constructed_checks import CHECKS
from constructed_comparisons import COMPARISONS, GATES
from constructed_events import DRY_RUNS, RUNS
from constructed_jobs import JOBS
from constructed_searches import SEARCHES
from constructed_smokes import SMOKES, matrix
from constructed_soaks import SOAKS
from constructed_stress import STRESSES
from constructed_trials import TRIALS

from loadgen.events import Event
from loadgen.output import Output, create

PEOPLE = ("clean", "verbose", "quiet")
ALL = (
    RUNS
    | DRY_RUNS
    | SEARCHES
    | SMOKES
    | GATES
    | COMPARISONS
    | {"matrix": matrix}
    | TRIALS
    | CAMPAIGNS
    | STRESSES
    | CHECKS
    | SOAKS
    | JOBS
)


def text(format: str, run: str, color: str = "auto") -> str:
    stream = io.StringIO()
    emit_all(ALL[run](), create(format, stream, color=color))
    return stream.getvalue()


def emit_all(events: Iterable[Event], output: Output) -> None:
    """Everything that a command says, to one of its outputs."""
    for event in events:
        output.emit(event)
    output.close()
