"""The storage on Redis: connects, carries out the operations of a queue, and waits. It knows no command of a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from loadgen.jobs.job import (
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
from loadgen.jobs.redis.command import Command, Refused, Reply
from loadgen.jobs.redis.connection import Connection, failure
from loadgen.jobs.redis.operations import Operation, Operations
from loadgen.jobs.schedule import Schedule
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import RedisUrl

R = TypeVar("R")

_LONGEST_WAIT_S = 10.0
"""A worker that waits longer waits anew, and is heard of by that: well before it would be forgotten."""
_FULL_S = 0.1
"""The time between two claims of a server that is full."""
_PROMOTION_EVERY_S = 0.01
"""Jobs that are due within this time are moved together."""


class RedisStorage:
    """The jobs of one queue on a Redis server.

    Commands of all tasks share one connection; each claim that waits has another. A connection that was lost is opened
    again by the next call, which fails while the server is gone: whoever calls waits between calls.
    """

    def __init__(self, url: RedisUrl, operations: Operations, timeout_s: float) -> None:
        self._url = url
        self._operations = operations
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._idle: list[Connection] = []
        self._promotion: asyncio.TimerHandle | None = None
        self._promoting: set[asyncio.Task[None]] = set()
        self._is_closed = False

    # ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Connect. Raises StorageError."""
        self._is_closed = False
        await self._carried_out(self._operations.open())

    async def close(self) -> None:
        """Close the connections."""
        self._is_closed = True
        if self._promotion is not None:
            self._promotion.cancel()
            self._promotion = None
        tasks = [*self._promoting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        connections, self._idle = [*self._idle], []
        if self._connection is not None:
            connections.append(self._connection)
            self._connection = None
        for connection in connections:
            await connection.close()

    async def _connected(self) -> Connection:
        connection = self._connection
        if connection is not None and connection.is_open:
            return connection
        async with self._connecting:
            if self._connection is None or not self._connection.is_open:
                self._connection = await Connection.open(self._url, self._timeout_s)
            return self._connection

    async def _carried_out(self, operation: Operation[R]) -> R:
        """Carry out an operation. Raises StorageError."""
        try:
            commands = next(operation)
            while True:
                commands = operation.send(await self._replies(commands))
        except StopIteration as end:
            answer: R = end.value
            return answer
        except Refused as error:
            raise failure(self._url, error) from None

    async def _replies(self, commands: Sequence[Command]) -> Sequence[Reply]:
        connection = await self._connected()
        replies = await connection.exchange(commands, self._timeout_s)
        # A server that was started anew knows no script.
        again = [at for at, reply in enumerate(replies) if isinstance(reply, Refused) and "NOSCRIPT" in reply.words]
        if again:
            texts = [self._with_text(commands[at]) for at in again]
            for at, reply in zip(again, await connection.exchange(texts, self._timeout_s), strict=True):
                replies[at] = reply
        return replies

    def _with_text(self, command: Command) -> Command:
        sha1 = command[1]
        assert isinstance(sha1, bytes)
        return ("EVAL", self._operations.texts[sha1], *command[2:])

    # ── The life of a job ─────────────────────────────────────────────────────────────────────────────────────────────

    async def publish(self, jobs: Sequence[NewJob]) -> list[Published]:
        """Store jobs, up to 1,000 in one step, and all with one round trip."""
        published = await self._carried_out(self._operations.publish(jobs))
        if any(job.due_ms for job in jobs):
            # The server says how long the first of them has to wait: its clock and this one may differ.
            self._promote_after(0)
        return published

    async def claim(self, worker: str, most: int, wait_s: float) -> list[Claim]:
        """Claim jobs.

        A claim that is cancelled while it waits may have been sent jobs, which are claimed again after one lease.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        delivered: list[tuple[bytes, bytes]] = []
        while True:
            claimed = await self._carried_out(self._operations.claim(worker, most, delivered))
            left_s = until_s - loop.time()
            if claimed.claims or left_s <= 0.0:
                return claimed.claims
            delivered = await self._delivered(worker, most, min(left_s, _LONGEST_WAIT_S))

    async def _delivered(self, worker: str, most: int, wait_s: float) -> list[tuple[bytes, bytes]]:
        """Wait for jobs, and return the token and the id of each."""
        connection = self._idle.pop() if self._idle else await Connection.open(self._url, self._timeout_s)
        command = self._operations.wait(worker, most, max(1, round(wait_s * 1000)))
        try:
            [reply] = await connection.exchange([command], wait_s + self._timeout_s)
        except BaseException:
            await connection.close()
            raise
        if self._is_closed:
            await connection.close()
        else:
            self._idle.append(connection)
        if isinstance(reply, Refused):
            # The queue was removed, or the server has lost it: the next claim makes it anew.
            if "NOGROUP" in reply.words or "UNBLOCKED" in reply.words:
                return []
            # A move to a worker's list is refused by a full server, whose queue the next claim works off.
            if reply.words.startswith("OOM"):
                await asyncio.sleep(min(wait_s, _FULL_S))
                return []
            raise failure(self._url, reply)
        return self._operations.delivered(reply)

    async def renew(self, worker: str, claims: Sequence[Claim]) -> list[bool]:
        return await self._carried_out(self._operations.renew(worker, claims))

    async def settle(self, worker: str, settlements: Sequence[Settlement]) -> list[bool]:
        """Take how jobs ended, up to 1,000 in one step, and all with one round trip."""
        taken = await self._carried_out(self._operations.settle(worker, settlements))
        waits_ms = [each.ending.wait_ms for each in settlements if isinstance(each.ending, TryAgain)]
        if waits_ms:
            self._promote_after(min(waits_ms))
        return taken

    async def sweep(self, worker: str, most: int) -> Swept:
        swept, due_ms = await self._carried_out(self._operations.sweep(worker, most))
        self._promote_after(due_ms)
        return swept

    async def finished(self, ids: Sequence[str]) -> dict[str, Finished]:
        return await self._carried_out(self._operations.finished(ids))

    async def cancel(self, job: str) -> bool:
        return await self._carried_out(self._operations.cancel(job))

    async def retry(self, job: str) -> bool:
        return await self._carried_out(self._operations.retry(job))

    # ── Jobs that are due later ───────────────────────────────────────────────────────────────────────────────────────

    def _promote_after(self, wait_ms: int) -> None:
        """Have the jobs that are due after a time moved then; -1 for none."""
        if wait_ms < 0 or self._is_closed:
            return
        loop = asyncio.get_running_loop()
        # A ms more, as the server's time is cut to whole ones.
        at_s = loop.time() + max((wait_ms + 1) / 1000, _PROMOTION_EVERY_S)
        if self._promotion is not None:
            if self._promotion.when() <= at_s:
                return
            self._promotion.cancel()
        self._promotion = loop.call_at(at_s, self._begin_promotion)

    def _begin_promotion(self) -> None:
        self._promotion = None
        task = asyncio.get_running_loop().create_task(self._promote())
        self._promoting.add(task)
        task.add_done_callback(self._promoting.discard)

    async def _promote(self) -> None:
        # Without the server nothing is due; the sweep after its return moves what is.
        with suppress(StorageError):
            claimed = await self._carried_out(self._operations.claim("", 0))
            self._promote_after(claimed.due_ms)

    # ── What there is ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def find(self, job: str) -> JobRecord | None:
        return await self._carried_out(self._operations.find(job))

    async def listed(self, state: State, most: int) -> list[JobRecord]:
        return await self._carried_out(self._operations.listed(state, most))

    async def inspect(self) -> Inspection:
        return await self._carried_out(self._operations.inspect())

    async def clear(self) -> None:
        await self._carried_out(self._operations.clear())

    # ── Schedules ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def add_schedule(self, schedule: Schedule) -> bool:
        return await self._carried_out(self._operations.add_schedule(schedule))

    async def change_schedule(self, schedule: Schedule) -> bool:
        return await self._carried_out(self._operations.change_schedule(schedule))

    async def remove_schedule(self, name: str) -> bool:
        return await self._carried_out(self._operations.remove_schedule(name))

    async def schedules(self) -> Mapping[str, Schedule]:
        return await self._carried_out(self._operations.schedules())

    async def fire(self, schedule: Schedule, job: NewJob, next_ms: int) -> bool:
        return await self._carried_out(self._operations.fire(schedule, job, next_ms))
