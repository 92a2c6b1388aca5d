"""Be this machine's part of a load that another loadgen leads: `loadgen CONFIG --on …` there starts agents, or finds
them listening."""

from __future__ import annotations

import socket
import sys

from loadgen import output
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import FILE_NAME, TEXT
from loadgen.errors import ExitCode, UsageError, WorkerError
from loadgen.fleet import machine, stdio
from loadgen.fleet.agent import WELL
from loadgen.fleet.token import token_of
from loadgen.units import shown

SYNTAX = Syntax(
    (
        OptionGroup(
            "agent",
            (
                Option(("--listen",), "wait here for leaders, one after the other, instead of speaking on standard "
                       "input and output; needs a token", TEXT, "HOST:PORT"),
                Option(("--connect",), "connect to a leader that waits there (--on listen:PORT:N); needs a token",
                       TEXT, "HOST:PORT"),
                Option(("--token-file",), "file with the token that leader and agents share (also: LOADGEN_TOKEN)",
                       FILE_NAME, "FILE"),
                Option(("--name",), "the agent's name in tables and sentences (default: the host's)", TEXT, "NAME"),
            ),
        ),
    )
)  # fmt: skip


def run(given: Given) -> ExitCode:
    """Serve a leader to its end, or leaders without end. Raises UsageError and WorkerError."""
    listen, connect, name = given.get("listen"), given.get("connect"), given.get("name") or ""
    token = token_of(given.get("token_file"))
    if listen is not None and connect is not None:
        raise UsageError("--listen waits for a leader and --connect goes to one: keep one of them.")
    if (listen or connect) and not token:
        raise UsageError(
            "--listen and --connect need a token, as anybody on the network could have load sent: make a file with "
            "`openssl rand -hex 32`, and give it to agents and leader as --token-file or LOADGEN_TOKEN."
        )
    if listen is not None:
        with _listener(listen) as listener:
            host, port = listener.getsockname()[:2]
            output.remark(f"waiting for a leader on {host}:{port}")
            machine.serve(listener, name, token, output.remark)
    channel = _connection(connect) if connect is not None else _stdio()
    how = machine.Shell(channel, machine.introduction(name, token), token).run()
    if how == WELL:
        return ExitCode.YES
    output.remark(f"this agent {how}")
    return ExitCode.COULD_NOT_RUN


def _stdio() -> socket.socket:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "an agent speaks with its leader on standard input, which is a terminal here: it is started by "
            "`loadgen CONFIG --on ssh:HOST`, or waits for a leader with --listen HOST:PORT."
        )
    return stdio.channel()


def _address(words: str) -> tuple[str, int]:
    host, _, port = words.rpartition(":")
    if not host or not port.isdecimal() or not int(port) < 1 << 16:
        raise UsageError(f"{shown(words)} is no address: write HOST:PORT.")
    return host.strip("[]"), int(port)


def _listener(words: str) -> socket.socket:
    host, port = _address(words)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(found[0], found[1])
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(found[4])
        listener.listen()
    except OSError as error:
        raise WorkerError(f"The agent cannot listen on {words} ({error.strerror}).") from None
    return listener


def _connection(words: str) -> socket.socket:
    try:
        channel = socket.create_connection(_address(words), 10)
    except OSError as error:
        raise WorkerError(f"The agent cannot connect to its leader at {words} ({error.strerror or error}).") from None
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return channel
