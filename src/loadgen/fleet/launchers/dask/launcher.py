"""`dask:tcp://scheduler:8786` and `dask:local:3`: an agent on each worker of a Dask cluster.

Dask only places the agents and carries their bytes; loads, clocks and liveness are the agents' own.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Self

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.fleet.channel import Channel
from loadgen.fleet.launchers.asked import Asked

WAIT_S = 1.0
LOCAL_S = 30.0
"""How long the workers of a cluster of our own may take to start."""


@dataclass(frozen=True, slots=True)
class Dask:
    """Agents on the workers of a Dask cluster: one that is there, or a local one."""

    address: str
    """Of the scheduler; empty for a cluster on this host, which ends with the launch."""
    workers: int = 0
    """Workers of a local cluster. Of another one, all that are there when it is asked."""
    wait_s: float = WAIT_S
    """How long the first worker of another cluster is waited for."""

    @classmethod
    def of(cls, rest: str, asked: Asked) -> Self:
        """Return the launcher for the words behind `dask:`. Raises UsageError, also without the library."""
        local = re.fullmatch(r"local:(\d{1,4})", rest)
        if not (local and int(local[1])) and not re.fullmatch(r"(tcp|tls)://\S+:\d{1,5}", rest):
            raise UsageError(
                f'--on "dask:{printable(rest, 80)}" is no Dask cluster; write its scheduler\'s address, as in '
                "--on dask:tcp://scheduler:8786, or a number of workers here, as in --on dask:local:3."
            )
        if find_spec("distributed") is None:
            raise UsageError(
                "--on dask:… needs the library distributed, which is not installed: pip install 'loadgen[dask]'"
            )
        return cls("", int(local[1])) if local else cls(rest, 0, WAIT_S if asked.wait_s is None else asked.wait_s)

    @property
    def words(self) -> str:
        return f"dask:{self.address or f'local:{self.workers}'}"

    @contextlib.contextmanager
    def launch(self, run: str) -> Iterator[list[Channel]]:
        """Start an agent on each worker. Raises WorkerError: no scheduler, no worker, or one that cannot run it."""
        # Not before a cluster is asked for: it takes a while, and may not be installed.
        from loadgen.fleet.launchers.dask.cluster import checked_workers, client_of, local_client
        from loadgen.fleet.launchers.dask.relay import BEGIN_S, Relay

        with client_of(self.address) if self.address else local_client(self.workers) as client:
            workers = checked_workers(client, self.workers or 1, self.wait_s if self.address else LOCAL_S)
            with contextlib.ExitStack() as until_end:
                relays = []
                for rank, (address, has_resource) in enumerate(workers.items()):
                    relays.append(Relay(client, f"{run}-{rank}", address, has_resource))
                    until_end.callback(relays[-1].end)
                until_s = time.monotonic() + BEGIN_S
                for relay in relays:
                    relay.await_beginning(until_s)
                yield [relay.channel for relay in relays]
