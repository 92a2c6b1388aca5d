"""The resource use of a watched server over one load: totals and peaks. This file prints and starts nothing."""

from __future__ import annotations

import time

from loadgen.usage import ServerReport, Usage, WatchedServer

# The connections of a server that died close a moment before the system reports its exit.
EXIT_PATIENCE_S = 1.0
_EXIT_INTERVAL_S = 0.01


def exit_report_within(server: WatchedServer, patience_s: float = EXIT_PATIENCE_S) -> str:
    """Return how the server ended, as soon as that is known; empty when the server still runs after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not (exit_report := server.exit_report()) and time.monotonic() < deadline:
        time.sleep(_EXIT_INTERVAL_S)
    return exit_report


class ServerWatch:
    """The use of a server from `begin` to `report`, read each time that `interval` is called."""

    def __init__(self, server: WatchedServer) -> None:
        self.server = server
        self.began: Usage | None = None
        self.newest: Usage | None = None
        """The last reading; the last before the server's end, if the server has ended."""
        self.max_rss_bytes = self.max_threads = self.max_fds = 0

    def begin(self) -> None:
        self.began = self.look()

    def look(self) -> Usage | None:
        now = self.server.usage()
        if now is not None:
            self.newest = now
            self.max_rss_bytes = max(self.max_rss_bytes, now.rss_bytes)
            self.max_threads = max(self.max_threads, now.threads)
            self.max_fds = max(self.max_fds, now.fds)
        return now

    def interval(self) -> Usage | None:
        """Return the use since the last reading; None when the server has ended or the system does not say."""
        before = self.newest
        now = self.look()
        return now - before if now is not None and before is not None else None

    def report(self, requests: int) -> ServerReport | None:
        """Return the use since `begin`, in which `requests` were sent; None when the use is not known."""
        self.look()
        if self.began is None or self.newest is None:
            return None
        return ServerReport(
            name=self.server.name,
            used=self.newest - self.began,
            requests=requests,
            max_rss_bytes=self.max_rss_bytes,
            max_threads=self.max_threads,
            max_fds=self.max_fds,
            exit_report=self.server.exit_report(),
            log_errors=self.server.log_errors(),
        )
