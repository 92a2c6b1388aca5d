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
    torn_blocks: int = 0
    """Blocks that were not written to their end, and are left out."""
    unclosed_workers: int = 0
    """Workers that ended before their time, or still write: their last records are missing."""
    missing_writes: int = 0
    """Values that were read, and whose writes are among the missing records."""
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
        found = []
        if self.torn_blocks:
            one = self.torn_blocks == 1
            blocks = "a block that was" if one else f"{self.torn_blocks:,} blocks that were"
            words = f"{self.torn_bytes:,} bytes are of {blocks} not written to {'its' if one else 'their'} end, and "
            found.append(Reason(Code.HISTORY_TORN, f"{words}{'is' if one else 'are'} left out"))
        if self.unclosed_workers:
            found.append(Reason(Code.HISTORY_NOT_WHOLE, self._not_whole()))
        return tuple(found)

    def _not_whole(self) -> str:
        one = self.unclosed_workers == 1
        workers = "a worker" if one else f"{self.unclosed_workers:,} workers"
        words = f"the history is not whole: {workers} ended before {'its' if one else 'their'} time, or "
        words += f"still {'writes' if one else 'write'}, and {'its' if one else 'their'} last records are missing"
        if self.missing_writes:
            values = "a value that was read is" if self.missing_writes == 1 else f"{self.missing_writes:,} values are"
            words += f"; {values} taken to have been written at any time, as the record of the write is missing"
        return words

    @property
    def severity(self) -> Severity:
        """A violation is one, whatever else could not be judged."""
        if self.answer.found:
            return Severity.FAILED
        return Severity.gravest(doubt.severity for doubt in self.doubts)
