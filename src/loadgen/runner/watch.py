"""A watched server over the length of one load: what it used, at most and in all. Prints nothing, starts nothing."""

from __future__ import annotations

import time

from loadgen.usage import ServerReport, Usage, WatchedServer

# A server that died has closed its connections a moment before the system says that it is gone.
EXIT_PATIENCE_S = 1.0
_EXIT_INTERVAL_S = 0.01


def exit_report_within(server: WatchedServer, patience_s: float = EXIT_PATIENCE_S) -> str:
    """How it ended, as soon as that is known; empty when it lives on."""
    deadline = time.monotonic() + patience_s
    while not (exit_report := server.exit_report()) and time.monotonic() < deadline:
        time.sleep(_EXIT_INTERVAL_S)
    return exit_report


class ServerWatch:
    """From `begin` to `report`; looked at whenever `interval` is called."""

    def __init__(self, server: WatchedServer) -> None:
        self.server = server
        self.began: Usage | None = None
        self.newest: Usage | None = None
        """Before it ended, if it did."""
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
        """What it used since the last look; None when it is gone."""
        before = self.newest
        now = self.look()
        return now - before if now is not None and before is not None else None

    def report(self, requests: int) -> ServerReport | None:
        """What it used since `begin`, for so many requests; None when that is not known."""
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
