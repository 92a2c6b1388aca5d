"""The broker that taskiq's worker loads: one task, which executes the job body."""

from __future__ import annotations

import json
from typing import Annotated

from taskiq import Context, TaskiqDepends
from taskiq_redis import RedisStreamBroker

from loadgen.jobs.adapters.adapter import JOB, Setup
from loadgen.jobs.adapters.taskiq import broker_options, retries
from loadgen.jobs.load.body import execute_async, say_ready

SETUP = Setup.told()


class Broker(RedisStreamBroker):  # type: ignore[misc]
    """A broker that says when its worker is ready: once its consumer group is there."""

    async def startup(self) -> None:
        await super().startup()
        say_ready()


async def job(data: str, context: Annotated[Context, TaskiqDepends()]) -> object:
    """Execute a job; the middleware publishes it again where it fails."""
    return await execute_async(json.loads(data), 1 + int(context.message.labels.get("_retries", 0)))


broker = Broker(**broker_options(SETUP)).with_middlewares(retries(SETUP))
broker.register_task(job, task_name=JOB)
