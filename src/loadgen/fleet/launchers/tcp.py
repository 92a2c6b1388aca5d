"""`tcp:host1:7700,host2:7700`: agents that listen already, and are called. They know us by the token.

This file also has what every channel over TCP shares.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

from loadgen.errors import UsageError, WorkerError
from loadgen.fleet.channel import Channel
from loadgen.fleet.frame import Kind, frame
from loadgen.fleet.launchers.asked import Asked
from loadgen.plan import Endpoint
from loadgen.server_address import parse_endpoint

CONNECT_TIMEOUT_S = 5.0
RETRY_S = 0.5
"""The pause between two attempts to reach an agent that is not there yet."""

COMMAND = "loadgen agent --listen {} --token-file FILE"


@dataclass(frozen=True, slots=True)
class Tcp:
    """Agents that listen, each at an address."""

    places: tuple[Endpoint, ...]
    token: str = field(repr=False)
    wait_s: float = 0.0
    """How long an agent that is not there yet is tried again."""

    @classmethod
    def of(cls, rest: str, asked: Asked) -> Self:
        """Return the launcher for the words behind `tcp:`. Raises UsageError."""
        try:
            places = tuple(parse_endpoint(word.strip()) for word in rest.split(","))
        except ValueError as error:
            raise UsageError(f"--on tcp: {error}.") from None
        for place in places:
            if place.path:
                raise UsageError(f'--on tcp: "{place}" is a Unix socket, and agents are at host:port.')
            if places.count(place) > 1:
                raise UsageError(f"--on tcp: {place} is there twice, and an agent has one leader: name each once.")
        return cls(places, asked.checked_token(f"tcp:{rest}"), asked.wait_s or 0.0)

    @property
    def words(self) -> str:
        return f"tcp:{','.join(map(str, self.places))}"

    @contextlib.contextmanager
    def launch(self, run: str) -> Iterator[list[Channel]]:
        """Connect to every agent. Raises WorkerError with a sentence for each that was not reached."""
        with contextlib.ExitStack() as until_end:
            connections = reached(self.places, self.wait_s)
            yield [
                until_end.enter_context(called(str(place), connection, self.token))
                for place, connection in zip(self.places, connections, strict=True)
            ]


def reached(places: Sequence[Endpoint], wait_s: float) -> list[socket.socket]:
    """Return a connection to each place. Raises WorkerError with a sentence for each that has none."""
    until_s = time.monotonic() + wait_s
    with contextlib.ExitStack() as on_failure:
        connections: list[socket.socket] = []
        problems = []
        for place in places:
            try:
                connections.append(on_failure.enter_context(connected(place, until_s, connections)))
            except OSError as error:
                problems.append(
                    f"No agent was reached at {place} ({reason_of(error)}): start one there, {COMMAND.format(place)}."
                )
        if problems:
            raise WorkerError("\n".join(problems))
        on_failure.pop_all()
    return connections


def connected(place: Endpoint, until_s: float, others: Sequence[socket.socket]) -> socket.socket:
    """Connect, again and again until a time of the monotonic clock. Raises the last attempt's OSError."""
    while True:
        try:
            return socket.create_connection((place.host, place.port), CONNECT_TIMEOUT_S)
        except OSError:
            if time.monotonic() + RETRY_S > until_s:
                raise
            for other in others:
                is_there(other)
            time.sleep(RETRY_S)


def is_there(connection: socket.socket) -> bool:
    """Send an agent a sign of life, as it gives up a leader that is silent. Return False when the agent is gone."""
    try:
        connection.sendall(frame(Kind.BEAT))
    except OSError:
        return False
    return True


def reason_of(error: OSError) -> str:
    """Return what the system says of an error of a socket; Python adds more to `strerror`, or says nothing."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or f"no answer within {CONNECT_TIMEOUT_S:g} s"
    return os.strerror(error.errno)


@contextlib.contextmanager
def called(name: str, connection: socket.socket, token: str) -> Iterator[Channel]:
    """Make a channel of a connection, until the end."""
    connection.settimeout(None)
    # A message is a few hundred bytes and urgent.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def end() -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    with closing(connection):
        yield Channel(name, connection, lambda: "closed the connection", end, token=token)
