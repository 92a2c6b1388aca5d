"""Queues of durable jobs, for programs: functions are registered, jobs are published, and a worker executes them.

    queue = Queue("sqlite://./jobs.db")

    @queue.durable("send-mail", max_attempts=5)
    async def send_mail(data):
        ...

    await queue.start()
    handle = await send_mail({"to": "someone"})
    print(await handle.result())
    await queue.stop()

A job is executed at least once. It is executed again where its worker died, or was taken for dead: an effect that must
happen once is guarded by the attempt's fence, which a function receives with a second parameter.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Self
from uuid import uuid4

from loadgen.errors import UsageError
from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.functions import Functions
from loadgen.jobs.handle import Handle, Results
from loadgen.jobs.job import Claim, Died, Ending, Finished, Inspection, JobRecord, NewJob, State, Succeeded, Terms
from loadgen.jobs.ledger import Entry, Ledger, What, named
from loadgen.jobs.opened import STREAMS, storage_of
from loadgen.jobs.opened import Terms as Kept
from loadgen.jobs.schedules import Firing, Schedules
from loadgen.jobs.storage import Storage, StorageError
from loadgen.jobs.worker import LOG, Worker
from loadgen.units import NS_PER_S

PUBLISH_TIMEOUT_S = 30.0
"""How long a publish is tried again while the storage fails in a way that passes."""

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 1.0

EVENTS = ("job:start", "job:success", "job:error", "job:dead")
"""What listeners can be told of, in this process: the beginning of an execution, its good end, its failure, and a
failure after which there is no further attempt."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What a listener receives."""

    event: str
    """One of EVENTS."""
    id: str
    name: str
    attempt: int
    """From 1."""
    error: str = ""


Listener = Callable[[JobEvent], None]


class Durable:
    """A registered function: a call publishes a job, and returns its handle."""

    def __init__(self, queue: Queue, name: str, function: Callable[..., Any], terms: Terms) -> None:
        self.name = name
        self.terms = terms
        self.__wrapped__ = function
        self._queue = queue

    async def __call__(
        self, data: Any = None, *, key: str = "", delay_s: float = 0.0, terms: Terms | None = None
    ) -> Handle:
        """Publish a job; see `Queue.enqueue`."""
        return await self._queue.enqueue(self.name, data, key=key, delay_s=delay_s, terms=terms or self.terms)


class Queue:
    """A queue, and this process's worker of it."""

    def __init__(
        self,
        storage: str | Storage = "sqlite://./jobs.db",
        *,
        name: str = "default",
        concurrency: int = 10,
        lease_s: float = 5.0,
        sweep_s: float = 1.0,
        auto_start: bool = True,
        worker: str = "",
        max_deliveries: int = 5,
        result_ttl_s: float = 3_600.0,
        layout: str = STREAMS,
        durability: str = "",
        renews: bool = True,
        ledger: Ledger | None = None,
    ) -> None:
        """Make a queue; nothing is opened yet.

        `storage` is sqlite://./relative.db, sqlite:///absolute.db, redis://host:port/db, or a Storage. A worker
        executes `concurrency` jobs at once. A job whose worker has not renewed its lease for `lease_s` is another's:
        all workers look for such jobs each `sweep_s`. A job that was claimed `max_deliveries` times without an end is
        dead. With `auto_start`, the first job that is published starts the worker. Raises UsageError.
        """
        for what, number in (("concurrency", concurrency), ("max_deliveries", max_deliveries)):
            if number < 1:
                raise UsageError(f"{what} must be at least 1, not {number}.")
        if lease_s <= 0.0 or sweep_s <= 0.0:
            raise UsageError("lease_s and sweep_s must be longer than 0.")
        kept = Kept(
            name=name,
            lease_ns=round(lease_s * NS_PER_S),
            max_deliveries=max_deliveries,
            result_ttl_ns=round(result_ttl_s * NS_PER_S),
            layout=layout,
            durability=durability,
        )
        self.name = name
        self.worker_name = worker or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._storage = storage_of(storage, kept) if isinstance(storage, str) else storage
        self._concurrency = concurrency
        self._lease_ns, self._sweep_ns = kept.lease_ns, round(sweep_s * NS_PER_S)
        self._auto_start = auto_start
        self._renews = renews
        self._ledger = named() if ledger is None else ledger
        self._functions = Functions(self.worker_name, concurrency, self._ledger)
        self._durable: dict[str, Durable] = {}
        self._listeners: dict[str, list[Listener]] = {event: [] for event in EVENTS}
        self._worker: Worker | None = None
        self._working: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._is_open = False
        self._results = Results(lambda: self._storage)
        self.schedules = Schedules(self._ready_storage)
        self._firing: asyncio.Task[None] | None = None

    # ── Functions and listeners ───────────────────────────────────────────────────────────────────────────────────────

    def durable(
        self,
        name: str | None = None,
        function: Callable[..., Any] | None = None,
        *,
        max_attempts: int = 3,
        timeout_s: float = 30.0,
        backoff: str = "exponential",
        initial_s: float = 1.0,
        longest_s: float = 60.0,
        jitter: float = 0.1,
        records: bool = True,
    ) -> Any:
        """Register a function, as a decorator or with the function as an argument; return a `Durable`.

        The function is called with the data of a job, and with an `Attempt` where it has a second parameter. What it
        returns must be representable in JSON. An exception is a failure of the attempt: there are `max_attempts`, with
        waits of `backoff` (fixed, linear or exponential) in between; after `NoRetry` there is no other. A `timeout_s`
        of 0 is none.
        Raises UsageError for wrong terms, and for a name that is taken.
        """
        if function is None:
            return partial(
                self.durable,
                name,
                max_attempts=max_attempts,
                timeout_s=timeout_s,
                backoff=backoff,
                initial_s=initial_s,
                longest_s=longest_s,
                jitter=jitter,
                records=records,
            )
        called = name or function.__name__
        if called in self._functions.by_name:
            raise UsageError(f"there is a job {called} already.")
        if max_attempts < 1:
            raise UsageError(f"max_attempts must be at least 1, not {max_attempts}.")
        if backoff not in list(Growth):
            raise UsageError(f"{backoff} is no backoff; those are {', '.join(Growth)}.")
        terms = Terms(
            max_attempts,
            round(timeout_s * NS_PER_S),
            Backoff(Growth(backoff), round(initial_s * NS_PER_S), round(longest_s * NS_PER_S), jitter),
        )
        self._functions.add(called, function, records=records)
        self._durable[called] = Durable(self, called, function, terms)
        return self._durable[called]

    def on(self, event: str, listener: Listener) -> None:
        """Have a function called with each `JobEvent` of a kind: see EVENTS. Raises UsageError for another kind."""
        if event not in self._listeners:
            raise UsageError(f"there is no event {event}; those are {', '.join(EVENTS)}.")
        self._listeners[event].append(listener)

    def on_start(self, claim: Claim) -> None:
        """Tell listeners that an execution begins."""
        self._tell("job:start", claim)

    def on_end(self, claim: Claim, ending: Ending, *, accepted: bool) -> None:
        """Tell listeners, and who waits for the result, how an execution ended that the storage has taken."""
        if not accepted:
            return
        match ending:
            case Succeeded(value):
                self._results.tell(claim.id, Finished(State.SUCCESS, value))
                self._tell("job:success", claim)
            case Died(error):
                self._results.tell(claim.id, Finished(State.DEAD, error=error))
                self._tell("job:error", claim, error)
                self._tell("job:dead", claim, error)
            case _:
                self._tell("job:error", claim, ending.error)

    def _tell(self, event: str, claim: Claim, error: str = "") -> None:
        for listener in self._listeners[event]:
            listener(JobEvent(event, claim.id, claim.name, claim.attempt, error))

    # ── Start and stop ────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Open the storage, without a worker: for programs that only publish. Raises StorageError."""
        async with self._opening:
            if not self._is_open:
                await self._storage.open()
                self._is_open = True

    async def start(self) -> None:
        """Open the storage and start this process's worker. A second call does nothing. Raises StorageError."""
        await self.open()
        if self._worker is None:
            self._worker = Worker(
                self.worker_name,
                self._storage,
                self._functions.by_name,
                self._concurrency,
                self._lease_ns,
                self._sweep_ns,
                self._ledger,
                self,
                self._renews,
            )
            loop = asyncio.get_running_loop()
            self._working = loop.create_task(self._worker.run())
            self._firing = loop.create_task(Firing(self._ready_storage, self._ledger, self.worker_name).run())

    async def wait(self) -> None:
        """Wait until the worker has ended. Raises StorageError where the storage failed for good."""
        worker, working = self._worker, self._working
        if worker is not None and working is not None:
            await asyncio.shield(working)
            if worker.failure is not None:
                raise worker.failure

    async def stop(self, grace_s: float = 30.0) -> None:
        """Claim no more jobs, wait for those under way for at most `grace_s`, and close the storage.

        A job that is under way then is cancelled, and is another worker's when its lease has expired.
        """
        try:
            if self._firing is not None:
                self._firing.cancel()
            if self._worker is not None and self._working is not None:
                self._worker.stop()
                with suppress(TimeoutError, asyncio.CancelledError):
                    async with asyncio.timeout(grace_s):
                        await self._working
        finally:
            self._results.close()
            if self._working is not None and not self._working.done():
                self._working.cancel()
            self._functions.close()
            self._worker = self._working = self._firing = None
            if self._is_open:
                self._is_open = False
                await self._storage.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # ── Publishing ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def enqueue(
        self,
        name: str,
        data: Any = None,
        *,
        key: str = "",
        delay_s: float = 0.0,
        job: str = "",
        terms: Terms | None = None,
        due_ns: int = 0,
    ) -> Handle:
        """Publish a job, and return its handle when the storage has it.

        A job with the `key` of an earlier one is not published: the handle is that one's. `job` is the job's id, of the
        caller's own making. `due_ns` is the monotonic time at which the publish was intended, for the ledger. While the
        storage fails in a way that passes, the publish is tried again for 30 s. Raises StorageError; UsageError for
        data that JSON has no form for.
        """
        new = self._new(name, data, key, delay_s, job, terms)
        return (await self._publish([new], due_ns))[0]

    async def enqueue_many(
        self, name: str, many: Sequence[Any], *, jobs: Sequence[str] = (), terms: Terms | None = None, due_ns: int = 0
    ) -> list[Handle]:
        """Publish several jobs by one request; see `enqueue`. `jobs` are their ids."""
        ids = jobs or [""] * len(many)
        new = [self._new(name, data, "", 0.0, job, terms) for data, job in zip(many, ids, strict=True)]
        return await self._publish(new, due_ns)

    def _new(self, name: str, data: Any, key: str, delay_s: float, job: str, terms: Terms | None) -> NewJob:
        if terms is None:
            terms = self._durable[name].terms if name in self._durable else Terms()
        try:
            payload = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise UsageError(f"the data of a job {name} cannot be stored as JSON: {error}.") from None
        due_ms = round((time.time() + delay_s) * 1_000) if delay_s > 0.0 else 0
        return NewJob(job or uuid4().hex, name, payload, terms, due_ms, key)

    async def _publish(self, jobs: Sequence[NewJob], due_ns: int) -> list[Handle]:
        if self._auto_start and self._functions.by_name:
            await self.start()
        await self.open()
        began_ns = time.monotonic_ns()
        self._ledger.write(*(Entry(What.ATTEMPTED, job.id, began_ns, due_ns=due_ns or began_ns) for job in jobs))
        until_ns, pause_s = began_ns + round(PUBLISH_TIMEOUT_S * NS_PER_S), _FIRST_PAUSE_S
        while True:
            try:
                published = await self._storage.publish(jobs)
                break
            except StorageError as error:
                now_ns = time.monotonic_ns()
                if pause_s == _FIRST_PAUSE_S:
                    what = What.LOCKED if error.is_lock else What.ERROR
                    self._ledger.write(Entry(what, t_ns=now_ns, words=str(error)))
                if not error.is_passing or now_ns >= until_ns:
                    LOG.error("Not enqueued: %s", error)
                    self._ledger.write(*(Entry(What.FAILED, job.id, now_ns, words=str(error)) for job in jobs))
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        now_ns = time.monotonic_ns()
        handles = []
        entries = []
        for job, answer in zip(jobs, published, strict=True):
            is_other = answer.id != job.id
            entries.append(
                Entry(What.DEDUPLICATED, job.id, now_ns, words=answer.id)
                if is_other
                else Entry(What.ACKNOWLEDGED, job.id, now_ns)
            )
            LOG.info("Enqueued job: %s (%s)", answer.id, job.name)
            handles.append(Handle(answer.id, self._results, deduplicated=is_other))
        self._ledger.write(*entries)
        return handles

    # ── Jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def handle(self, job: str) -> Handle:
        """Return the handle of a job by its id."""
        return Handle(job, self._results)

    async def find(self, job: str) -> JobRecord | None:
        """Return what the storage has of a job; None where there is none."""
        async with self._opened() as storage:
            return await storage.find(job)

    async def cancel(self, job: str) -> bool:
        """Cancel a job that has not begun; False for any other."""
        async with self._opened() as storage:
            return await storage.cancel(job)

    async def retry(self, job: str) -> bool:
        """Have a dead job executed again, with attempts from 1; False for any other."""
        async with self._opened() as storage:
            return await storage.retry(job)

    async def jobs(self, state: State, most: int = 100) -> list[JobRecord]:
        """Return jobs of a state, the oldest first."""
        async with self._opened() as storage:
            return await storage.listed(state, most)

    async def inspect(self) -> Inspection:
        """Return the state of the queue."""
        async with self._opened() as storage:
            return await storage.inspect()

    async def clear(self) -> None:
        """Remove the queue and everything in it."""
        async with self._opened() as storage:
            await storage.clear()

    async def _ready_storage(self) -> Storage:
        await self.open()
        return self._storage

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Storage]:
        await self.open()
        yield self._storage
