"""Agents as processes of this machine, `local:N`, or in its network namespaces, `netns:NAME,…`.

Each speaks on its standard input, which is a socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from loadgen.errors import UsageError
from loadgen.fleet.channel import Channel
from loadgen.fleet.launchers.child import Child, ended, own_command
from loadgen.host import namespaces
from loadgen.units import shown

MOST = 256


def children(agents: Iterable[tuple[str, Sequence[str]]]) -> AbstractContextManager[Sequence[Channel]]:
    """Start an agent for each name, behind the command that enters its surroundings; end them on exit."""
    return ended(
        Child(name, [*inside, *own_command()], "free some memory, or use fewer agents.") for name, inside in agents
    )


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
            if obstacle := namespaces.obstacle(name):
                raise UsageError(f"--on netns:{shown(rest)}: {obstacle}.")
        return cls(names)

    @property
    def words(self) -> str:
        return f"netns:{','.join(self.names)}"

    def launch(self, run: str) -> AbstractContextManager[Sequence[Channel]]:
        return children((name, namespaces.inside(name)) for name in self.names)
