"""A server by its word, brought up for the inputs of a campaign."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from loadgen.errors import TargetError, UsageError
from loadgen.escape import printable
from loadgen.events import Progress
from loadgen.target.server import ManagedServer
from loadgen.target.talk.identity import identify
from loadgen.verify.fuzz.servers.plans import FIRST, SERVERS, Server
from loadgen.verify.fuzz.servers.server import FuzzedServer
from loadgen.verify.subject.named import AUTO


@dataclass(frozen=True, slots=True)
class Up:
    """A server that is up."""

    server: Server
    identity: str
    """Name and version in its own words."""
    fuzzed: FuzzedServer


def named(word: str) -> Server:
    """Return the server of a word. Raises UsageError for an unknown one, TargetError when it is not installed."""
    if word == AUTO:
        return next(SERVERS[name] for name in FIRST if _is_there(SERVERS[name]))
    if word not in SERVERS:
        raise UsageError(
            f'"{printable(word, 60)}" is no server to fuzz: inputs may do anything to a server, so it is one that '
            f"loadgen starts: {', '.join(SERVERS)}."
        )
    if not _is_there(server := SERVERS[word]):
        raise TargetError(f"{server.program} is not in PATH: install it, or name another server.")
    return server


def _is_there(server: Server) -> bool:
    return not server.program or shutil.which(server.program) is not None


@contextlib.contextmanager
def opened(server: Server, emit: Callable[[Progress], None]) -> Iterator[Up]:
    """Bring up a server, which ends on exit. Raises TargetError when it cannot be brought up."""
    with ManagedServer(server.plan, emit) as managed:
        endpoint = managed.endpoint
        identity = identify(replace(server.plan.target, endpoints=(endpoint,))) or server.plan.name
        with contextlib.closing(FuzzedServer(managed, server.wire)) as fuzzed:
            yield Up(server, identity, fuzzed)
