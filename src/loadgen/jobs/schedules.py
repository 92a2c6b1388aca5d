"""The schedules of a queue, for programs."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from loadgen.errors import UsageError
from loadgen.jobs import scheduler
from loadgen.jobs.job import Terms
from loadgen.jobs.ledger import Entry, Ledger, What
from loadgen.jobs.schedule import Schedule
from loadgen.jobs.storage import Storage, StorageError
from loadgen.jobs.worker import LOG
from loadgen.units import NS_PER_MS


class Schedules:
    """Creates, lists, changes and removes schedules. Every method may raise StorageError."""

    def __init__(self, storage: Callable[[], Awaitable[Storage]]) -> None:
        self._storage = storage

    async def create(
        self, name: str, job: str, cron: str, data: Any = None, *, zone: str = "UTC", terms: Terms | None = None
    ) -> bool:
        """Have a job published by a cron expression in a time zone; False when there is a schedule of this name.

        Raises UsageError for an expression or a zone that is none, and for data that JSON has no form for.
        """
        try:
            payload = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise UsageError(f"the data of the schedule {name} cannot be stored as JSON: {error}.") from None
        schedule = scheduler.new(name, cron, zone, job, payload, now_ms(), terms)
        return await (await self._storage()).add_schedule(schedule)

    async def all(self) -> Mapping[str, Schedule]:
        """Return all schedules, by name."""
        return await (await self._storage()).schedules()

    async def get(self, name: str) -> Schedule | None:
        return (await self.all()).get(name)

    async def update(self, name: str, *, cron: str | None = None, zone: str | None = None) -> bool:
        """Change when a schedule fires; False when there is none of this name. Raises UsageError as `create` does."""
        found = await self.get(name)
        if found is None:
            return False
        return await self._change(scheduler.changed(found, cron or found.cron, zone or found.zone, now_ms()))

    async def pause(self, name: str) -> bool:
        """Have a schedule not fire until it is resumed; False when there is none of this name."""
        found = await self.get(name)
        return found is not None and await self._change(scheduler.paused(found))

    async def resume(self, name: str) -> bool:
        """Have a schedule fire again from now on: what it missed is not made up for. False when there is none."""
        found = await self.get(name)
        return found is not None and await self._change(scheduler.resumed(found, now_ms()))

    async def delete(self, name: str) -> bool:
        """Remove a schedule; jobs that it has published stay. False when there is none of this name."""
        return await (await self._storage()).remove_schedule(name)

    async def _change(self, schedule: Schedule) -> bool:
        return await (await self._storage()).change_schedule(schedule)


def now_ms() -> int:
    """Return the Unix time in ms."""
    return time.time_ns() // 1_000_000


LOOK_S = 1.0
"""The time between two looks at the schedules, for those that others create and change."""


class Firing:
    """Fires the schedules of a queue while a worker runs."""

    def __init__(self, storage: Callable[[], Awaitable[Storage]], ledger: Ledger, worker: str) -> None:
        self._storage = storage
        self._ledger = ledger
        self._worker = worker

    async def run(self) -> None:
        """Fire what is due, for ever. What the storage cannot do now is done a second later."""
        while True:
            wait_s = LOOK_S
            with suppress(StorageError):
                wait_s = await self._fire_due()
            await asyncio.sleep(wait_s)

    async def _fire_due(self) -> float:
        """Fire what is due, and return the time in s until the next look."""
        storage = await self._storage()
        stored = await storage.schedules()
        for firing in scheduler.due(stored, now_ms()):
            if await storage.fire(firing.schedule, firing.job, firing.next_ms):
                self._note(firing)
        left_ms = scheduler.wait_ms(stored, now_ms())
        return LOOK_S if left_ms is None else min(LOOK_S, left_ms / 1_000)

    def _note(self, firing: scheduler.Firing) -> None:
        name, late_ms = firing.schedule.name, now_ms() - firing.intended_ms
        missed = f", {firing.missed} missed before it" if firing.missed else ""
        LOG.info("Fired schedule %s, %d ms late%s", name, late_ms, missed)
        now_ns = time.monotonic_ns()
        due_ns = now_ns - late_ms * NS_PER_MS
        job = firing.job.id
        entry = Entry(What.FIRED, job, now_ns, self._worker, os.getpid(), firing.missed, due_ns=due_ns, words=name)
        self._ledger.write(entry)
