"""A program of this machine that speaks with its leader on its standard input and output: an agent, or ssh to one."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from loadgen.errors import WorkerError
from loadgen.escape import printable
from loadgen.fleet.channel import Channel
from loadgen.host.stop_signals import held_back

ENDED_WITHIN_S = 2.0

STDERR_BYTES = 4096
"""How much of a program's last words is read."""

Explain = Callable[[int, str], str]
"""A function of an exit status (negative: the signal) and the last words on standard error, empty where these are not
kept. It returns how the program ended, in words after its name."""


def words_of(status: int, stderr: str) -> str:
    """Return how a program ended, with the last line that it wrote to standard error."""
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
    last = stderr.strip().rpartition("\n")[2].strip()
    return f"{how}: {printable(last)}" if last else how


def own_command() -> list[str]:
    """Return the command of this installation's agent."""
    # -P: a file in the current folder must not be imported as a module.
    return [sys.executable, "-P", "-m", "loadgen", "agent"]


class Child:
    """A program that speaks with its leader on its standard input and output."""

    def __init__(
        self, name: str, argv: Sequence[str], remedy: str, *, explain: Explain = words_of, keeps_words: bool = False
    ) -> None:
        """Raises WorkerError, which `remedy` ends, when the program cannot be started.

        With `keeps_words`, standard error is for `explain`; otherwise it is ours.
        """
        ours, theirs = socket.socketpair()
        # A file and no pipe: nobody reads while the program runs, and a full pipe would stop it.
        self._words: IO[bytes] | None = tempfile.TemporaryFile() if keeps_words else None  # noqa: SIM115
        self._explain = explain
        try:
            with held_back():
                self.process = subprocess.Popen(argv, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._words)
        except OSError as error:
            ours.close()
            self._forget_words()
            raise WorkerError(f"Agent {name} could not be started ({error.strerror}): {remedy}") from None
        finally:
            theirs.close()
        self.channel = Channel(name, ours, self.ending, self.end, self.process.kill)

    def ending(self) -> str:
        """Return how the program has ended, in words after its name."""
        try:
            status = self.process.wait(ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            return "closed its channel"
        if self._words is None:
            return self._explain(status, "")
        self._words.seek(max(0, self._words.seek(0, 2) - STDERR_BYTES))
        return self._explain(status, self._words.read().decode(errors="replace"))

    def end(self) -> None:
        """End the program, which ends by itself when it is told goodbye or its channel closes."""
        with contextlib.suppress(OSError):
            self.channel.socket.shutdown(socket.SHUT_WR)
        try:
            self.process.wait(ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            # A process that is stopped takes no other signal.
            self.process.kill()
            self.process.wait()
        self._forget_words()

    def _forget_words(self) -> None:
        if self._words is not None:
            self._words.close()
            self._words = None


@contextmanager
def ended(children: Iterable[Child]) -> Iterator[Sequence[Channel]]:
    """Start children, one after the other, and end them on exit, all at the same time."""
    started: list[Child] = []
    try:
        for child in children:
            started.append(child)
        yield [child.channel for child in started]
    finally:
        for child in started:
            with contextlib.suppress(OSError):
                child.channel.socket.close()
        for child in started:
            child.end()
