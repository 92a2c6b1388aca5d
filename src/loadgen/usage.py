"""What a server's processes use, as the operating system counts it. Values; no I/O.

`now - before` is what was used in between. Not to be mixed up with the generator's own share, in `signs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from loadgen.units import NS_PER_US


@dataclass(frozen=True, slots=True)
class Usage:
    """A server's process and its children at a moment, or, as a difference, since one."""

    at_ns: int
    """Monotonic time; of a difference, its length."""
    cpu_ns: int
    """User and system time of all its threads and children, those that have ended too."""
    rss_bytes: int
    """Resident memory; of a difference, that of its end. So for the two below."""
    threads: int
    fds: int
    """Open files."""

    def __sub__(self, before: Usage) -> Usage:
        return Usage(self.at_ns - before.at_ns, self.cpu_ns - before.cpu_ns, self.rss_bytes, self.threads, self.fds)

    @property
    def cpu_share(self) -> float:
        """Of a difference: CPUs kept busy, 1.0 for one."""
        return self.cpu_ns / self.at_ns if self.at_ns > 0 else 0.0

    def cpu_us_per_request(self, requests: int) -> float | None:
        """Of a difference in which so many requests were sent; None for none."""
        return self.cpu_ns / NS_PER_US / requests if requests else None


@dataclass(frozen=True, slots=True)
class ServerReport:
    """What the server under load used and said, from the begin of the warm-up to the end of the drain."""

    name: str
    used: Usage
    requests: int
    """Sent to it in that time."""
    max_rss_bytes: int
    """Of the moments at which it was looked at, once per interval; so for the two below."""
    max_threads: int
    max_fds: int
    exit_report: str = ""
    """How it ended before it was told to, in a sentence; empty when it did not."""
    log_errors: tuple[str, ...] = ()
    """Lines of its log that tell of an error, as far as they have come."""

    @property
    def cpu_us_per_request(self) -> float | None:
        return self.used.cpu_us_per_request(self.requests)


class WatchedServer(Protocol):
    """A server that can be looked at while load is on it."""

    @property
    def name(self) -> str: ...

    def usage(self) -> Usage | None:
        """What its processes have used until now; None when they are gone or the system does not say."""

    def exit_report(self) -> str:
        """How it ended, though nobody told it to, in a sentence; empty while it lives."""

    def log_errors(self) -> tuple[str, ...]:
        """Lines of its log so far that tell of an error."""

    def log_tail(self) -> tuple[str, ...]:
        """The last lines of its log, fit to be shown."""

    def restarted(self) -> bool:
        """Whether another process answers now than did at the start. It is asked over a connection: after the load."""
