"""The kinds of monitors, a row each: what a monitor of the kind reads, and the keys that it has. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.command import MIXED
from loadgen.judge.expression.dimension import PER


@dataclass(frozen=True, slots=True)
class Key:
    """A key of `[[monitor]]` that some kinds have."""

    name: str
    means: str
    """What the key says, as a noun phrase."""
    is_needed: bool = False
    """True when a monitor of the kind has nothing to read without the key."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of monitor."""

    name: str
    reads: str
    """What is read, as a noun phrase."""
    keys: tuple[Key, ...] = ()
    one_of: tuple[str, ...] = ()
    """The keys of which at most one is given, as each of them names the same thing."""
    series: tuple[str, ...] = ()
    """The series that it has beside those that `metrics` names."""

    def key(self, name: str) -> Key | None:
        """Return one of the kind's keys; None for a key of other kinds."""
        return next((key for key in self.keys if key.name == name), None)


_SERVER = "the server, as host:port; by default the first that is under load"

ROWS = (
    Kind(
        "proc",
        "a process of this host: memory, descriptors by kind, threads, CPU time",
        (
            Key("pid", "the number of the process"),
            Key("process", "the name of the process, of which the oldest is read"),
            Key("server", "the address at which the process listens; by default that of the first server under load"),
        ),
        one_of=("pid", "process", "server"),
    ),
    Kind("redis", "a server that speaks RESP, by its INFO", (Key("server", _SERVER),)),
    Kind("memcached", "a memcached, by its `stats` and `stats slabs`", (Key("server", _SERVER),)),
    Kind(
        "prometheus",
        "a page of metrics in the text format of Prometheus or OpenMetrics",
        (
            Key("url", "the page's address", is_needed=True),
            Key(
                "metrics",
                'the metric of each series, such as "http_requests_total{code=\\"500\\"}"; by default what client '
                "libraries report of every process",
            ),
        ),
    ),
    Kind(
        "http",
        "a page that says how a service is: its status, whether it is healthy, and numbers in its JSON",
        (
            Key("url", "the page's address", is_needed=True),
            Key("path", 'the place in the JSON of what says that the service is healthy, such as "status"'),
            Key("metrics", 'the place in the JSON of each series, such as "pool.idle" or "nodes[0].fds"'),
        ),
        series=("status", "healthy", "answer_time"),
    ),
    Kind(
        "command",
        "a command: its exit status, and the number that it prints",
        (Key("command", "the program and its arguments", is_needed=True),),
    ),
    Kind(
        "docker",
        "a container: its state, health, restarts, memory and CPU time",
        (
            Key("container", "the container's name or id", is_needed=True),
            Key("path", "the Docker Engine's socket; by default that of DOCKER_HOST, or /var/run/docker.sock"),
        ),
    ),
    Kind(
        "host",
        "this host: pressure, free memory and disk, the kernel's network counters",
        (Key("path", "the folder whose disk is looked at; by default the one in which loadgen runs"),),
    ),
    Kind("self", "loadgen itself: its own process and its workers"),
)

KINDS: Mapping[str, Kind] = {row.name: row for row in ROWS}

PID = "{pid}"
"""In a command of `evidence`, the process that the monitor reads, of the kind `proc`."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_TAKEN = ("and", "or", "not", *PER)
_SELECTORS = (*MIXED, "phase", "node", "all")
"""The selectors of checks that are not monitors' names."""


def is_word(name: str) -> bool:
    """True when checks can name a series or a monitor like this: letters, digits and _, and no word of their own."""
    return _WORD.fullmatch(name) is not None and name not in (*_TAKEN, *_SELECTORS)
