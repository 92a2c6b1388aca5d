"""The storage of jobs in a file of SQLite: the shell around transactions, with the clocks, the thread and the waits."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from loadgen.jobs.job import (
    DEFAULT_QUEUE,
    Claim,
    Finished,
    Inspection,
    JobRecord,
    NewJob,
    Published,
    Settlement,
    State,
    Swept,
    TryAgain,
)
from loadgen.jobs.schedule import Schedule
from loadgen.jobs.sqlite import questions, schedules, schema, transactions
from loadgen.jobs.sqlite.commits import Commits, Operation
from loadgen.jobs.sqlite.errors import storage_error
from loadgen.jobs.sqlite.rules import Now, Rules
from loadgen.jobs.sqlite.wakeup import Wakeups
from loadgen.jobs.sqlite.wal import LONGEST_BYTES, WriteAheadLog
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import SqliteUrl
from loadgen.units import NS_PER_MS, NS_PER_S

T = TypeVar("T")

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_POLL_S = 0.25
"""The time between two looks at the file while datagrams wake us: for a publisher who cannot send any."""
_POLL_ALONE_S = 0.02
"""The same where there are no datagrams. Upstream's core polls every 30 ms."""
_SWITCH_S = 0.01
"""The wait before another try to switch a new file to WAL, while another process does."""
_MS_PER_S = 1000
_DAY_S = 86400.0


class Durability(StrEnum):
    """When a publish is acknowledged."""

    FULL = "full"
    """When it is synced: it survives a power cut."""
    NORMAL = "normal"
    """When it is written: it survives the death of all processes, and may be lost at a power cut."""


class Sqlite:
    """A `Storage` in a file. See there for the methods.

    Finished jobs are kept for `result_ttl_s`, or not at all when that is 0; dead letters for `dead_ttl_s`; idempotency
    keys for `key_ttl_s`, counted from the publish. What is older is removed by settlements, publishes and sweeps, a
    bounded number at once. Where jobs are not kept, a job of the same id may be published anew, and a settlement that
    is repeated is refused.
    """

    def __init__(
        self,
        url: SqliteUrl,
        queue: str = DEFAULT_QUEUE,
        *,
        lease_ns: int = 5 * NS_PER_S,
        max_deliveries: int = 5,
        result_ttl_s: float = 3600.0,
        dead_ttl_s: float = 7 * _DAY_S,
        key_ttl_s: float = _DAY_S,
        durability: str = Durability.FULL,
        busy_timeout_ns: int = 5 * NS_PER_S,
    ) -> None:
        """Take the settings; `open` opens the file. Raises ValueError for a durability that is none."""
        self._path = url.path
        self._queue = queue
        self._durability = Durability(durability)
        self._busy_timeout_ns = busy_timeout_ns
        self._rules = Rules(
            queue=0,
            lease_ns=lease_ns,
            max_deliveries=max_deliveries,
            result_ttl_ms=round(result_ttl_s * _MS_PER_S),
            dead_ttl_ms=round(dead_ttl_s * _MS_PER_S),
            key_ttl_ms=round(key_ttl_s * _MS_PER_S),
        )
        self._executor = ThreadPoolExecutor(1, "loadgen-sqlite")
        self._connection: sqlite3.Connection | None = None
        self._commits: Commits | None = None
        self._wakeups = Wakeups(os.path.realpath(self._path), self._wake)
        self._waiting: set[asyncio.Future[None]] = set()

    # ── Opening and closing ───────────────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Open the file, and make it and its tables when they are not there. Its folder must be there."""
        try:
            self._connection = await self._connect()
            self._commits = Commits(
                self._connection,
                self._executor,
                _now,
                self._translate,
                self._on_claimable,
                WriteAheadLog(self._connection, self._path),
                self._busy_timeout_ns,
            )
            boot = _boot()
            number = await self._write(
                lambda connection, now: schema.prepare(connection, self._path, self._queue, boot)
            )
            self._rules = replace(self._rules, queue=number)
            self._wakeups.open(asyncio.get_running_loop())
        except BaseException:
            await self.close()
            raise

    async def _connect(self) -> sqlite3.Connection:
        until_ns = time.monotonic_ns() + self._busy_timeout_ns
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._executor, self._connected)
            except StorageError as error:
                # Only one process can switch a file to WAL, and SQLite does not wait for it there.
                if not error.is_lock or time.monotonic_ns() >= until_ns:
                    raise
                await asyncio.sleep(_SWITCH_S)

    def _connected(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                self._path,
                timeout=0.0,  # The waits for a lock are those of `Commits`.
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            schema.check(connection, self._path)
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise StorageError(
                    f"{self._path} cannot have a write-ahead log (its journal_mode is {mode}): use a file on a local "
                    "disk.",
                    is_passing=False,
                )
            connection.execute(f"PRAGMA synchronous = {self._durability}")
            connection.execute(f"PRAGMA journal_size_limit = {LONGEST_BYTES}")
            return connection
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._translate(error) from error
            raise

    async def close(self) -> None:
        self._wakeups.close()
        if self._commits is not None:
            await self._commits.drain()
            self._commits = None
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(sqlite3.Error):
                await asyncio.get_running_loop().run_in_executor(self._executor, connection.close)
        self._executor.shutdown(wait=False)

    # ── Jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def publish(self, jobs: Sequence[NewJob]) -> list[Published]:
        return await self._write(
            lambda connection, now: transactions.publish(connection, self._rules, now, jobs),
            wakes=lambda answers: not all(answer.deduplicated for answer in answers),
        )

    async def claim(self, worker: str, most: int, wait_s: float) -> list[Claim]:
        """Claim at most `most` jobs. When the caller is cancelled, jobs that were claimed meanwhile are given back."""
        until_ns = time.monotonic_ns() + round(wait_s * NS_PER_S)
        while True:
            claims = await self._write(
                lambda connection, now: transactions.claim(connection, self._rules, now, worker, most),
                undo=lambda claims: (
                    lambda connection, now: transactions.release(connection, self._rules, worker, claims)
                ),
            )
            if claims or not await self._claimable(until_ns):
                return claims

    async def _claimable(self, until_ns: int) -> bool:
        """Wait until a job is there to be claimed; False when there is none by a time of the monotonic clock."""
        loop = asyncio.get_running_loop()
        poll_s = _POLL_S if self._wakeups.is_open else _POLL_ALONE_S
        while (left_ns := until_ns - time.monotonic_ns()) > 0:
            # Before the look, so that a wake-up between the look and the wait is not missed.
            woken: asyncio.Future[None] = loop.create_future()
            self._waiting.add(woken)
            try:
                due_ms = await self._read(lambda connection, now: transactions.next_ms(connection, self._rules))
                due_s = poll_s if due_ms is None else (due_ms - _now().unix_ms) / _MS_PER_S
                if due_s <= 0.0:
                    return True
                await asyncio.wait([woken], timeout=min(left_ns / NS_PER_S, poll_s, due_s))
            finally:
                self._waiting.discard(woken)
        return False

    async def renew(self, worker: str, claims: Sequence[Claim]) -> list[bool]:
        return await self._write(
            lambda connection, now: transactions.renew(connection, self._rules, now, worker, claims)
        )

    async def settle(self, worker: str, settlements: Sequence[Settlement]) -> list[bool]:
        """Take how jobs ended. True again, and no effect, for a settlement that was taken before and is repeated."""
        delays = any(isinstance(settlement.ending, TryAgain) for settlement in settlements)
        return await self._write(
            lambda connection, now: transactions.settle(connection, self._rules, now, worker, settlements),
            wakes=lambda taken: delays,
        )

    async def sweep(self, worker: str, most: int) -> Swept:
        return await self._write(
            lambda connection, now: transactions.sweep(connection, self._rules, now, worker, most),
            wakes=lambda swept: len(swept.reclaimed) > len(swept.claims),
            undo=lambda swept: (
                lambda connection, now: transactions.release(connection, self._rules, worker, swept.claims)
            ),
        )

    async def finished(self, ids: Sequence[str]) -> dict[str, Finished]:
        return await self._read(lambda connection, now: questions.finished(connection, self._rules, ids))

    async def find(self, job: str) -> JobRecord | None:
        return await self._read(lambda connection, now: questions.find(connection, self._rules, now, job))

    async def cancel(self, job: str) -> bool:
        return await self._write(lambda connection, now: transactions.cancel(connection, self._rules, now, job))

    async def retry(self, job: str) -> bool:
        return await self._write(
            lambda connection, now: transactions.retry(connection, self._rules, job), wakes=lambda done: done
        )

    async def listed(self, state: State, most: int) -> list[JobRecord]:
        return await self._read(lambda connection, now: questions.listed(connection, self._rules, now, state, most))

    async def inspect(self) -> Inspection:
        """Return the state of the queue. Its facts are file_bytes, wal_bytes, page_size and freelist_count (pages)."""
        found = await self._read(lambda connection, now: questions.inspect(connection, self._rules, now))
        files = {"file_bytes": _size(self._path), "wal_bytes": _size(f"{self._path}-wal")}
        return replace(found, facts=files | dict(found.facts))

    async def clear(self) -> None:
        await self._write(lambda connection, now: transactions.clear(connection, self._rules))

    # ── Schedules ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def add_schedule(self, schedule: Schedule) -> bool:
        return await self._write(lambda connection, now: schedules.add(connection, self._rules, schedule))

    async def change_schedule(self, schedule: Schedule) -> bool:
        return await self._write(lambda connection, now: schedules.change(connection, self._rules, schedule))

    async def remove_schedule(self, name: str) -> bool:
        return await self._write(lambda connection, now: schedules.remove(connection, self._rules, name))

    async def schedules(self) -> Mapping[str, Schedule]:
        return await self._read(lambda connection, now: schedules.schedules(connection, self._rules))

    async def fire(self, schedule: Schedule, job: NewJob, next_ms: int) -> bool:
        return await self._write(
            lambda connection, now: schedules.fire(connection, self._rules, now, schedule, job, next_ms),
            wakes=lambda fired: fired,
        )

    # ── Inside ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _write(
        self,
        operation: Operation[T],
        *,
        wakes: Callable[[T], bool] | None = None,
        undo: Callable[[T], Operation[None]] | None = None,
    ) -> T:
        return await self._opened().write(operation, wakes=wakes, undo=undo)

    async def _read(self, operation: Operation[T]) -> T:
        return await self._opened().read(operation)

    def _opened(self) -> Commits:
        if self._commits is None:
            raise StorageError(f"{self._path} is not open: call open() first.", is_passing=False)
        return self._commits

    def _translate(self, error: sqlite3.Error) -> StorageError:
        return storage_error(error, self._path, self._busy_timeout_ns)

    def _on_claimable(self) -> None:
        self._wake()
        self._wakeups.notify()

    def _wake(self) -> None:
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)


def _now() -> Now:
    return Now(time.time_ns() // NS_PER_MS, time.monotonic_ns())


def _boot() -> str:
    """Return the id of the host's boot; empty where the system has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
