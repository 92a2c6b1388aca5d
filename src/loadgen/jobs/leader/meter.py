"""What a queue takes while it is tested: memory of its workers, size and connections of its storage."""

from __future__ import annotations

from loadgen.jobs.job import Inspection
from loadgen.jobs.leader.place import Place
from loadgen.jobs.leader.process import Process
from loadgen.jobs.load.book import Book
from loadgen.jobs.load.ended import CONNECTION_LIMIT, CONNECTIONS, Cost
from loadgen.target.talk.clients import Connected
from loadgen.units import NS_PER_S
from loadgen.usage import Usage

STORAGE_NS = 200_000_000
"""The time between two readings of the storage's size."""

KEPT_NS = NS_PER_S
"""The time between two of them that are kept."""

_ENOUGH_PENDING = 100
"""With fewer jobs, what a storage takes for itself is not small beside them."""


class Meter:
    """The readings of one test."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._before: int | None = None
        self._most: int | None = None
        self._pending: float | None = None
        self._next_ns = 0
        self._connected: Connected | None = None
        """The most connections that were seen."""
        self._rss_bytes = 0
        self.memory: list[tuple[float, float]] = []
        """Seconds, and the bytes of all workers that ran all the time."""
        self.storage: list[tuple[int, int]] = []
        """Monotonic times, and the bytes that the storage took."""
        self._first: dict[int, int] = {}

    def begin(self) -> None:
        self._before = self._where.used_bytes()
        self._count_connections()

    def read_storage(self, now_ns: int, book: Book) -> None:
        """Take a reading of the storage, several times a second: jobs may not be pending for long."""
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + STORAGE_NS
        used = self._where.used_bytes()
        if used is None:
            return
        self._most = max(used, self._most or 0)
        if not self.storage or now_ns - self.storage[-1][0] >= KEPT_NS:
            self.storage.append((now_ns, used))
        if self._before is not None and book.waiting >= _ENOUGH_PENDING:
            each = (used - self._before) / book.waiting
            # With more jobs, what does not belong to jobs is a smaller part. A storage may give back what others had.
            if each > 0.0:
                self._pending = each if self._pending is None else min(self._pending, each)

    def read_workers(self, t_ns: int, workers: dict[int, Process]) -> None:
        """Take a reading of the workers."""
        self._count_connections()
        total = 0
        for number, process in workers.items():
            usage = process.usage()
            if usage is not None:
                self._rss_bytes = max(self._rss_bytes, usage.rss_bytes)
                self._first.setdefault(number, process.pid)
                total += usage.rss_bytes * (self._first[number] == process.pid)
        self.memory.append((t_ns / NS_PER_S, float(total)))

    def _count_connections(self) -> None:
        now = self._where.connected()
        if now is not None and (self._connected is None or now.connections > self._connected.connections):
            self._connected = now

    def cost(
        self, server: Usage | None, workers: dict[int, Usage], gone_cpu_ns: int, inspection: Inspection | None
    ) -> Cost:
        """Return what the queue cost."""
        after = self._where.used_bytes()
        cpu_ns = sum(usage.cpu_ns for usage in workers.values()) + gone_cpu_ns
        rss = max([self._rss_bytes, *(usage.rss_bytes for usage in workers.values())])
        return Cost(
            storage_cpu_s=server.cpu_ns / NS_PER_S if server is not None else None,
            workers_cpu_s=cpu_ns / NS_PER_S if workers else None,
            workers_rss_bytes=rss or None,
            pending_bytes_per_job=self._pending,
            bytes_before=self._before,
            bytes_most=max(self._most, after) if self._most is not None and after is not None else self._most or after,
            bytes_after=after,
            facts={**(inspection.facts if inspection is not None else {}), **self._connections()},
        )

    def _connections(self) -> dict[str, int]:
        seen = self._connected
        if seen is None:
            return {}
        limit = {} if seen.limit is None else {CONNECTION_LIMIT: seen.limit}
        return {CONNECTIONS: seen.connections, **limit}
