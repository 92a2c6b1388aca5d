"""Words → agents: where a command line has its work done, and what is refused there."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from loadgen import output
from loadgen.cli.options import Given
from loadgen.errors import UsageError
from loadgen.fleet.fleet import Fleet, launched
from loadgen.fleet.launchers import Launcher, launcher_of
from loadgen.fleet.launchers.asked import Asked
from loadgen.fleet.link import LOST_NS
from loadgen.fleet.token import token_of
from loadgen.plan import Plan
from loadgen.units import NS_PER_S

REMOTE = "LOADGEN_REMOTE"
"""The variable of the environment that says what --remote-command does."""

MEANT_FOR = {
    "remote_command": ("ssh",),
    "token_file": ("tcp", "listen"),
    "expect_wait": ("tcp", "listen", "dask", "fly"),
}
"""The launchers that each of these flags is for."""

QUIET_S = 2.0
"""The time for which nothing is said of agents that have not come yet."""


def launcher(given: Given) -> Launcher | None:
    """Return what launches agents; None where the work is done here. Raises UsageError."""
    where, machines = given.get("on"), given.get("machines")
    if where is not None and machines is not None:
        raise UsageError("--machines N is the same as --on local:N: keep one of them.")
    refuse_unmeant(given, where or "")
    if where is None and machines is None:
        if given.get("dry_run"):
            raise UsageError("--dry-run shows what agents would do, and none are asked for: add --on local:2, say.")
        return None
    wait_ns = given.get("expect_wait")
    asked = Asked(
        token=token_of(given.get("token_file")),
        remote_command=given.get("remote_command") or os.environ.get(REMOTE) or "loadgen",
        wait_s=wait_ns / NS_PER_S if wait_ns is not None else None,
        say=output.remark,
    )
    return launcher_of(where if where is not None else f"local:{machines}", asked)


def refuse_unmeant(given: Given, where: str) -> None:
    """Raise UsageError for a flag that means nothing to the launcher."""
    for name, kinds in MEANT_FOR.items():
        if given.get(name) is not None and where.partition(":")[0] not in kinds:
            forms = " or ".join(f"{kind}:…" for kind in kinds)
            raise UsageError(f"--{name.replace('_', '-')} is for --on {forms}: leave it out.")


@contextmanager
def agents(given: Given, launcher: Launcher, lost_ns: int = LOST_NS) -> Iterator[Fleet]:
    """Launch the agents, and end them on exit. One is lost when it has been silent for `lost_ns`.

    Raises UsageError, and WorkerError as `launched` does.
    """
    with launched(launcher, _Coming(), lost_ns) as fleet:
        yield fleet


class _Coming:
    """Says how many agents have come, where that takes a while."""

    def __init__(self) -> None:
        self._said_s = time.monotonic()
        self._said = -1

    def __call__(self, here: int, of: int) -> None:
        if here != self._said and time.monotonic() - self._said_s > QUIET_S:
            self._said_s, self._said = time.monotonic(), here
            output.remark(f"{here} of {of} agents have come")


def refuse(plan: Plan, tests: str | None) -> None:
    """Raise UsageError for what agents cannot do."""
    if tests is not None:
        raise UsageError(f"{tests} runs tests one after another, and agents have one load each: keep one of them.")
    if plan.history is not None:
        raise UsageError(
            "a history is one file of one machine, and agents send from several: leave out --history, or --on."
        )
    if plan.target.tls is not None and any((plan.target.tls.ca_file, plan.target.tls.cert, plan.target.tls.ca_dir)):
        output.remark("warning: the certificates' files must be on each agent's machine, at the same paths")


def doubts(plan: Plan, launcher: Launcher) -> Iterator[str]:
    """Yield what is likely to be wrong: servers whose addresses mean another machine on each agent's."""
    if launcher.words.startswith(("local:", "dask:local:")):
        return
    for endpoint in plan.target.endpoints:
        if endpoint.path or ipaddress.ip_address(endpoint.address).is_loopback:
            yield f"{endpoint} is another server on each agent's machine: name the server by an address that all reach"
