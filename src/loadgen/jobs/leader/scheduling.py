"""Operations on schedules in a test: each kind for all schedules, then the next kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from loadgen.errors import LoadgenError
from loadgen.jobs.job import Terms
from loadgen.jobs.load.ended import Operations
from loadgen.jobs.load.plan import Scheduling
from loadgen.jobs.load.work import Work
from loadgen.jobs.queue import Queue
from loadgen.units import NS_PER_S

CRONS = ("*/5 * * * *", "0 * * * *", "30 2 * * 1-5", "0 0 1 * *")
"""What schedules are changed to, in turns."""


class Scheduled:
    """The schedules of one test."""

    def __init__(self, scheduling: Scheduling, queue: Queue, terms: Terms) -> None:
        self._scheduling = scheduling
        self._schedules = queue.schedules
        self._terms = terms
        self._room = asyncio.Semaphore(scheduling.concurrency)

    async def run(self, operations: list[Operations]) -> None:
        """Carry out all operations, and add what became of each kind: those that failed raised, or had no effect."""
        asked = self._scheduling
        names = [f"s{number}" for number in range(1, asked.schedules + 1)]
        operations.append(await self._each("create", names, self._create, asked.attempts, effective=1))
        operations.append(await self._each("list", names, self._is_listed, 1))
        if asked.updates:
            operations.append(await self._each("update", names, self._update, asked.updates))
        for turn, (name, act) in enumerate((("pause", self._pause), ("resume", self._resume)) * asked.operations):
            if turn < asked.operations:
                operations.append(await self._each(name, names, act, 1))
        if asked.fires_ns:
            await asyncio.sleep(asked.fires_ns / NS_PER_S)
        if asked.removes:
            operations.append(await self._each("delete", names, self._delete, 1))
        operations[:] = _merged(operations)

    async def _each(
        self,
        name: str,
        schedules: list[str],
        act: Callable[[str, int], Awaitable[bool]],
        times: int,
        effective: int | None = None,
    ) -> Operations:
        """Do something to each schedule some times at once. `effective` of the times must have an effect; None: all."""
        began_ns = time.monotonic_ns()

        async def one(schedule: str, turn: int) -> bool | None:
            async with self._room:
                try:
                    return await act(schedule, turn)
                except LoadgenError:
                    return None

        failed = 0
        for schedule_results in await asyncio.gather(
            *(asyncio.gather(*(one(schedule, turn) for turn in range(times))) for schedule in schedules)
        ):
            due = times if effective is None else effective
            failed += schedule_results.count(None) + abs(schedule_results.count(True) - due)
        return Operations(name, times * len(schedules), failed, time.monotonic_ns() - began_ns)

    async def _create(self, name: str, _: int) -> bool:
        asked = self._scheduling
        work = asdict(Work(name, 0))
        return await self._schedules.create(name, "work", asked.cron, work, zone=asked.zone, terms=self._terms)

    async def _is_listed(self, name: str, _: int) -> bool:
        return name in await self._schedules.all()

    async def _update(self, name: str, turn: int) -> bool:
        changed = await self._schedules.update(name, cron=CRONS[turn % len(CRONS)])
        found = (await self._schedules.all()).get(name)
        return changed and found is not None and found.cron in CRONS

    async def _pause(self, name: str, _: int) -> bool:
        return await self._schedules.pause(name)

    async def _resume(self, name: str, _: int) -> bool:
        return await self._schedules.resume(name)

    async def _delete(self, name: str, _: int) -> bool:
        return await self._schedules.delete(name)


def _merged(operations: list[Operations]) -> list[Operations]:
    """Return one for each name: counts and times of the same operation added up."""
    found: dict[str, Operations] = {}
    for each in operations:
        before = found.get(each.name)
        found[each.name] = (
            each
            if before is None
            else Operations(
                each.name,
                before.count + each.count,
                before.failed + each.failed,
                before.elapsed_ns + each.elapsed_ns,
            )
        )
    return [*found.values()]
