"""What a page shows of a load or of a trial, in the same form for both. Values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.output.tui.line import Line
from loadgen.output.tui.series import Series


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the phases of a load or of a trial, in order."""

    name: str
    is_over: bool = False
    is_on: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """A load or a trial under way."""

    verb: str
    """The name of the command: run, chaos."""
    what: Sequence[str]
    """The server or the client, then what else there is room for."""
    title: str
    """The title of the section that describes the subject."""
    words: str
    """The description, in a sentence."""
    stages: Sequence[Stage]
    share: float | None
    """The share of the stage that is over, from 0 to 1; None where it is unknown."""
    left_ns: float | None
    """The time that the stage takes at most from now; None where it is unknown."""
    note: str
    """Words beside the stages, such as a count of keys."""
    operations: str
    """The noun of the throughput: requests or operations, in short: "req" or "ops"."""
    rate_per_s: float
    top_per_s: float
    """The highest rate so far."""
    latencies: Line
    """The response times of the newest interval, at the right end of the gauge."""
    totals: Line
    series: Series
    whole_s: float
    """The time that the plots show at once, if that is possible; 0 where they scroll."""
    sample_s: float
    """The time between samples."""
    faulted: bool
    """True while a fault is on."""


@dataclass(frozen=True, slots=True)
class Block:
    """The section in the middle of the page: a heading and lines of one table."""

    title: str
    lines: Sequence[Line]
