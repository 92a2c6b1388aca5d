"""A worker of RQ that executes the job body: one of RQ's workers, or a pool of as many as jobs are executed at once."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
from multiprocessing import get_context

import redis
import rq
from rq.worker_pool import WorkerPool

from loadgen.jobs.adapters.adapter import Setup
from loadgen.jobs.adapters.rq import worker_settings
from loadgen.jobs.load.body import execute, say_ready

_PR_SET_PDEATHSIG = 1

SETUP = Setup.told()
_forks = get_context("fork")
_is_ready = _forks.Event()


def _on_all_ready() -> None:
    say_ready()
    _is_ready.set()


_start = _forks.Barrier(SETUP.concurrency, action=_on_all_ready)
"""Where the workers of a pool wait for each other; one that takes a dead one's place later waits for nobody."""


def job(data: str) -> object:
    """Execute a job in the process that its worker forked for it."""
    left = rq.get_current_job().retries_left
    return execute(json.loads(data), SETUP.terms.max_attempts - (left or 0))


class Worker(rq.Worker):  # type: ignore[misc]
    """RQ's worker, which says when it is ready, and whose forked processes die with it."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options, **worker_settings(SETUP))

    def bootstrap(self, *args: object, **options: object) -> None:
        super().bootstrap(*args, **options)
        if not _is_ready.is_set():
            _start.wait()

    def main_work_horse(self, *args: object) -> None:
        # The process leads a group of its own, so that a kill of the worker's group would let it live on.
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self.pid:
                os._exit(1)
        super().main_work_horse(*args)


def main() -> None:
    """Work until SIGTERM."""
    # RQ would print to standard output what has no handler.
    logging.basicConfig(level=logging.WARNING)
    connection = redis.Redis.from_url(SETUP.redis.with_password())
    if SETUP.concurrency == 1:
        Worker([SETUP.queue], connection=connection).work(with_scheduler=True, logging_level="WARNING")
    else:
        pool = WorkerPool([SETUP.queue], connection, num_workers=SETUP.concurrency, worker_class=Worker)
        pool.start(logging_level="WARNING")


if __name__ == "__main__":
    main()
