"""The answer of `jobs inspect`: what a queue of loadgen's own says of itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from loadgen.errors import TargetError, UsageError
from loadgen.escape import printable
from loadgen.jobs.job import Inspection
from loadgen.jobs.load.ended import QueueInspected, RunningJob
from loadgen.jobs.opened import LISTS, STREAMS, Terms, storage_of
from loadgen.jobs.storage import Storage
from loadgen.jobs.url import SqliteUrl, parse
from loadgen.units import NS_PER_S


def inspected(queue: str, storage: str, adapter: str | None, older_than_ns: int | None) -> QueueInspected:
    """Return the state of a queue, with the running jobs that are older than a time, where one is given.

    Raises UsageError for a storage that is none, or that does not suit the adapter; TargetError for a file that is not
    there; StorageError.
    """
    url = parse(storage)
    if adapter is not None and isinstance(url, SqliteUrl) != (adapter == "sqlite"):
        raise UsageError(f"--adapter {adapter} does not keep its jobs in {url}: name another storage, or leave it out.")
    # A file that is not there would be made.
    if isinstance(url, SqliteUrl) and not Path(url.path).exists():
        raise TargetError(f"there is no file {printable(url.path, 200)}: name the storage of the queue by --storage.")
    layout = LISTS if adapter == LISTS else STREAMS
    found = asyncio.run(_inspection(storage_of(url, Terms(name=queue, layout=layout))))
    kept = "sqlite" if isinstance(url, SqliteUrl) else layout
    older_s = None if older_than_ns is None else older_than_ns / NS_PER_S
    return QueueInspected(
        queue=f"{queue}, {kept} in {url}",
        counts={str(state): count for state, count in found.counts.items()},
        oldest_s=found.oldest_s,
        facts=found.facts,
        running=tuple(
            RunningJob(job.id, job.name, job.worker, job.attempt, job.age_s)
            for job in found.running
            if older_s is not None and job.age_s >= older_s
        ),
        older_than_s=older_s,
        workers=found.workers,
    )


async def _inspection(storage: Storage) -> Inspection:
    await storage.open()
    try:
        return await storage.inspect()
    finally:
        await storage.close()
