"""Durable jobs: queues on Redis Streams, on lists of Redis and on SQLite, for programs and for load tests of queues.

`Queue` is what programs use: docs/JOBS.md is the guide.
"""

from __future__ import annotations

from loadgen.lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from loadgen.jobs.handle import Handle, JobCancelled, JobDead, JobError, ResultGone
    from loadgen.jobs.job import State
    from loadgen.jobs.queue import Durable, JobEvent, Queue
    from loadgen.jobs.schedule import Schedule
    from loadgen.jobs.storage import Storage, StorageError
    from loadgen.jobs.worker import Attempt, NoRetry

__all__ = [
    "Attempt",
    "Durable",
    "Handle",
    "JobCancelled",
    "JobDead",
    "JobError",
    "JobEvent",
    "NoRetry",
    "Queue",
    "ResultGone",
    "Schedule",
    "State",
    "Storage",
    "StorageError",
]

__getattr__ = lazily(
    __name__,
    {
        "Attempt": "worker",
        "Durable": "queue",
        "Handle": "handle",
        "JobCancelled": "handle",
        "JobDead": "handle",
        "JobError": "handle",
        "JobEvent": "queue",
        "NoRetry": "worker",
        "Queue": "queue",
        "ResultGone": "handle",
        "Schedule": "schedule",
        "State": "job",
        "Storage": "storage",
        "StorageError": "storage",
    },
)
