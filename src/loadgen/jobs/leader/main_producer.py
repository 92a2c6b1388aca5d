"""The process of one producer: `python -m loadgen.jobs.leader.main_producer`.

The process writes `ready` to standard output, and begins at a line on standard input that has the monotonic time of the
start. Each publish is written to the ledger: that it was attempted, and what became of it. At the end it writes what
became of workflows and of operations on schedules, as JSON. Where standard input ends before, the leader is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Self

from loadgen.errors import LoadgenError
from loadgen.jobs import log
from loadgen.jobs.adapters.adapter import Adapter, Setup
from loadgen.jobs.adapters.catalogue import make_adapter
from loadgen.jobs.leader import setup
from loadgen.jobs.leader.named_queue import queue_of
from loadgen.jobs.leader.scheduling import Scheduled
from loadgen.jobs.leader.setup import ProducerSetup
from loadgen.jobs.leader.workflows import Workflows
from loadgen.jobs.ledger import VARIABLE, Entry, Ledger, Tail, What, named
from loadgen.jobs.load.ended import Operations
from loadgen.jobs.load.order import Submission, submissions
from loadgen.jobs.queue import Queue
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import RedisUrl, parse
from loadgen.units import NS_PER_S

READY = "ready"

Publish = Callable[[Sequence[Submission], int], Awaitable[None]]
"""Publishes some jobs at once. The second argument is their intended time, by the monotonic clock."""


def main() -> None:
    """Publish what the setup says, and end."""
    told = setup.producer_setup()
    log.configure(told.log_level)
    try:
        operations = asyncio.run(_publish(told))
    except LoadgenError as error:
        print(f"producer {told.number + 1}: {error}", file=sys.stderr)
        sys.exit(int(error.exit_code))
    print(json.dumps([asdict(each) for each in operations]), flush=True)


async def _publish(told: ProducerSetup) -> list[Operations]:
    if told.adapter:
        with _Library(told) as library:
            start_ns = await _awaited_start()
            await _all(told, library.publish, start_ns)
        return []
    queue = queue_of(told.queue)
    await queue.open()
    try:
        start_ns = await _awaited_start()
        return await _ours(told, queue, start_ns)
    finally:
        await queue.stop()


async def _ours(told: ProducerSetup, queue: Queue, start_ns: int) -> list[Operations]:
    """Publish to a queue of ours: single jobs, and on the first producer workflows and schedules, all at once."""

    async def publish(some: Sequence[Submission], due_ns: int) -> None:
        try:
            if len(some) == 1:
                [one] = some
                await queue.enqueue(
                    "work", asdict(one.work), key=one.key, job=one.work.n, terms=told.terms, due_ns=due_ns
                )
            else:
                await queue.enqueue_many(
                    "work",
                    [asdict(each.work) for each in some],
                    jobs=[each.work.n for each in some],
                    terms=told.terms,
                    due_ns=due_ns,
                )
        except StorageError:
            pass  # It is in the ledger.

    operations: list[Operations] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(_all(told, publish, start_ns))
        if told.number == 0 and told.chains is not None:
            workflows = Workflows(told.chains, queue, told.terms)
            group.create_task(workflows.run(operations))
        if told.number == 0 and told.scheduling is not None:
            scheduled = Scheduled(told.scheduling, queue, told.terms)
            group.create_task(scheduled.run(operations))
    return operations


async def _all(told: ProducerSetup, publish: Publish, start_ns: int) -> None:
    """Publish each job at its time, or as soon as there is room after it."""
    room = asyncio.Semaphore(told.publishing.concurrency)
    async with asyncio.TaskGroup() as group:

        async def one(some: Sequence[Submission], due_ns: int) -> None:
            try:
                await publish(some, due_ns)
            finally:
                room.release()

        some: list[Submission] = []
        batch = 1 if told.publishing.submissions > 1 else told.publishing.batch
        attempted = _attempted() if told.resumes else frozenset[str]()
        for submission in submissions(told.publishing, told.number, told.seed):
            if submission.work.n in attempted:
                continue
            if some and (len(some) >= batch or submission.due_ns != some[0].due_ns):
                await _begin(group, one, some, start_ns, room)
                some = []
            some.append(submission)
        if some:
            await _begin(group, one, some, start_ns, room)


def _attempted() -> frozenset[str]:
    """Return the jobs whose publish the ledger says was attempted."""
    entries = Tail(Path(os.environ[VARIABLE])).news()
    return frozenset(entry.job for entry in entries if entry.what is What.ATTEMPTED)


async def _begin(
    group: asyncio.TaskGroup,
    one: Callable[[Sequence[Submission], int], Awaitable[None]],
    some: Sequence[Submission],
    start_ns: int,
    room: asyncio.Semaphore,
) -> None:
    due_ns = start_ns + some[0].due_ns
    if (early_ns := due_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(early_ns / NS_PER_S)
    await room.acquire()
    # Without a time of its own, a publish is intended when there is room for it.
    group.create_task(one(some, due_ns if some[0].due_ns else 0))  # type: ignore[arg-type]


async def _awaited_start() -> int:
    """Say that this process is ready, wait for the start, and return its time."""
    print(READY, flush=True)
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if not line:
        os._exit(0)
    threading.Thread(target=_end_with_leader, daemon=True).start()
    start_ns = int(line)
    await asyncio.sleep(max(0, start_ns - time.monotonic_ns()) / NS_PER_S)
    return start_ns


def _end_with_leader() -> None:
    while sys.stdin.readline():
        pass
    os._exit(0)


class _Library:
    """Publishes through an adapter, whose calls block: each in a thread."""

    def __init__(self, told: ProducerSetup) -> None:
        where = parse(told.queue.storage)
        assert isinstance(where, RedisUrl)
        made = Setup(where, told.terms, told.concurrency, told.queue.lease_ns, told.settings)
        self._adapter: Adapter = make_adapter(told.adapter, made)
        self._ledger: Ledger = named()
        self._threads = ThreadPoolExecutor(told.publishing.concurrency)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._adapter.close()

    async def publish(self, some: Sequence[Submission], due_ns: int) -> None:
        """Publish jobs, one call for each."""
        loop = asyncio.get_running_loop()
        for each in some:
            await loop.run_in_executor(self._threads, self._one, each, due_ns)

    def _one(self, submission: Submission, due_ns: int) -> None:
        job, began_ns = submission.work.n, time.monotonic_ns()
        self._ledger.write(Entry(What.ATTEMPTED, job, began_ns, due_ns=due_ns or began_ns))
        try:
            self._adapter.enqueue(submission.work)
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
            self._ledger.write(Entry(What.FAILED, job, time.monotonic_ns(), words=words))
        else:
            self._ledger.write(Entry(What.ACKNOWLEDGED, job, time.monotonic_ns()))


if __name__ == "__main__":
    main()
