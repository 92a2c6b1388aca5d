"""What launches agents: each launcher is a few dozen lines behind one interface. `launcher_of` reads `--on`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from loadgen.errors import UsageError
from loadgen.fleet.channel import Channel
from loadgen.fleet.launchers.asked import Asked
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


FORMS = "local:N, netns:NAME, ssh:HOST,…, tcp:HOST:PORT,…, listen:PORT:N, dask:tcp://HOST:PORT, dask:local:N, fly:APP:N"


def launcher_of(words: str, asked: Asked | None = None) -> Launcher:
    """Return the launcher that `--on` names. Raises UsageError."""
    asked = asked or Asked()
    kind, _, rest = words.partition(":")
    match kind:
        case "local":
            from loadgen.fleet.launchers.local import Local

            return Local.of(rest)
        case "netns":
            from loadgen.fleet.launchers.local import Namespaces

            return Namespaces.of(rest)
        case "ssh":
            from loadgen.fleet.launchers.ssh import Ssh

            return Ssh.of(rest, asked)
        case "tcp":
            from loadgen.fleet.launchers.tcp import Tcp

            return Tcp.of(rest, asked)
        case "listen":
            from loadgen.fleet.launchers.listen import Listen

            return Listen.of(rest, asked)
        case "dask":
            from loadgen.fleet.launchers.dask.launcher import Dask

            return Dask.of(rest, asked)
        case "fly":
            from loadgen.fleet.launchers.fly import Fly

            return Fly.of(rest, asked)
        case _:
            raise UsageError(f"--on {shown(words)} names no launcher of agents; there are {FORMS}.")
