"""The broker that dramatiq's worker loads: one actor, which executes the job body."""

from __future__ import annotations

import json
from typing import Any

from dramatiq import Middleware, actor, set_broker
from dramatiq.middleware import CurrentMessage

from loadgen.jobs.adapters.adapter import JOB, Setup
from loadgen.jobs.adapters.dramatiq import broker
from loadgen.jobs.load.body import execute, say_ready

SETUP = Setup.told()


class Ready(Middleware):  # type: ignore[misc]
    """Says that the worker is ready, before its first thread fetches."""

    def before_worker_boot(self, *_: Any) -> None:
        say_ready()


def job(data: str) -> object:
    """Execute a job; the middleware publishes it again where it fails."""
    message = CurrentMessage.get_current_message()
    return execute(json.loads(data), 1 + message.options.get("retries", 0) if message else 0)


set_broker(broker(SETUP, Ready()))
actor(job, actor_name=JOB, queue_name=SETUP.queue)
