"""The resource use of a server's processes, as the operating system counts it. Values; no I/O.

`now - before` is the use in between. The generator's own use is in `signs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from loadgen.units import NS_PER_US


@dataclass(frozen=True, slots=True)
class Usage:
    """A reading of a server's process and its children, or the difference of two readings."""

    at_ns: int
    """Monotonic time; in a difference, its length."""
    cpu_ns: int
    """User and system time of all threads and children, including those that have ended."""
    rss_bytes: int
    """Resident memory; in a difference, the later reading's. The same holds for the two fields below."""
    threads: int
    fds: int
    """Open files."""

    def __sub__(self, before: Usage) -> Usage:
        return Usage(self.at_ns - before.at_ns, self.cpu_ns - before.cpu_ns, self.rss_bytes, self.threads, self.fds)

    @property
    def cpu_share(self) -> float:
        """The number of CPUs kept busy, for a difference; 1.0 is one CPU."""
        return self.cpu_ns / self.at_ns if self.at_ns > 0 else 0.0

    def cpu_us_per_request(self, requests: int) -> float | None:
        """Return the CPU time per request in µs, for a difference; None when `requests` is 0."""
        return self.cpu_ns / NS_PER_US / requests if requests else None


@dataclass(frozen=True, slots=True)
class ServerReport:
    """The resource use, end and log of the server under load, from the start of the warm-up to the end of the drain."""

    name: str
    used: Usage
    requests: int
    """Requests sent to the server in that time."""
    max_rss_bytes: int
    """The largest of the readings, one per interval. The same holds for the two fields below."""
    max_threads: int
    max_fds: int
    exit_report: str = ""
    """The way in which the server ended by itself, in a sentence; empty when it did not."""
    log_errors: tuple[str, ...] = ()
    """The lines of the log that report an error, as far as the log has been read."""

    @property
    def cpu_us_per_request(self) -> float | None:
        return self.used.cpu_us_per_request(self.requests)


class WatchedServer(Protocol):
    """A server that can be read while it is under load."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int:
        """The process that was started, which may have children; 0 while there is none."""

    def usage(self) -> Usage | None:
        """Return the use of its processes until now; None when they are gone or the system does not report it."""

    def exit_report(self) -> str:
        """Return the way in which the server ended by itself, in a sentence; empty while it runs."""

    def log_errors(self) -> tuple[str, ...]:
        """Return the lines of its log so far that report an error."""

    def log_tail(self) -> tuple[str, ...]:
        """Return the last lines of its log, fit to be shown."""

    def restarted(self) -> bool:
        """True when another process answers now than at the start. Opens a connection, so only for after the load."""


class StartedServer(WatchedServer, Protocol):
    """A server that loadgen started."""

    def pause(self) -> None:
        """Stop the server's processes by SIGSTOP: they use no CPU until `resume`."""

    def resume(self) -> None: ...
