"""The events of a soak: its beginning, its baseline, each checkpoint, what happens between, and its end. Values."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from loadgen.events import Ending, Event
from loadgen.reason import Reason
from loadgen.severity import Severity
from loadgen.soak.asked import Asked
from loadgen.soak.checkpoints import Base, Checkpoint
from loadgen.soak.found import End, Found, How

# Formats of every command know these events, and only a soak needs what judges one.
if TYPE_CHECKING:
    from loadgen.soak.verdict import Verdict


class Noted(StrEnum):
    """What a note is of."""

    GAP = "gap"
    RESTART = "restart"
    WARN = "warn"
    BREACH = "breach"
    EVIDENCE = "evidence"
    PAUSE = "pause"
    RESUME = "resume"
    EXTENDED = "extended"
    PEER = "peer"
    """What a second server, which this one is held against, has come to: a checkpoint, or what happens to it."""


@dataclass(frozen=True, slots=True)
class SoakBegan(Event):
    """The beginning of a soak, before it settles."""

    asked: Asked
    version: str
    folder: str
    """The run folder; empty without one."""
    target: str
    """Who is soaked, in words: the server's name and its addresses."""
    load: str
    """What load is put on it, in words."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def expected_end_s(self) -> float:
        """When the soak is over if nothing holds it up, in Unix time."""
        return self.wall_s + self.asked.schedule.settle_s + self.asked.schedule.duration_s


@dataclass(frozen=True, slots=True)
class SoakBaseline(Event):
    """The soak has settled: what growth is counted from."""

    asked: Asked
    bases: Mapping[str, Base]
    load: str = ""
    """The load from now on, in words, where settling has found its rate; else empty."""
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class SoakCheckpoint(Event):
    """A checkpoint was reached."""

    asked: Asked
    checkpoint: Checkpoint
    wall_s: float = field(default_factory=time.time)

    @property
    def expected_end_s(self) -> float:
        return self.wall_s + max(0.0, self.asked.schedule.duration_s - self.checkpoint.t_s)


@dataclass(frozen=True, slots=True)
class SoakNoted(Event):
    """Something happened between two checkpoints."""

    kind: Noted
    t_s: float
    """In seconds of the soak."""
    words: str
    """A sentence without a full stop."""
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class SoakEnded(Ending):
    """The end of a soak, or of the judgement of a recorded one."""

    asked: Asked
    found: Found
    end: End
    verdict: Verdict
    version: str
    host: str
    """The fingerprint of the machine that the soak ran on."""
    target: str
    folder: str
    began_wall_s: float
    notes: tuple[Reason, ...] = ()
    """Remarks on a verdict that holds."""
    replayed: bool = False
    """True when a recorded soak was judged again."""
    wall_s: float = field(default_factory=time.time)

    @property
    def severity(self) -> Severity:
        """COULD_NOT_RUN when loadgen itself could not go on; else that of the verdict."""
        return Severity.COULD_NOT_RUN if self.end.how is How.FAILED else self.verdict.severity
