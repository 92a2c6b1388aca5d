"""The processes of one machine that run seeds: orders to them, and what they say, which is passed on as it is.

A process that ends in the middle of its work, as a seed may end it, is followed by another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from loadgen.fleet.seed_messages import (
    Answer,
    Finish,
    Finished,
    Known,
    Order,
    Prepare,
    ProcessEnded,
    Ready,
    Shorten,
    Take,
    Unable,
)

END_S = 1.0
"""How long all processes together may take to end, with the servers that they have started."""


class Process(Protocol):
    """A child process that receives and sends messages, such as `loadgen.worker.process.MessageProcess`."""

    def tell(self, message: object) -> None:
        """Send a message; nothing is sent to a process that has ended."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when `hear` returns or raises at once."""

    def hear(self) -> Answer:
        """Return the next message. Raises EOFError after the last: how the process ended, after its name."""

    def close(self) -> None:
        """Close the pipe, at which the process ends when it next looks at it."""

    def end(self, patience_s: float) -> None:
        """Close the pipe, wait until the process has ended, and kill it after so long."""


class SeedProcesses:
    """The processes of one machine."""

    def __init__(self, start: Callable[[], Process]) -> None:
        """`start` starts a process, which is to be told a `Prepare` first. It may raise WorkerError."""
        self._start = start
        self._prepare: Prepare | None = None
        self._processes: dict[int, Process] = {}
        self._ready: set[int] = set()
        self._finished: set[int] = set()
        self._next = 0
        self._known: list[Known] = []
        """The failures that were found, which a process that is started later is told, too."""

    def tell(self, order: Order) -> None:
        """Carry out an order of the leader. Raises WorkerError where a process cannot be started."""
        match order:
            case Prepare(processes=processes):
                self._prepare = order
                for _ in range(processes):
                    self._add()
            case Take(process) | Shorten(process):
                if process in self._processes:
                    self._processes[process].tell(order)
            case Known() | Finish():
                self._known += [order] if isinstance(order, Known) else []
                for each in self._processes.values():
                    each.tell(order)

    def filenos(self) -> dict[int, int]:
        """Return by descriptor the number of the process that has something to say when it is readable."""
        return {each.fileno(): number for number, each in self._processes.items()}

    def hear(self, number: int) -> Answer:
        """Return the next message of a process that has one. Raises WorkerError where none can be started for it."""
        process = self._processes[number]
        try:
            answer = process.hear()
        except EOFError as ending:
            del self._processes[number]
            process.end(0.0)
            if number not in self._ready:
                return Unable(f"a process for its seeds {ending} before it was ready.")
            if number in self._finished:
                return Finished(number)
            return ProcessEnded(number, str(ending), self._add())
        if isinstance(answer, Ready):
            self._ready.add(number)
        if isinstance(answer, Finished):
            self._finished.add(number)
        return answer

    def end(self) -> None:
        """End every process, and with it the servers that it has started."""
        for each in self._processes.values():
            each.close()
        until_s = time.monotonic() + END_S
        for each in self._processes.values():
            each.end(max(0.0, until_s - time.monotonic()))
        self._processes.clear()

    def _add(self) -> int:
        assert self._prepare is not None
        number, self._next = self._next, self._next + 1
        process = self._start()
        self._processes[number] = process
        process.tell(replace(self._prepare, process=number))
        for known in self._known:
            process.tell(known)
        return number
