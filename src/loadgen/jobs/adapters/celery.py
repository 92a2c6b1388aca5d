"""Celery on Redis: a list of messages, and a hash and a zset of those that workers have and have not acknowledged."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import celery
import redis
from celery.app.defaults import DEFAULTS

from loadgen.jobs.adapters.adapter import JOB, Command, Setup, check_settings, seconds
from loadgen.jobs.load.work import Work

_OF_TRANSPORT = {"visibility_timeout", "unacked_restore_interval", "unacked_restore_limit", "queue_order_strategy"}
"""Settings that Celery hands on to its transport, by their own names."""
_ADDRESSES = {"broker_url", "broker_read_url", "broker_write_url", "task_default_queue", "broker_transport_options"}
"""Settings that a `Setup` has otherwise."""

_ELSEWHERE = (
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
    "CELERY_CONFIG_MODULE",
    "CELERY_LOADER",
)
"""Variables that Celery obeys before what its application says: a load is for no broker but the one under test."""


def application(setup: Setup) -> Any:
    """Return Celery's application for a setup. Variables by which Celery goes elsewhere leave the environment."""
    for name in _ELSEWHERE:
        os.environ.pop(name, None)
    app = celery.Celery("loadgen", broker=setup.redis.with_password())
    lease = {"visibility_timeout": seconds(setup.lease_ns)} if setup.lease_ns else {}
    transport = {**lease, **{name: value for name, value in setup.settings.items() if name in _OF_TRANSPORT}}
    asked = {
        "task_default_queue": setup.queue,
        "task_soft_time_limit": setup.terms.timeout_ns / 1e9 or None,
        # Without it a job is acknowledged before it is executed, and no lease brings it back.
        "task_acks_late": bool(setup.lease_ns),
        "broker_transport_options": transport,
    }
    app.conf.update({**asked, **{name: value for name, value in setup.settings.items() if name not in _OF_TRANSPORT}})
    return app


class Celery:
    """Celery's default worker, a pool of forked processes."""

    def __init__(self, setup: Setup) -> None:
        check_settings("celery", setup.settings, _OF_TRANSPORT | set(DEFAULTS) - _ADDRESSES)
        self.version = f"celery {version('celery')}"
        self._setup = setup
        self._app = application(setup)
        self._redis = redis.Redis.from_url(setup.redis.with_password())
        timeout = self._app.conf.broker_transport_options.get("visibility_timeout", 3600)
        early = (
            "a job is acknowledged before it is executed (task_acks_late is off): the death of its worker loses it",
            f"what a worker that died has fetched besides is another's after {timeout} s",
        )
        late = (
            f"a job that is not acknowledged is another's after {timeout} s (task_acks_late is on), while its worker "
            "lives too",
        )
        self.remarks: Sequence[str] = (
            *(late if self._app.conf.task_acks_late else early),
            "a worker looks for those each 100 s, in every tenth of its checks",
            f"a worker fetches {self._app.conf.worker_prefetch_multiplier} jobs more for each that it executes",
            "retries are by `retry(countdown)`: the worker that fetched one holds it until its time",
            "values are not stored" if not self._app.conf.result_backend else "values are stored",
        )

    def enqueue(self, job: Work) -> str:
        return str(self._app.send_task(JOB, [job.to_json()], queue=self._setup.queue).id)

    def worker_command(self, number: int) -> Command:
        application = ("-m", "celery", "--quiet", "--app", "loadgen.jobs.adapters.celery_worker")
        worker = ("worker", "--concurrency", str(self._setup.concurrency), "--loglevel", "WARNING")
        return self._setup.command(number, sys.executable, *application, *worker, "--hostname", f"w{number}@%h")

    def stats(self) -> Mapping[str, int]:
        return {"pending": int(self._redis.llen(self._setup.queue)), "unacknowledged": int(self._redis.hlen("unacked"))}

    def close(self) -> None:
        self._app.close()
        self._redis.close()
