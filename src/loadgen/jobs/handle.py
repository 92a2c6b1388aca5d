"""Handles of published jobs, by which programs wait for results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from loadgen.errors import LoadgenError
from loadgen.jobs.job import Finished, State
from loadgen.jobs.storage import Storage

_FIRST_LOOK_S = 0.002
_LONGEST_LOOK_S = 0.1
"""The pause after the first look for results, which doubles with each that found none, and the longest."""

_LOOKS_FOR_JOB = 20
"""After so many looks in vain it is asked whether there is such a job at all."""


class JobError(LoadgenError):
    """A job did not end well."""


class JobDead(JobError):
    """A job has failed for good."""


class JobCancelled(JobError):
    """A job was cancelled before it began."""


class ResultGone(JobError):
    """The storage has no result of the job, or no longer: see `result_ttl_s`."""


class Results:
    """Waits for the ends of jobs, one look for all that are waited for."""

    def __init__(self, storage: Callable[[], Storage]) -> None:
        self._storage = storage
        self._waiting: dict[str, asyncio.Future[Finished]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._pause_s = _FIRST_LOOK_S

    async def of(self, job: str) -> Finished:
        """Return the end of a job, when it has one. Raises StorageError, ResultGone."""
        future = self._waiting.get(job)
        if future is None:
            self._waiting[job] = future = asyncio.get_running_loop().create_future()
        self._pause_s = _FIRST_LOOK_S
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return await asyncio.shield(future)

    def tell(self, job: str, finished: Finished) -> None:
        """Take the end of a job that this process has settled itself."""
        future = self._waiting.pop(job, None)
        if future is not None and not future.done():
            future.set_result(finished)

    def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()

    async def _look(self) -> None:
        looks = 0
        while self._waiting:
            try:
                for job, finished in (await self._storage().finished([*self._waiting])).items():
                    self.tell(job, finished)
                    looks, self._pause_s = 0, _FIRST_LOOK_S
                if (looks := looks + 1) % _LOOKS_FOR_JOB == 0:
                    await self._forget_gone()
            except LoadgenError as error:
                for future in self._waiting.values():
                    future.set_exception(error)
                self._waiting.clear()
                return
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, _LONGEST_LOOK_S)

    async def _forget_gone(self) -> None:
        """Fail for a job of which the storage knows nothing."""
        for job in [*self._waiting]:
            if await self._storage().find(job) is None and job not in await self._storage().finished([job]):
                future = self._waiting.pop(job, None)
                if future is not None and not future.done():
                    future.set_exception(ResultGone(f"The storage has no result of job {job}, or no longer."))


class Handle:
    """A published job."""

    def __init__(self, job: str, results: Results, *, deduplicated: bool = False) -> None:
        self.id = job
        self.deduplicated = deduplicated
        """True when there was a job with this idempotency key, whose handle this is."""
        self._results = results

    async def result(self, timeout_s: float | None = None) -> Any:
        """Return what the job's function returned, when it has ended well.

        Raises JobDead or JobCancelled for a job that has not, TimeoutError after `timeout_s`, ResultGone, StorageError.
        """
        async with asyncio.timeout(timeout_s):
            finished = await self._results.of(self.id)
        if finished.state is State.SUCCESS:
            return json.loads(finished.value) if finished.value else None
        if finished.state is State.CANCELLED:
            raise JobCancelled(f"Job {self.id} was cancelled.")
        raise JobDead(f"Job {self.id} is dead: {finished.error}")

    def __repr__(self) -> str:
        return f"<job {self.id}>"
