"""Progress on a stream that is no terminal: a line when a phase stalls."""

from __future__ import annotations

import contextlib
from typing import TextIO

from loadgen.escape import printable
from loadgen.events import Progress
from loadgen.output.formats.format import OF_RESULTS, Format, on
from loadgen.output.words.progress import done, title
from loadgen.units import NS_PER_S

STALL_LINE_EVERY_NS = 5 * NS_PER_S
LONGEST_NOTE = 500


class Lines(Format):
    """A plain line when a phase stalls, repeated every STALL_LINE_EVERY_NS while the stall lasts."""

    silent = OF_RESULTS

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(on(Progress, self.line))
        self._stream = stream
        self._printed: tuple[str, int] = ("", 0)
        """The phase of the last line, and the phase's elapsed time then."""

    def is_due(self, event: Progress) -> bool:
        """Return True when `line` would print this event."""
        phase, elapsed_ns = self._printed
        again = phase == event.phase and elapsed_ns <= event.elapsed_ns < elapsed_ns + STALL_LINE_EVERY_NS
        return bool(event.note) and not again

    def line(self, event: Progress) -> None:
        if not self.is_due(event):
            return
        self._printed = (event.phase, event.elapsed_ns)
        note = printable(event.note, LONGEST_NOTE)
        line = f"{title(event)}: {done(event)} after {event.elapsed_ns / NS_PER_S:.0f} s: {note}"
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):
                print(line, file=self._stream, flush=True)
