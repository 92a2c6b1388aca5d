"""The settings that arq's worker loads: one function, which executes the job body."""

from __future__ import annotations

import json
import random
from typing import Any

from arq.worker import Retry, func

from loadgen.jobs.adapters.adapter import JOB, Setup
from loadgen.jobs.adapters.arq import redis_settings, worker_settings
from loadgen.jobs.load.body import execute_async, say_ready

SETUP = Setup.told()


async def job(context: dict[str, Any], data: str) -> object:
    """Execute a job, and ask for another attempt where it fails; arq does so for no other exception than its own."""
    attempt = int(context["job_try"])
    try:
        return await execute_async(json.loads(data), attempt)
    except Exception as error:
        if attempt >= SETUP.terms.max_attempts:
            raise
        raise Retry(SETUP.terms.backoff.wait_ns(attempt, random.random()) / 1e9) from error


async def _on_startup(_: object) -> None:
    say_ready()


SETTINGS = {
    "functions": [func(job, name=JOB)],
    "redis_settings": redis_settings(SETUP),
    "on_startup": _on_startup,
    **worker_settings(SETUP),
}
