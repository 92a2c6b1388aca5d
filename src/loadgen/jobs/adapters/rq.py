"""RQ: a list of job ids, a hash for each job, and a registry of jobs that have begun, scored by when they expire."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import redis
import rq
import rq.registry

from loadgen.jobs.adapters.adapter import Command, Setup, check_settings, seconds
from loadgen.jobs.load.work import Work

OF_JOBS = {"result_ttl", "failure_ttl", "ttl", "job_timeout"}
OF_WORKERS = {"maintenance_interval", "job_monitoring_interval", "worker_ttl"}


def worker_settings(setup: Setup) -> dict[str, Any]:
    """Return what RQ's workers are made with."""
    lease = {"maintenance_interval": seconds(setup.lease_ns)} if setup.lease_ns else {}
    return {**lease, **{name: value for name, value in setup.settings.items() if name in OF_WORKERS}}


class Rq:
    """RQ's queue, and its workers: a job is executed by a process that is forked for it."""

    def __init__(self, setup: Setup) -> None:
        check_settings("rq", setup.settings, OF_JOBS | OF_WORKERS)
        self.version = f"rq {version('rq')}"
        self._setup = setup
        self._connection = redis.Redis.from_url(setup.redis.with_password())
        self._queue = rq.Queue(setup.queue, connection=self._connection)
        terms = setup.terms
        waits = [seconds(terms.backoff.nominal_ns(failures)) for failures in range(1, terms.max_attempts)]
        self._options = {
            "job_timeout": seconds(terms.timeout_ns) or -1,
            **({"retry": rq.Retry(max=len(waits), interval=waits)} if waits else {}),
            **{name: value for name, value in setup.settings.items() if name in OF_JOBS},
        }
        told = worker_settings(setup)
        self.remarks: Sequence[str] = (
            "each job is a process that its worker forks",
            *(("concurrency is that many worker processes, of a pool",) if setup.concurrency > 1 else ()),
            "retries wait whole seconds, without jitter, and come from a scheduler that looks each second",
            "a job of a worker that died expires 60 to 90 s after its last heartbeat, and is noticed by a maintenance: "
            f"each {told.get('maintenance_interval', 600)} s where jobs go on; a worker that is idle wakes each "
            f"{int(told.get('worker_ttl', 420)) - 15} s for that",
            "the death of a worker uses up a retry",
            "job processes lead process groups of their own: here they die with their worker, but do not stop with it",
        )

    def enqueue(self, job: Work) -> str:
        return str(self._queue.enqueue("loadgen.jobs.adapters.rq_worker.job", job.to_json(), **self._options).id)

    def worker_command(self, number: int) -> Command:
        return self._setup.command(number, sys.executable, "-m", "loadgen.jobs.adapters.rq_worker")

    def stats(self) -> Mapping[str, int]:
        registries = {
            "running": rq.registry.StartedJobRegistry(queue=self._queue),
            "delayed": rq.registry.ScheduledJobRegistry(queue=self._queue),
            "finished": rq.registry.FinishedJobRegistry(queue=self._queue),
            "failed": rq.registry.FailedJobRegistry(queue=self._queue),
        }
        # Without the clean-up that counting does by default: to look must not reclaim.
        counts = {name: registry.get_job_count(cleanup=False) for name, registry in registries.items()}
        return {"pending": self._queue.count, **counts}

    def close(self) -> None:
        self._connection.close()
