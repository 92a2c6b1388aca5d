"""dramatiq on Redis: a list of ids, a hash of messages, and for each worker a set of what it has fetched."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.message import Message
from dramatiq.middleware import (
    AgeLimit,
    Callbacks,
    CurrentMessage,
    Pipelines,
    Retries,
    ShutdownNotifications,
    TimeLimit,
)

from loadgen.jobs.adapters.adapter import JOB, Command, Setup, check_settings
from loadgen.jobs.load.work import Work

_OF_BROKERS = set(inspect.signature(RedisBroker).parameters) & {
    "namespace",
    "maintenance_chance",
    "heartbeat_timeout",
    "dead_message_ttl",
}


def broker(setup: Setup, *middleware: Any) -> RedisBroker:
    """Return dramatiq's broker with its default middleware and more of that, not yet connected."""
    backoff = setup.terms.backoff
    attempts = Retries(
        max_retries=setup.terms.max_attempts - 1,
        # 0 would be its default, 15 s.
        min_backoff=max(1, backoff.initial_ns // 1_000_000),
        max_backoff=max(1, backoff.longest_ns // 1_000_000),
    )
    limit = TimeLimit(time_limit=setup.terms.timeout_ns / 1e6 or float("inf"))
    usual = (AgeLimit(), limit, ShutdownNotifications(), Callbacks(), Pipelines(), attempts, CurrentMessage())
    lease = {"heartbeat_timeout": setup.lease_ns // 1_000_000} if setup.lease_ns else {}
    options = {**lease, **setup.settings}
    return RedisBroker(url=setup.redis.with_password(), middleware=[*usual, *middleware], **options)


class Dramatiq:
    """dramatiq's worker: a process with threads, and its parent."""

    def __init__(self, setup: Setup) -> None:
        check_settings("dramatiq", setup.settings, _OF_BROKERS)
        self.version = f"dramatiq {version('dramatiq')}"
        self._setup = setup
        self._broker = broker(setup)
        self._broker.declare_queue(setup.queue)
        self._redis = redis.Redis.from_url(setup.redis.with_password())
        chance = self._broker.maintenance_chance / 1e6
        self.remarks: Sequence[str] = (
            f"a job of a worker that died is another's after {self._broker.heartbeat_timeout / 1000:g} s without a "
            f"command of it, once a command of another draws the chance of {chance:g} to look",
            "a worker fetches up to twice as many jobs as it has threads",
            "a timeout reaches a thread when it executes Python, and so no call that blocks",
            "retries wait 1 to 2 times their backoff, which is exponential",
            "values are not stored",
        )

    def enqueue(self, job: Work) -> str:
        queue = self._setup.queue
        message: Message[object] = Message(queue, JOB, (job.to_json(),), {}, {})
        return str(self._broker.enqueue(message).message_id)

    def worker_command(self, number: int) -> Command:
        words = ("-m", "dramatiq", "--processes", "1", "--threads", str(self._setup.concurrency))
        return self._setup.command(number, sys.executable, *words, "loadgen.jobs.adapters.dramatiq_worker")

    def stats(self) -> Mapping[str, int]:
        key = f"{self._broker.namespace}:{self._setup.queue}"
        pending, stored = int(self._redis.llen(key)), int(self._redis.hlen(f"{key}.msgs"))
        delayed, dead = int(self._redis.hlen(f"{key}.DQ.msgs")), int(self._redis.zcard(f"{key}.XQ"))
        return {"pending": pending, "fetched": max(0, stored - pending), "delayed": delayed, "dead": dead}

    def close(self) -> None:
        self._broker.close()
        self._broker.client.close()
        self._redis.close()
