"""The connection to a Dask cluster, and its workers."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import dask.config
from distributed import Client, LocalCluster
from distributed.security import Security

from loadgen.errors import UsageError, WorkerError
from loadgen.escape import printable
from loadgen.fleet.launchers.dask.messages import RESOURCE, Versions
from loadgen.fleet.launchers.dask.task import versions
from loadgen.host.stop_signals import held_back

CONNECT_S = 5.0

# For a cluster of our own; of another one, its owner decides. A task that is run again is turned away in any case.
SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.profile.enabled": False,
}

# Without an address, a scheduler's page of health is at port 8787, which another scheduler may have.
NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


@contextlib.contextmanager
def client_of(address: str) -> Iterator[Client]:
    """Connect to a scheduler. Raises WorkerError, and UsageError where TLS has no certificates."""
    silence()
    if address.startswith("tls:") and Security().get_connection_args("client").get("ssl_context") is None:
        raise UsageError(
            f"--on dask:{address} needs certificates in Dask's own configuration: distributed.comm.tls.ca-file, "
            "client.cert and client.key, or DASK_DISTRIBUTED__COMM__TLS__CA_FILE and so on in the environment."
        )
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"No Dask scheduler was reached at {address} ({printable(str(error))}): start one there, dask scheduler, "
            "and workers, dask worker."
        ) from None
    with client:
        yield client


@contextlib.contextmanager
def local_client(workers: int) -> Iterator[Client]:
    """Start a scheduler in this process and workers as processes of this host, and connect to it."""
    silence()
    with contextlib.ExitStack() as until_end:
        until_end.enter_context(dask.config.set(SETTINGS))
        folder = until_end.enter_context(tempfile.TemporaryDirectory(prefix="loadgen-dask-"))
        cluster = until_end.enter_context(
            LocalCluster(n_workers=0, processes=False, protocol="tcp", scheduler_kwargs=NO_DASHBOARD)
        )
        for _ in range(workers):
            until_end.callback(end_worker, started_worker(cluster.scheduler_address, folder))
        yield until_end.enter_context(Client(cluster, set_as_default=False))


def started_worker(scheduler: str, folder: str) -> subprocess.Popen[bytes]:
    """Start a worker as docs/SCALE.md has it, which does not come again when it is lost. Raises WorkerError."""
    program = [sys.executable, "-P", "-m", "dask", "worker", scheduler, "--local-directory", folder]
    options = "--nworkers 1 --nthreads 1 --no-nanny --no-dashboard --memory-limit 0 --death-timeout 30 --resources"
    try:
        # Ctrl-C ends the load, and not the workers that have its agents.
        with held_back():
            return subprocess.Popen(
                [*program, *options.split(), f"{RESOURCE}=1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    except OSError as error:
        raise WorkerError(f"A Dask worker could not be started ({error.strerror}): use fewer.") from None


def end_worker(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker, which has nothing left to do: to let it close takes seconds."""
    worker.kill()
    worker.wait()


def silence() -> None:
    """Keep Dask's log off the terminal: what matters of it is told in our own words."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def checked_workers(client: Client, least: int, wait_s: float) -> dict[str, bool]:
    """Return the workers' addresses, and of each if it has our resource, once `least` are there. Raises WorkerError:
    there are none in time, or one cannot run an agent of this version."""
    try:
        client.wait_for_workers(least, timeout=wait_s)
    except TimeoutError:
        raise WorkerError("The Dask scheduler has no workers: start some, dask worker SCHEDULER.") from None
    ours = versions()
    for address, theirs in client.run(versions, on_error="return").items():
        if not isinstance(theirs, Versions):
            raise WorkerError(
                f"Dask worker {address} cannot run an agent ({printable(str(theirs))}): install loadgen {ours.loadgen} "
                "in its environment, pip install 'loadgen[dask]'."
            )
        for what, here, there in zip(ours._fields, ours, theirs, strict=True):
            if here != there:
                raise WorkerError(
                    f"Dask worker {address} has {what} {printable(there)}, and here is {here}: give both the same."
                )
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return {address: RESOURCE in worker["resources"] for address, worker in sorted(workers.items())}
