"""arq: a zset of job ids by their time, a key for each job, and a key for each that is under way, which expires."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.constants import in_progress_key_prefix, result_key_prefix
from arq.worker import Worker

from loadgen.jobs.adapters.adapter import JOB, Command, Setup, check_settings
from loadgen.jobs.adapters.loop import Loop
from loadgen.jobs.load.work import Work

FOR_EVER_S = 7 * 86_400
"""The timeout of a job that has none: arq's key of a job under way lives for that time, so it must have an end."""

_SETTINGS = {
    name
    for name, parameter in inspect.signature(Worker).parameters.items()
    if isinstance(parameter.default, int | float | bool)
} | {"queue_read_limit"}


def redis_settings(setup: Setup) -> RedisSettings:
    """Return how arq connects."""
    return RedisSettings.from_dsn(setup.redis.with_password())


def worker_settings(setup: Setup) -> dict[str, Any]:
    """Return what arq's worker is made with."""
    terms = {"max_tries": setup.terms.max_attempts, "job_timeout": setup.terms.timeout_ns / 1e9 or FOR_EVER_S}
    return {"queue_name": setup.queue, "max_jobs": setup.concurrency, **terms, **setup.settings}


class Arq:
    """arq's queue, and its worker, a process with an event loop."""

    def __init__(self, setup: Setup) -> None:
        check_settings("arq", setup.settings, _SETTINGS)
        self.version = f"arq {version('arq')}"
        self._setup = setup
        self._loop = Loop()
        self._pool: ArqRedis | None = None
        told = worker_settings(setup)
        self.remarks: Sequence[str] = (
            f"a worker looks for jobs each {told.get('poll_delay', 0.5)} s, and fills its concurrency then only",
            f"a job of a worker that died is another's {told['job_timeout'] + 10:g} s after its begin: its timeout and "
            "10 s; there is no setting for that",
            "every execution counts as an attempt, also one that its worker's death ended",
            "a job that exceeds its timeout is not tried again",
            "SIGTERM cancels the jobs under way, which are executed again",
        )

    async def _connected(self) -> ArqRedis:
        if self._pool is None:
            self._pool = await create_pool(redis_settings(self._setup), default_queue_name=self._setup.queue)
        return self._pool

    async def _enqueue(self, data: str) -> str:
        job = await (await self._connected()).enqueue_job(JOB, data)
        return str(job.job_id) if job else ""

    def enqueue(self, job: Work) -> str:
        return self._loop.run(self._enqueue(job.to_json()))

    def worker_command(self, number: int) -> Command:
        return self._setup.command(number, sys.executable, "-m", "arq", "loadgen.jobs.adapters.arq_worker.SETTINGS")

    async def _counts(self) -> dict[str, int]:
        pool = await self._connected()
        # A job stays in the zset while it is under way.
        waiting = await pool.zcard(self._setup.queue)
        running = len([key async for key in pool.scan_iter(f"{in_progress_key_prefix}*", count=1000)])
        results = len([key async for key in pool.scan_iter(f"{result_key_prefix}*", count=1000)])
        return {"pending": waiting - running, "running": running, "results": results}

    def stats(self) -> Mapping[str, int]:
        return self._loop.run(self._counts())

    def close(self) -> None:
        if self._pool is not None:
            self._loop.run(self._pool.aclose())
        self._loop.close()
