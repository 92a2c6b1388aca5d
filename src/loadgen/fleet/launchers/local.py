"""Agents as processes of this machine: `local:N`. Each speaks on its standard input, which is a socket."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from loadgen.errors import UsageError, WorkerError
from loadgen.fleet.channel import Channel
from loadgen.host.stop_signals import held_back

MOST = 256

ENDED_WITHIN_S = 2.0


class Child:
    """A program that speaks with its leader on its standard input and output."""

    def __init__(self, name: str, argv: Sequence[str], remedy: str) -> None:
        """Raises WorkerError, which `remedy` ends, when the program cannot be started."""
        ours, theirs = socket.socketpair()
        try:
            with held_back():
                self.process = subprocess.Popen(argv, stdin=theirs.fileno(), stdout=theirs.fileno())
        except OSError as error:
            ours.close()
            raise WorkerError(f"Agent {name} could not be started ({error.strerror}): {remedy}") from None
        finally:
            theirs.close()
        self.channel = Channel(name, ours, self.ending, self.end)

    def ending(self) -> str:
        """Return how the program has ended, in words after its name."""
        try:
            status = self.process.wait(ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            return "closed its channel"
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"ended with exit status {status}"

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


def own_command() -> list[str]:
    """Return the command of this installation's agent."""
    # -P: a file in the current folder must not be imported as a module.
    return [sys.executable, "-P", "-m", "loadgen", "agent"]


@dataclass(frozen=True, slots=True)
class Local:
    """As many agents as asked for."""

    count: int
    inside: tuple[tuple[str, ...], ...] = ()
    """For each agent, the command that its own is put behind, such as one that enters a namespace; may be shorter."""

    @classmethod
    def of(cls, rest: str) -> Self:
        """Return the launcher for the words behind `local:`. Raises UsageError."""
        if not rest.isdecimal() or not 0 < int(rest) <= MOST:
            raise UsageError(f"--on local:N takes a number of agents from 1 to {MOST}, such as local:2.")
        return cls(int(rest))

    @property
    def words(self) -> str:
        return f"local:{self.count}"

    @contextmanager
    def launch(self, run: str) -> Iterator[Sequence[Channel]]:
        children: list[Child] = []
        try:
            for rank in range(self.count):
                before = self.inside[rank] if rank < len(self.inside) else ()
                argv = [*before, *own_command(), "--name", f"local-{rank}"]
                children.append(Child(f"local-{rank}", argv, "free some memory, or use fewer agents."))
            yield [child.channel for child in children]
        finally:
            for child in children:
                with contextlib.suppress(OSError):
                    child.channel.socket.close()
            for child in children:
                child.end()
