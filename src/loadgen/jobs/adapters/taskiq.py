"""taskiq on Redis Streams: a stream with a consumer group, which a broker's `startup` creates at the stream's end."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import redis
from taskiq.kicker import AsyncKicker
from taskiq.middlewares import SmartRetryMiddleware
from taskiq_redis import RedisStreamBroker

from loadgen.jobs.adapters.adapter import JOB, Command, Setup, check_settings
from loadgen.jobs.adapters.loop import Loop
from loadgen.jobs.load.work import Work

_OF_BROKERS = {
    name
    for name, parameter in inspect.signature(RedisStreamBroker).parameters.items()
    if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name not in ("url", "queue_name", "additional_streams")
}
_OF_WORKERS = {"max_prefetch", "ack_type", "max_async_tasks"}
STARTUP = "startup"
"""Our setting: false, a producer publishes without `broker.startup()`."""


def broker_options(setup: Setup) -> dict[str, Any]:
    """Return what the broker is made with."""
    lease = {"idle_timeout": setup.lease_ns // 1_000_000} if setup.lease_ns else {}
    settings = {name: value for name, value in setup.settings.items() if name in _OF_BROKERS}
    return {"url": setup.redis.with_password(), "queue_name": setup.queue, **lease, **settings}


def retries(setup: Setup) -> SmartRetryMiddleware:
    """Return the middleware that publishes a failed job again."""
    backoff = setup.terms.backoff
    return SmartRetryMiddleware(
        default_retry_count=setup.terms.max_attempts,
        default_retry_label=True,
        default_delay=backoff.initial_ns / 1e9,
        use_delay_exponent=True,
        max_delay_exponent=backoff.longest_ns / 1e9,
    )


class Taskiq:
    """taskiq-redis's stream broker, and taskiq's worker: a process with an event loop, and its parent."""

    def __init__(self, setup: Setup) -> None:
        check_settings("taskiq", setup.settings, _OF_BROKERS | _OF_WORKERS | {STARTUP})
        self.version = f"taskiq {version('taskiq')}, taskiq-redis {version('taskiq-redis')}"
        self._setup = setup
        self._loop = Loop()
        self._starting = threading.Lock()
        options = broker_options(setup)
        self._group = str(options.get("consumer_group_name", "taskiq"))
        self._broker = RedisStreamBroker(**options)
        self._is_started = not setup.settings.get(STARTUP, True)
        self._redis = redis.Redis.from_url(setup.redis.with_password())
        idle_s = options.get("idle_timeout", 600_000) / 1000
        self.remarks: Sequence[str] = (
            f"the group begins at {options.get('consumer_id', '$')}: what is published before the first `startup()` is "
            "never delivered, unless that is 0",
            *(("the producer does not call `startup()`",) if self._is_started else ()),
            f"a job that is not acknowledged is another's after {idle_s:g} s, while its worker lives too, once a later "
            "job has been fetched: a worker looks for such jobs after a fetch that found something",
            *(() if options.get("maxlen") else ("entries stay in the stream after their acknowledgement",)),
            f"a worker fetches up to {options.get('xread_count', 100)} jobs at once, however many it executes",
            "a retry is published at once: the broker knows no delay",
        )

    async def _publish(self, data: str) -> str:
        # The kicker publishes what its task's decorator would, without the task.
        labels = {"timeout": self._setup.terms.timeout_ns / 1e9} if self._setup.terms.timeout_ns else {}
        kicker: Any = AsyncKicker(task_name=JOB, broker=self._broker, labels=labels)
        return str((await kicker.kiq(data)).task_id)

    def enqueue(self, job: Work) -> str:
        with self._starting:
            if not self._is_started:
                self._loop.run(self._broker.startup())
                self._is_started = True
        return self._loop.run(self._publish(job.to_json()))

    def worker_command(self, number: int) -> Command:
        settings = {"max_async_tasks": self._setup.concurrency, **self._setup.settings}
        words = [
            word
            for name, value in settings.items()
            if name in _OF_WORKERS
            for word in (f"--{name.replace('_', '-')}", str(value))
        ]
        broker = "loadgen.jobs.adapters.taskiq_worker:broker"
        worker = ("-m", "taskiq", "worker", broker, "--workers", "1", "--log-level", "WARNING")
        return self._setup.command(number, sys.executable, *worker, *words)

    def stats(self) -> Mapping[str, int]:
        stream = self._setup.queue
        if not self._redis.exists(stream):
            return {"entries": 0, "pending": 0, "fetched": 0}
        groups: Any = self._redis.xinfo_groups(stream)
        # Jobs before the group's begin are in no group's count: they are `entries`, and neither pending nor fetched.
        group = next((one for one in groups if one["name"].decode() == self._group), None)
        undelivered = (group.get("lag") or 0) if group else 0
        fetched = int(group["pending"]) if group else 0
        return {"entries": int(self._redis.xlen(stream)), "pending": undelivered, "fetched": fetched}

    def close(self) -> None:
        self._loop.run(self._broker.shutdown())
        self._loop.close()
        self._redis.close()
