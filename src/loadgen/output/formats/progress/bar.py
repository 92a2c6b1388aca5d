"""Progress as a bar at the foot of a terminal."""

from __future__ import annotations

import contextlib
from typing import ClassVar, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

from loadgen.escape import printable
from loadgen.events import Event, FaultBegan, FaultEnded, Progress
from loadgen.jobs.load.ended import JobsBegan, JobsProgress
from loadgen.output.formats.format import OF_RESULTS, Format, Kinds, on
from loadgen.output.formats.progress.lines import Lines
from loadgen.output.words import jobs
from loadgen.output.words.progress import fault, share, title, words

NARROWEST_BAR, WIDEST_BAR = 4, 24


class Bar(Format):
    """A bar below the results, redrawn on each Progress event and cleared on every other event.

    A test of jobs has its progress drawn where no output prints it.

    A stall is printed as a line above the bar, as in Lines. Pass each event to the bar before the output that shares
    its terminal.
    """

    silent: ClassVar[Kinds] = frozenset()

    def __init__(self, stream: TextIO, color: bool, unprinted: Kinds = frozenset()) -> None:
        """`unprinted` are the kinds of events for which nothing is printed."""
        super().__init__(
            {
                **on(Progress, self._progress),
                **dict.fromkeys(OF_RESULTS, self._anything_else),
                **dict.fromkeys(unprinted, self._nothing),
                **on(FaultBegan, self._fault_began),
                **on(FaultEnded, self._fault_ended),
            }
        )
        if JobsProgress in unprinted:
            self.table = {**self.table, **on(JobsBegan, self._jobs_began), **on(JobsProgress, self._jobs_progress)}
        self._place = ""
        """The place of a test of jobs among those of the command, in words."""
        self._faults: list[str] = []
        """The faults that last, in words."""
        self._console = _Console(file=stream, no_color=not color, highlight=False)
        self._bar: RichProgress | None = None
        self._column = BarColumn(bar_width=WIDEST_BAR)
        self._task = TaskID(0)
        self._stalls = Lines(stream)

    def _progress(self, event: Progress) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._stalls.is_due(event):
                self.close()
            self._stalls.line(event)
            if event.total > 0:
                self._draw(title(event), share(event), words(event))

    def _jobs_began(self, event: JobsBegan) -> None:
        self._place = jobs.place(event)
        self.close()

    def _jobs_progress(self, event: JobsProgress) -> None:
        where = ": ".join(filter(None, [self._place, jobs.stage(event)]))
        with contextlib.suppress(OSError, ValueError):
            self._draw(where, jobs.share(event), jobs.progress(event))

    def _fault_began(self, event: FaultBegan) -> None:
        self._faults.append(fault(event))
        self.close()

    def _fault_ended(self, event: FaultEnded) -> None:
        if (ended := fault(event)) in self._faults:
            self._faults.remove(ended)
        self.close()

    def _anything_else(self, event: Event) -> None:
        self.close()

    def _nothing(self, event: Event) -> None:
        """Leave the bar where it is."""

    def close(self) -> None:
        """Clear the bar and show the cursor again. Call it before the program ends in any way."""
        bar, self._bar = self._bar, None
        if bar is not None:
            with contextlib.suppress(OSError, ValueError):
                bar.stop()

    def _draw(self, where: str, share: float | None, words: str) -> None:
        """Draw the bar; without a share, as how much there is to do is not known, it has no end."""
        where, said = f"{where:<8}", ", ".join([words, *self._faults])
        room = self._console.width - len(where) - len(said) - 3
        if room < NARROWEST_BAR:
            where = printable(where, max(1, len(where) - (NARROWEST_BAR - room)))
        self._column.bar_width = max(NARROWEST_BAR, min(WIDEST_BAR, room))
        total = None if share is None else 1.0
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
            self._task = self._bar.add_task(where, total=total, words=said)
            self._bar.start()
        self._bar.update(self._task, description=where, total=total, completed=share or 0.0, words=said)
        self._bar.refresh()


class _Console(Console):
    """A console that goes quiet when its stream is a closed pipe; rich's own would exit the program."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def create(stream: TextIO, color: bool, unprinted: Kinds) -> Bar | Lines:
    """Return a bar, or lines when the terminal cannot move its cursor."""
    return Lines(stream) if Console(file=stream).is_dumb_terminal else Bar(stream, color, unprinted)
