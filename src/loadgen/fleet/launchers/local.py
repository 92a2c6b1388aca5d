"""Agents as processes of this machine, `local:N`, or in its network namespaces, `netns:NAME,…`.

Each speaks on its standard input, which is a socket.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from loadgen.errors import UsageError, WorkerError
from loadgen.fleet.channel import Channel
from loadgen.host.stop_signals import held_back
from loadgen.units import shown

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
        self.channel = Channel(name, ours, self.ending, self.end, self.process.kill)

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


@contextmanager
def children(agents: Iterable[tuple[str, Sequence[str]]]) -> Iterator[Sequence[Channel]]:
    """Start an agent for each name, behind the command that enters its surroundings; end them on exit."""
    started: list[Child] = []
    try:
        for name, inside in agents:
            argv = [*inside, *own_command(), "--name", name]
            started.append(Child(name, argv, "free some memory, or use fewer agents."))
        yield [child.channel for child in started]
    finally:
        for child in started:
            with contextlib.suppress(OSError):
                child.channel.socket.close()
        for child in started:
            child.end()


@dataclass(frozen=True, slots=True)
class Local:
    """As many agents as asked for."""

    count: int

    @classmethod
    def of(cls, rest: str) -> Self:
        """Return the launcher for the words behind `local:`. Raises UsageError."""
        if not rest.isdecimal() or not 0 < int(rest) <= MOST:
            raise UsageError(f"--on local:N takes a number of agents from 1 to {MOST}, such as local:2.")
        return cls(int(rest))

    @property
    def words(self) -> str:
        return f"local:{self.count}"

    def launch(self, run: str) -> AbstractContextManager[Sequence[Channel]]:
        return children((f"local-{rank}", ()) for rank in range(self.count))


@dataclass(frozen=True, slots=True)
class Namespaces:
    """An agent in each of some network namespaces, by the names that `ip netns` knows."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, rest: str) -> Self:
        """Return the launcher for the words behind `netns:`. Raises UsageError."""
        names = tuple(name.strip() for name in rest.split(","))
        for name in names:
            if not Path("/run/netns", name).exists() or "/" in name or not name:
                raise UsageError(
                    f"--on netns:{shown(rest)}: there is no network namespace {shown(name)}; `ip netns list` names "
                    "those that are there."
                )
        return cls(names)

    @property
    def words(self) -> str:
        return f"netns:{','.join(self.names)}"

    def launch(self, run: str) -> AbstractContextManager[Sequence[Channel]]:
        return children((name, ("ip", "netns", "exec", name)) for name in self.names)
