"""Be this machine's part of a load that another loadgen leads: `loadgen CONFIG --on …` there starts agents, or finds
them listening."""

from __future__ import annotations

import socket
import sys
import time

from loadgen import output
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import FILE_NAME, TEXT, TIME_NS
from loadgen.errors import ExitCode, UsageError, WorkerError
from loadgen.fleet import machine, stdio
from loadgen.fleet.agent import WELL
from loadgen.fleet.token import token_of
from loadgen.units import NS_PER_S, shown

WAIT_S = 60.0
RETRY_S = 0.5
"""The pause between two attempts to reach a leader."""

SYNTAX = Syntax(
    (
        OptionGroup(
            "agent",
            (
                Option(("--listen",), "wait here for leaders, one after the other, instead of speaking on standard "
                       "input and output; needs a token", TEXT, "HOST:PORT"),
                Option(("--connect",), "connect to a leader that waits there (--on listen:PORT:N); needs a token",
                       TEXT, "HOST:PORT"),
                Option(("--once",), "with --listen, end after the first leader"),
                Option(("--expect-wait",), "how long --connect tries to reach its leader, and --listen --once waits "
                       "for one (default: 1m)", TIME_NS),
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
    once, wait_ns = given.get("once"), given.get("expect_wait")
    wait_s = wait_ns / NS_PER_S if wait_ns is not None else WAIT_S
    # What started an agent on standard input and output is its leader, or speaks for it.
    token = token_of(given.get("token_file")) if listen or connect else ""
    if once and listen is None:
        raise UsageError("--once is for --listen, which serves one leader after the other: leave it out.")
    if wait_ns is not None and not (connect or once):
        raise UsageError("--expect-wait is for --connect, or --listen with --once: leave it out.")
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
            if not once:
                machine.serve(listener, name, token, output.remark)
            channel = _first_leader(listener, wait_s)
    else:
        channel = _connection(connect, wait_s) if connect is not None else _stdio()
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


def _first_leader(listener: socket.socket, wait_s: float) -> socket.socket:
    listener.settimeout(wait_s)
    try:
        channel, _ = listener.accept()
    except TimeoutError:
        raise WorkerError(f"No leader has come in {wait_s:g} s (--expect-wait).") from None
    return _prompt(channel)


def _connection(words: str, wait_s: float) -> socket.socket:
    """Connect to a leader, which may come later. Raises WorkerError when none has come in time."""
    address, until_s = _address(words), time.monotonic() + wait_s
    while True:
        try:
            return _prompt(socket.create_connection(address, 10))
        except OSError as error:
            if time.monotonic() + RETRY_S > until_s:
                raise WorkerError(
                    f"The agent cannot connect to its leader at {words} ({error.strerror or error}), tried for "
                    f"{wait_s:g} s (--expect-wait)."
                ) from None
        time.sleep(RETRY_S)


def _prompt(channel: socket.socket) -> socket.socket:
    # Messages are short and urgent.
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return channel
