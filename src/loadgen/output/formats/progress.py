"""How far a long phase has come, on standard error: a bar on a terminal, elsewhere a line per stall.

Rates and the time that is left come from the event's own clock. What cannot be written is let go: a run does not fail
because nobody watches it.
"""

from __future__ import annotations

import contextlib
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from loadgen.escape import printable
from loadgen.events import Progress
from loadgen.output.formats.event import AnyEvent
from loadgen.output.words import figures
from loadgen.units import NS_PER_S

STALL_LINE_EVERY_NS = 5 * NS_PER_S
LONGEST_NOTE = 500
LONGEST_TARGET = 24

NARROWEST_BAR, WIDEST_BAR = 4, 24

_UNITS = {"prefill": "keys", "connect": "connections"}
_PHASES_OF_A_LOAD = ("warmup", "measure", "drain")


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
        line = f"{_title(event)}: {_done(event)} after {event.elapsed_ns / NS_PER_S:.0f} s: {note}"
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):
                print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to clear."""


class Bar:
    """A bar below whatever the results print, redrawn on each Progress event and gone at every other one.

    A stall is a line above it, as it is where no terminal is.

    It goes first: an output that shares its terminal must be given an event after this.
    """

    def __init__(self, stream: TextIO, color: bool) -> None:
        self._console = _Console(file=stream, no_color=not color, highlight=False)
        self._bar: RichProgress | None = None
        self._column = BarColumn(bar_width=WIDEST_BAR)
        self._task = TaskID(0)
        self._stalls = Lines(stream)

    def emit(self, event: AnyEvent) -> None:
        with contextlib.suppress(OSError, ValueError):
            if not isinstance(event, Progress) or self._stalls.is_due(event):
                self.close()
            self._stalls.emit(event)
            if isinstance(event, Progress) and event.total > 0:
                self._draw(event)

    def close(self) -> None:
        """Clears the bar and shows the cursor again; to be called before the program leaves in any way."""
        bar, self._bar = self._bar, None
        if bar is not None:
            with contextlib.suppress(OSError, ValueError):
                bar.stop()

    def _draw(self, event: Progress) -> None:
        title, words = f"{_title(event):<8}", _words(event)
        room = self._console.width - len(title) - len(words) - 3
        if room < NARROWEST_BAR:
            title = printable(title, max(1, len(title) - (NARROWEST_BAR - room)))
        self._column.bar_width = max(NARROWEST_BAR, min(WIDEST_BAR, room))
        if self._bar is None:
            self._bar = RichProgress(
                TextColumn("{task.description}", markup=False),
                self._column,
                TextColumn("{task.fields[words]}", markup=False),
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._bar.add_task(title, total=1.0, words=words)
            self._bar.start()
        self._bar.update(self._task, description=title, completed=_share(event), words=words)
        self._bar.refresh()


class _Console(Console):
    """rich ends the whole program when its stream is a closed pipe; here the bar just stays away."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def create(stream: TextIO | None, color: bool) -> Bar | Lines:
    """What suits the stream: a bar where it is a terminal that can move its cursor."""
    if stream is None or stream.closed or not stream.isatty():
        return Lines(stream)
    return Lines(stream) if Console(file=stream).is_dumb_terminal else Bar(stream, color)


def _title(event: Progress) -> str:
    """Where in the whole it is, of which server, and which phase: "round 3/8, slice 5/24, redis".

    The phases of a slice are too short to be read.
    """
    if event.overall is None:
        return ": ".join(filter(None, [printable(event.target, LONGEST_TARGET), printable(event.phase)]))
    parts = [str(part) for part in event.overall.parts]
    phase = [printable(event.phase)] if event.phase not in _PHASES_OF_A_LOAD or len(parts) < 2 else []
    where = ", ".join([*parts, *filter(None, [printable(event.target, LONGEST_TARGET)])])
    return ": ".join([where, *phase])


def _share(event: Progress) -> float:
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


def _words(event: Progress) -> str:
    """`52.3 %, 123K keys/s, 8 s left`: rate and rest at the mean speed so far, or the most that the whole may take."""
    if event.overall is not None and event.overall.left_ns is not None:
        return f"at most {figures.left(event.overall.left_ns)} left"
    unit = event.unit or _UNITS.get(event.phase)
    words = [f"{figures.share(_share(event)):>5} %"]
    if unit and event.elapsed_ns:
        words.append(f"{figures.rate(event.done * NS_PER_S / event.elapsed_ns)} {unit}/s")
    if event.overall is None and event.done and event.done <= event.total:
        rest_ns = event.elapsed_ns * (event.total - event.done) / event.done if unit else event.total - event.done
        words.append(f"{figures.left(rest_ns)} left")
    return ", ".join(words)
