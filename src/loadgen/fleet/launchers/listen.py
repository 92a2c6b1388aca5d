"""`listen:7700:10`: ten agents that call us at a port, as behind a NAT or in a cluster. They know us by the token."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from loadgen.errors import UsageError, WorkerError
from loadgen.escape import printable
from loadgen.fleet.channel import Channel
from loadgen.fleet.frame import HEAD_BYTES, begins_introduction
from loadgen.fleet.launchers.asked import Asked
from loadgen.fleet.launchers.tcp import called, is_there, reason_of

WAIT_S = 60.0
STRANGER_S = 5.0
"""How long a connection may be there before its first bytes say that an agent calls."""

MOST_AGENTS = 10_000

BEAT_S = 1.0
"""How often an agent that has come is told that we are still here."""

SHOWN_S = 5.0
"""How often the number of agents is told while it stays the same."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Agents that connect to a port of ours."""

    host: str
    """Empty for all addresses of this host."""
    port: int
    agents: int
    token: str = field(repr=False)
    wait_s: float = WAIT_S
    say: Callable[[str], None] = field(default=lambda words: None, compare=False)

    @classmethod
    def of(cls, rest: str, asked: Asked) -> Self:
        """Return the launcher for the words behind `listen:`. Raises UsageError."""
        match = re.fullmatch(r"(?:(?!\d+:)(\[[0-9A-Fa-f:.]+\]|[\w.-]+):)?(\d{1,5}):(\d{1,5})", rest)
        port, number = (int(match[2]), int(match[3])) if match else (0, 0)
        if match is None or not 1 <= port <= 65535 or not 1 <= number <= MOST_AGENTS:
            raise UsageError(
                f'--on "listen:{printable(rest, 80)}" does not say where and for how many agents to wait; write the '
                f"port and the number (1 to {MOST_AGENTS}), as in --on listen:7700:10, or --on "
                "listen:10.0.0.1:7700:10 for one of this host's addresses."
            )
        token = asked.checked_token(f"listen:{rest}")
        wait_s = WAIT_S if asked.wait_s is None else asked.wait_s
        return cls((match[1] or "").strip("[]"), port, number, token, wait_s, asked.say)

    @property
    def words(self) -> str:
        return f"listen:{f'{self.host}:' if self.host else ''}{self.port}:{self.agents}"

    @contextlib.contextmanager
    def launch(self, run: str) -> Iterator[list[Channel]]:
        """Wait for the agents. Raises WorkerError when the port is taken, or too few have come in time."""
        with contextlib.ExitStack() as until_end:
            try:
                listener = until_end.enter_context(listening(self.host, self.port))
            except OSError as error:
                raise WorkerError(
                    f"Agents cannot connect to port {self.port} here ({reason_of(error)}): choose another port."
                ) from None
            with contextlib.ExitStack() as on_failure:
                come = Gathering(listener, self, on_failure).gathered()
                on_failure.pop_all()
            # Whoever comes later finds nobody, and does not wait in vain.
            listener.close()
            yield [until_end.enter_context(called(host, connection, self.token)) for host, connection in come]


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens at one address, or at all of this host. Raises OSError."""
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    return socket.create_server(("", port), backlog=128)


class Gathering:
    """The connections that have come to a listening socket.

    A connection that is no agent's, of a port scan or a health check, is closed and takes nobody's place.
    """

    def __init__(self, listener: socket.socket, asked: Listen, kept: contextlib.ExitStack) -> None:
        """`kept` gets every connection that is open."""
        self.listener = listener
        self.asked = asked
        self.kept = kept
        self.strangers: dict[socket.socket, tuple[str, float]] = {}
        """Connections of which nothing is known yet: where from, and the time until which they may introduce
        themselves."""
        self.come: list[tuple[str, socket.socket]] = []

    def gathered(self) -> list[tuple[str, socket.socket]]:
        """Return the address and the connection of each agent. Raises WorkerError when too few come in time."""
        asked = self.asked
        now_s = time.monotonic()
        until_s = now_s + asked.wait_s
        told_s, told, beat_s = now_s, -1, now_s
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            while len(self.come) < asked.agents and now_s < until_s:
                if told != len(self.come) or now_s >= told_s + SHOWN_S:
                    told_s, told = now_s, len(self.come)
                    asked.say(f"waiting at port {asked.port}: {told} of {agents_have(asked.agents)} come")
                for key, _ in selector.select(min(BEAT_S, until_s - now_s)):
                    if key.fileobj is self.listener:
                        if stranger := self.accepted():
                            selector.register(stranger, selectors.EVENT_READ)
                    else:
                        selector.unregister(key.fileobj)
                        self.meet(key.fileobj)  # type: ignore[arg-type]
                if now_s >= beat_s + BEAT_S:
                    beat_s = now_s
                    for _, gone in [each for each in self.come if not is_there(each[1])]:
                        gone.close()
                    self.come = [each for each in self.come if each[1].fileno() >= 0]
                now_s = time.monotonic()
                for stranger in [each for each, (_, limit_s) in self.strangers.items() if limit_s < now_s]:
                    selector.unregister(stranger)
                    self.turn_away(stranger)
        for stranger in list(self.strangers):
            self.turn_away(stranger)
        if len(self.come) < asked.agents:
            raise WorkerError(
                f"Only {len(self.come)} of {agents_have(asked.agents)} come to port {asked.port} in "
                f"{asked.wait_s:g} s: start each by loadgen agent --connect THIS_HOST:{asked.port} --token-file FILE, "
                "or wait for longer (--expect-wait)."
            )
        asked.say(f"waiting at port {asked.port}: {asked.agents} of {agents_have(asked.agents)} come")
        return self.come

    def accepted(self) -> socket.socket | None:
        """Return a connection that nothing is known of; None where it has gone again."""
        try:
            connection, address = self.listener.accept()
        except OSError:
            return None
        self.kept.enter_context(connection)
        # It is readable once the head is there, and not at its first byte.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, HEAD_BYTES)
        host = str(address[0]).removeprefix("::ffff:")
        self.strangers[connection] = (host, time.monotonic() + STRANGER_S)
        return connection

    def meet(self, connection: socket.socket) -> None:
        """Look at the head of a connection without taking it off: whose is it?"""
        try:
            head = connection.recv(HEAD_BYTES, socket.MSG_PEEK)
        except OSError:
            head = b""
        if not begins_introduction(head):
            self.turn_away(connection)
        else:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            self.come.append((self.strangers.pop(connection)[0], connection))

    def turn_away(self, connection: socket.socket) -> None:
        del self.strangers[connection]
        connection.close()


def agents_have(number: int) -> str:
    return "1 agent has" if number == 1 else f"{number} agents have"
