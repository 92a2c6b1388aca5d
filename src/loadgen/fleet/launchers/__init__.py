"""What launches agents: each launcher is a few dozen lines behind one interface. `launcher_of` reads `--on`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from loadgen.errors import UsageError
from loadgen.fleet.channel import Channel
from loadgen.units import shown


class Launcher(Protocol):
    """Launches agents, and ends them."""

    @property
    def words(self) -> str:
        """The launcher as `--on` has it, without a secret."""

    def launch(self, run: str) -> AbstractContextManager[Sequence[Channel]]:
        """Launch the agents of a run, whose name is random; on exit, end all that was launched.

        Raises WorkerError, with the remedy, when that cannot be done.
        """


FORMS = "local:N, netns:NAME,…, ssh:HOST,…"


def launcher_of(words: str) -> Launcher:
    """Return the launcher that `--on` names. Raises UsageError."""
    kind, _, rest = words.partition(":")
    match kind:
        case "local":
            from loadgen.fleet.launchers.local import Local

            return Local.of(rest)
        case "netns":
            from loadgen.fleet.launchers.local import Namespaces

            return Namespaces.of(rest)
        case _:
            raise UsageError(f"--on {shown(words)} names no launcher of agents; there are {FORMS}.")
