"""Constructed runs of every verb, and how each format prints them."""

from __future__ import annotations

import io
from typing import Any, TextIO

from constructed_comparisons import COMPARISONS, GATES
from constructed_events import RUNS
from constructed_searches import SEARCHES
from constructed_smokes import SMOKES, matrix

from loadgen.output import create, create_comparison, create_smoke

PEOPLE = ("clean", "verbose", "quiet")
ALL = RUNS | SEARCHES | SMOKES | GATES | COMPARISONS | {"matrix": matrix}


def output_for(run: str, format: str, stream: TextIO, color: str = "auto") -> Any:
    """What the verb of such a run would write to."""
    if run == "matrix" or run in SMOKES:
        return create_smoke(format, stream, color=color, matrix=run == "matrix")
    if run in GATES or run in COMPARISONS:
        return create_comparison(format, stream, color=color, gate=run in GATES)
    return create(format, stream, color=color)


def text(format: str, run: str, color: str = "auto") -> str:
    stream = io.StringIO()
    output = output_for(run, format, stream, color)
    for event in ALL[run]():
        output.emit(event)
    return stream.getvalue()
