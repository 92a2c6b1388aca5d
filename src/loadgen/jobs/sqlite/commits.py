"""Group commit: what tasks of one loop ask for at the same time goes into one transaction, and is durable at one sync.

While a transaction is under way, what is asked for gathers for the next one. Transactions run one after another in a
thread, so that neither a sync of the disk nor the wait for a lock holds the event loop up. In a simulated world, which
has no threads, `run_in_executor` runs them at once.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from loadgen.jobs.sqlite.errors import is_lock
from loadgen.jobs.sqlite.rules import Now
from loadgen.jobs.sqlite.wal import WriteAheadLog
from loadgen.jobs.storage import StorageError

_FIRST_WAIT_S = 0.001
_LONGEST_WAIT_S = 0.01
"""The waits between tries for the lock. SQLite's own go up to 100 ms: who has waited for long would get the lock less
often than who has just come."""

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection, Now], T]


@dataclass(slots=True)
class _Asked:
    """One operation that somebody waits for."""

    operation: Operation[Any]
    future: asyncio.Future[Any]
    is_read: bool = False
    wakes: Callable[[Any], bool] | None = None
    undo: Callable[[Any], Operation[Any]] | None = None


@dataclass(slots=True)
class _Failed:
    """What an operation came to that raised."""

    error: Exception


class Commits:
    """The transactions of one connection, which is in autocommit mode, has no busy timeout and is used by nobody else.

    `translate` makes a StorageError of what SQLite raises; other exceptions go to who asked as they are.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        executor: ThreadPoolExecutor,
        clock: Callable[[], Now],
        translate: Callable[[sqlite3.Error], StorageError],
        on_wake: Callable[[], None],
        log: WriteAheadLog,
        busy_timeout_ns: int,
    ) -> None:
        self._connection = connection
        self._executor = executor
        self._clock = clock
        self._translate = translate
        self._on_wake = on_wake
        self._log = log
        self._busy_timeout_ns = busy_timeout_ns
        self._loop = asyncio.get_running_loop()
        self._asked: list[_Asked] = []
        self._running: asyncio.Future[list[Any]] | None = None
        self._is_due = False

    def write(
        self,
        operation: Operation[T],
        *,
        wakes: Callable[[T], bool] | None = None,
        undo: Callable[[T], Operation[Any]] | None = None,
    ) -> asyncio.Future[T]:
        """Run an operation in the next transaction. The future is done after the commit.

        `wakes` says of the outcome if jobs may be claimable now: then `on_wake` is called. `undo` returns the operation
        that takes the outcome back, when who asked was cancelled before it came.
        """
        return self._ask(_Asked(operation, self._loop.create_future(), wakes=wakes, undo=undo))

    def read(self, operation: Operation[T]) -> asyncio.Future[T]:
        """Run an operation that only reads, in a snapshot of its own, after the next transaction."""
        return self._ask(_Asked(operation, self._loop.create_future(), is_read=True))

    async def drain(self) -> None:
        """Wait until nothing is asked for any more."""
        while self._asked or self._running is not None:
            await (asyncio.sleep(0) if self._running is None else asyncio.wait([self._running]))

    def _ask(self, asked: _Asked) -> asyncio.Future[Any]:
        self._asked.append(asked)
        self._begin_later()
        return asked.future

    def _begin_later(self) -> None:
        """Begin after all tasks that are ready now have asked."""
        if self._asked and self._running is None and not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._is_due = False
        wanted = [asked for asked in self._asked if not asked.future.done()]
        self._asked.clear()
        if not wanted:
            return
        writes = [asked for asked in wanted if not asked.is_read]
        reads = [asked for asked in wanted if asked.is_read]
        self._running = self._loop.run_in_executor(
            self._executor, self._run, [asked.operation for asked in writes], [asked.operation for asked in reads]
        )
        self._running.add_done_callback(partial(self._on_end, writes + reads))

    def _on_end(self, asked: Sequence[_Asked], running: asyncio.Future[list[Any]]) -> None:
        self._running = None
        wakes = False
        for one, outcome in zip(asked, running.result(), strict=True):
            if isinstance(outcome, _Failed):
                if not one.future.cancelled():
                    one.future.set_exception(outcome.error)
                continue
            wakes = wakes or (one.wakes is not None and one.wakes(outcome))
            if not one.future.cancelled():
                one.future.set_result(outcome)
            elif one.undo is not None:
                self.write(one.undo(outcome), wakes=lambda _: True).add_done_callback(_take)
        if wakes:
            self._on_wake()
        self._begin_later()

    # ── In the thread ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, writes: Sequence[Operation[Any]], reads: Sequence[Operation[Any]]) -> list[Any]:
        outcomes = self._together("BEGIN IMMEDIATE", writes) if writes else []
        for operation in reads:
            outcomes += self._together("BEGIN", [operation])
        if writes:
            self._log.tend(self._clock().monotonic_ns)
        return outcomes

    def _together(self, begin: str, operations: Sequence[Operation[Any]]) -> list[Any]:
        """Run operations in one transaction; when one of them fails, each in its own, so that the others do not."""
        until_ns = self._clock().monotonic_ns + self._busy_timeout_ns
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                return self._transaction(begin, operations)
            except sqlite3.Error as error:
                if not is_lock(error):
                    failed: Exception = self._translate(error)
                    break
                if self._clock().monotonic_ns >= until_ns:
                    return [_Failed(self._translate(error))] * len(operations)
            except Exception as error:
                failed = error
                break
            time.sleep(wait_s * random.uniform(0.5, 1.5))
            wait_s = min(2.0 * wait_s, _LONGEST_WAIT_S)
        if len(operations) == 1:
            return [_Failed(failed)]
        return [outcome for operation in operations for outcome in self._together(begin, [operation])]

    def _transaction(self, begin: str, operations: Sequence[Operation[Any]]) -> list[Any]:
        try:
            self._connection.execute(begin)
            now = self._clock()  # After the wait for the lock: a lease is whole.
            outcomes = [operation(self._connection, now) for operation in operations]
            self._connection.execute("COMMIT")
            return outcomes
        except BaseException:
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise


def _take(future: asyncio.Future[Any]) -> None:
    """Take the exception of an undo that failed: the lease of the job expires instead."""
    if not future.cancelled():
        future.exception()
