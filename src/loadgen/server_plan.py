"""What a managed server is told: a plain frozen value, resolved from `[target.server]` or made by a program.

It knows neither TOML nor processes. Times are int nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.protocol import PROTOCOLS

HOST = "127.0.0.1"
"""Managed servers listen on loopback, whatever else they are told."""


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """A server that loadgen starts, watches and ends."""

    name: str
    """What outputs call it: the server file's stem, or the program's name."""
    command: tuple[str, ...]
    """The program and its arguments, in which `{host}`, `{port}` and `{dir}` stand for the server's address and for a
    fresh folder of its own. A program named `loadgen` is this very loadgen."""
    protocol: str
    """As in a Plan: what it answers when it is ready."""
    username: str = ""
    password: str = ""
    """Empty: no AUTH is sent."""
    precheck: str = "ping"
    """As in a Plan."""
    env: tuple[tuple[str, str], ...] = ()
    """Added to this process's own environment; `{port}` and so on are replaced here too."""
    files: tuple[tuple[str, str], ...] = ()
    """Names and texts of files written into its fresh folder first; `{port}` and so on are replaced here too."""
    build: tuple[str, ...] = ()
    """What is run, where this process is, when its program is not there; empty: nothing."""
    build_timeout_ns: int = 1_800_000_000_000
    """How long that may take."""
    cwd: str = ""
    """Where it is started; empty is its fresh folder."""
    port: int = 0
    """0 takes a free one."""
    ready_timeout_ns: int = 60_000_000_000
    """How long it may take until it answers."""
    stop_timeout_ns: int = 5_000_000_000
    """How long it may take to end after SIGTERM, before SIGKILL."""
    cpus: tuple[int, ...] = ()
    """The CPUs that it is pinned to; empty: none."""
    log: str = ""
    """The file that its standard output and error are appended to; empty is one in its fresh folder, gone with it."""
    log_patterns: tuple[str, ...] = ()
    """Regular expressions that mark a line of its log as an error, besides those that are always looked for."""


def builtin(protocol: str = "resp", *options: str, name: str = "loadgen serve") -> ServerPlan:
    """The built-in server, with further arguments of `loadgen serve`."""
    wire = PROTOCOLS[protocol].wire
    return ServerPlan(
        name, ("loadgen", "serve", "--host", "{host}", "--port", "{port}", "--protocol", wire, *options), protocol
    )
