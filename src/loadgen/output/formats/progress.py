"""How far a long phase has come, on standard error: a bar on a terminal, elsewhere a line per stall.

Rates and the time that is left come from the event's own clock. What cannot be written is let go: a run does not fail
because nobody watches it.
"""

from __future__ import annotations

import contextlib
from typing import Protocol, TextIO

from loadgen.escape import printable
from loadgen.events import Progress
from loadgen.output.formats.event import AnyEvent
from loadgen.output.words import figures
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.units import NS_PER_S

STALL_LINE_EVERY_NS = 5 * NS_PER_S
LONGEST_NOTE = 500
LONGEST_TARGET = 24

_UNITS: dict[str, str] = {Phase.PREFILL: "keys", Phase.CONNECT: "connections"}


class Lines:
    """Where no terminal is: a plain line when a phase stalls, and again every five seconds while it does."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._printed: tuple[str, int] = ("", 0)
        """The phase and its elapsed time at the last line."""

    def is_due(self, event: Progress) -> bool:
        """Whether `emit` would print this one."""
        phase, elapsed_ns = self._printed
        again = phase == event.phase and elapsed_ns <= event.elapsed_ns < elapsed_ns + STALL_LINE_EVERY_NS
        return bool(event.note) and not again

    def emit(self, event: AnyEvent) -> None:
        if not isinstance(event, Progress) or not self.is_due(event):
            return
        self._printed = (event.phase, event.elapsed_ns)
        note = printable(event.note, LONGEST_NOTE)
        line = f"{title(event)}: {_done(event)} after {event.elapsed_ns / NS_PER_S:.0f} s: {note}"
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):
                print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to clear."""


class Progressing(Protocol):
    """An output of Progress events."""

    def emit(self, event: AnyEvent) -> None: ...

    def close(self) -> None: ...


def create(stream: TextIO | None, color: bool) -> Progressing:
    """What suits the stream: a bar where it is a terminal that can move its cursor."""
    if stream is None or stream.closed or not stream.isatty():
        return Lines(stream)
    from loadgen.output.formats import bar

    return bar.create(stream, color)


def title(event: Progress) -> str:
    """Where in the whole it is, of which server, and which phase: "round 3/8, slice 5/24, redis".

    The phases of a slice are too short to be read.
    """
    if event.overall is None:
        return ": ".join(filter(None, [printable(event.target, LONGEST_TARGET), printable(event.phase)]))
    parts = [str(part) for part in event.overall.parts]
    phase = [printable(event.phase)] if event.phase not in OF_A_LOAD or len(parts) < 2 else []
    where = ", ".join([*parts, *filter(None, [printable(event.target, LONGEST_TARGET)])])
    return ": ".join([where, *phase])


def share(event: Progress) -> float:
    """How much is done: of a phase, or, in whole parts, of what it is a part of. 0 to 1."""
    if event.overall is None:
        return min(1.0, event.done / event.total)
    share = 0.0
    for part in reversed(event.overall.parts):
        share = (part.number - 1 + share) / part.total
    return share


def _done(event: Progress) -> str:
    unit = event.unit or _UNITS.get(event.phase)
    part = figures.share(event.done / event.total) if event.total else figures.NOTHING
    return f"{event.done:,} of {event.total:,} {unit} ({part} %)" if unit else f"{part} %"


def words(event: Progress) -> str:
    """`52.3 %, 123K keys/s, 8 s left`: rate and rest at the mean speed so far, or the most that the whole may take."""
    if event.overall is not None and event.overall.left_ns is not None:
        return f"at most {figures.left(event.overall.left_ns)} left"
    unit = event.unit or _UNITS.get(event.phase)
    words = [f"{figures.share(share(event)):>5} %"]
    if unit and event.elapsed_ns:
        words.append(f"{figures.rate(event.done * NS_PER_S / event.elapsed_ns)} {unit}/s")
    if event.overall is None and event.done and event.done <= event.total:
        rest_ns = event.elapsed_ns * (event.total - event.done) / event.done if unit else event.total - event.done
        words.append(f"{figures.left(rest_ns)} left")
    return ", ".join(words)
