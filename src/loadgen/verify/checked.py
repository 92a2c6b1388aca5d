"""The event of a history that was checked. A value; no I/O."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadgen.events import Ending
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.verify.checkers.answer import Answer


@dataclass(frozen=True, slots=True)
class HistoryChecked(Ending):
    """The end of `loadgen check`."""

    path: str
    answer: Answer
    version: str
    took_ns: int
    """The time to read the history and to judge it."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the history says of itself: origin, clock, sampling."""
    torn_bytes: int = 0
    """Of the last block, which was not written to its end."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""

    @property
    def doubts(self) -> tuple[Reason, ...]:
        """The reasons why this is no pass, apart from violations."""
        answer = self.answer
        if answer.nothing:
            return (Reason(Code.NOTHING_JUDGED, answer.nothing, Severity.UNKNOWN),)
        if not answer.unjudged_count:
            return ()
        shown = [f"{f'key {each.key}' if each.key else 'the history'}: {each.why}" for each in answer.unjudged]
        more = answer.unjudged_count - len(shown)
        said = "; ".join([*shown, *[f"and {more:,} more"] * bool(more)])
        words = f"{answer.unjudged_count:,} of {answer.keys:,} keys were not judged: {said}"
        return (Reason(Code.KEYS_UNJUDGED, words, Severity.UNKNOWN),)

    @property
    def notes(self) -> tuple[Reason, ...]:
        """Remarks on an answer that holds."""
        words = f"the last {self.torn_bytes:,} bytes are a block that was not written to its end: it is left out"
        return (Reason(Code.HISTORY_TORN, words),) * bool(self.torn_bytes)

    @property
    def severity(self) -> Severity:
        """A violation is one, whatever else could not be judged."""
        if self.answer.found:
            return Severity.FAILED
        return Severity.gravest(doubt.severity for doubt in self.doubts)
