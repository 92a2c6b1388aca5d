"""The write-ahead log of a file, cut back where it has grown: SQLite begins it anew only while nobody reads.

With many processes somebody reads at all times, and each checkpoint leaves the log as it is.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from loadgen.units import NS_PER_S

LONGEST_BYTES = 16 << 20
"""The length from which a log is cut back: four times that at which SQLite writes it into the file."""
_PAUSE_NS = NS_PER_S
"""The time between two tries of one process."""
_WAIT_MS = 50
"""How long a try waits for those who read and write to finish; nobody else begins meanwhile."""


class WriteAheadLog:
    """The log of one connection. It is tended between transactions."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = Path(f"{path}-wal")
        self._not_before_ns = 0

    def tend(self, now_ns: int) -> None:
        """Write the log into the file and cut it back, when it is too long and was not tried just now."""
        if now_ns < self._not_before_ns:
            return
        try:
            if self._path.stat().st_size <= LONGEST_BYTES:
                return
        except OSError:
            return
        self._not_before_ns = now_ns + _PAUSE_NS
        # Whatever goes wrong here goes wrong in a transaction, too, which tells who asked.
        with suppress(sqlite3.Error):
            self._connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA busy_timeout = 0")
