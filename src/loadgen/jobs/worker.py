"""A worker on an event loop: the shell of a `consumer.Consumer`, which carries its actions out on a storage.

Functions that are coroutines run as tasks; others run in threads. What they do is written to a ledger by whoever makes
the functions; what the storage answers is written here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from loadgen.jobs.consumer import Action, Ask, Consumer, Renew, Settle, Sweep
from loadgen.jobs.job import Claim, Died, Ending, Settlement, Succeeded, TryAgain
from loadgen.jobs.ledger import Entry, Ledger, What
from loadgen.jobs.storage import Storage, StorageError
from loadgen.units import NS_PER_MS, NS_PER_S

LOG = logging.getLogger("loadgen.jobs")

LONGEST_ERROR = 500
"""Characters of an error that are kept with a job."""


class NoRetry(Exception):
    """Raised by a job's function: the attempt has failed, and another would fail, too."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a job's function can know of the attempt that it is."""

    id: str
    """The job's id."""
    number: int
    """From 1."""
    delivery: int
    """From 1: above 1, an earlier execution of this attempt did not end, and may have done a part of its work."""
    fence: int
    """Pass it to what the job has an effect on, which refuses a fence that is lower than one that it has seen: only so
    does an execution that was given up for dead have no late effect."""
    is_lost: Callable[[], bool]
    """True when the job is another worker's by now: what the function does is for nothing."""


Function = Callable[[Any, Attempt], Awaitable[Any]]
"""A job's function as a worker calls it: with the decoded argument."""


class Observer(Protocol):
    """Told of what happens to jobs in this process."""

    def on_start(self, claim: Claim) -> None: ...
    def on_end(self, claim: Claim, ending: Ending, *, accepted: bool) -> None: ...


@dataclass
class Worker:
    """A worker of a queue. `functions` are by name."""

    name: str
    storage: Storage
    functions: Mapping[str, Function]
    concurrency: int
    lease_ns: int
    sweep_ns: int
    ledger: Ledger
    observer: Observer
    renews: bool = True
    polls: int = 0
    """Claims that the storage has answered."""
    claims: int = 0
    """Jobs in these answers."""
    failure: StorageError | None = None
    """Why the worker has ended by itself: an error that trying again does not mend."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _is_stopping: bool = False
    _crash: BaseException | None = None
    """An error of ours in a task, or of the ledger."""

    def __post_init__(self) -> None:
        self._random = random.Random()
        self._consumer = Consumer(
            concurrency=self.concurrency,
            lease_ns=self.lease_ns,
            sweep_ns=self.sweep_ns,
            now_ns=time.monotonic_ns(),
            draw=self._random.random,
            renews=self.renews,
        )

    async def run(self) -> None:
        """Work until `stop` is called and every job under way is settled, or until the storage fails for good."""
        try:
            await self._work()
        except GeneratorExit:
            raise  # The loop is gone, and with it all that could be ended here.
        except BaseException:
            await self._end()
            raise
        await self._end()

    async def _work(self) -> None:
        while self.failure is None:
            if self._crash is not None:
                raise self._crash
            self._wake.clear()
            for action in self._consumer.due(time.monotonic_ns()):
                self._begin(self._carry_out(action))
            if self._is_stopping and self._consumer.is_idle:
                return
            next_ns = self._consumer.next_ns()
            wait_s = None if next_ns is None else max(0.0, (next_ns - time.monotonic_ns()) / NS_PER_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _end(self) -> None:
        """Cancel what is under way, and write what the worker has done."""
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._write(Entry(What.POLLED, attempt=self.polls, fence=self.claims))

    def stop(self) -> None:
        """Claim no more, and end `run` when every job under way is settled."""
        self._is_stopping = True
        self._consumer.stop()
        self._wake.set()

    @property
    def running(self) -> int:
        """The jobs whose functions run."""
        return self._consumer.running

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crash = self._crash or error
            self._wake.set()

    # ── Actions ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _carry_out(self, action: Action) -> None:
        asked_ns = time.monotonic_ns()
        try:
            match action:
                case Ask(most, wait_ns):
                    claims = await self.storage.claim(self.name, most, wait_ns / NS_PER_S)
                    self.polls += 1
                    self._execute(self._consumer.claimed(time.monotonic_ns(), asked_ns, claims))
                case Settle(settlements):
                    accepted = await self.storage.settle(self.name, settlements)
                    self._consumer.settled(settlements)
                    self._note_ends(asked_ns, settlements, accepted)
                case Renew(claims):
                    kept = await self.storage.renew(self.name, claims)
                    self._note_lost(self._consumer.renewed(asked_ns, claims, kept))
                case Sweep(most):
                    swept = await self.storage.sweep(self.name, most)
                    self._note_reclaimed(swept.reclaimed, swept.dead)
                    self._execute(self._consumer.swept(time.monotonic_ns(), asked_ns, swept))
        except StorageError as error:
            self._note_error(error)
            self._consumer.failed(time.monotonic_ns(), action)
        self._wake.set()

    def _execute(self, claims: Sequence[Claim]) -> None:
        self.claims += len(claims)
        if claims:
            LOG.debug("Found %d pending jobs ready to run", len(claims))
        for claim in claims:
            LOG.info("Claimed job: %s (%s)", claim.id, claim.name)
            self.observer.on_start(claim)
            self._begin(self._attempt(claim))

    async def _attempt(self, claim: Claim) -> None:
        ending = await self._ending(claim)
        self._consumer.ended(claim, ending)
        self._wake.set()

    async def _ending(self, claim: Claim) -> Ending:
        """Execute a job, and return how that ended."""
        function = self.functions.get(claim.name)
        if function is None:
            return self._after_failure(claim, f"no function {claim.name} is registered in this worker")
        attempt = Attempt(claim.id, claim.attempt, claim.delivery, claim.fence, lambda: self._consumer.is_lost(claim))
        timeout_s = claim.terms.timeout_ns / NS_PER_S or None
        try:
            async with asyncio.timeout(timeout_s) as timeout:
                value = await function(json.loads(claim.payload), attempt)
        except asyncio.CancelledError:
            raise
        except NoRetry as error:
            return Died(_words(error))
        except TimeoutError as error:
            words = f"took longer than {timeout_s:g} s" if timeout.expired() else _words(error)
            return self._after_failure(claim, words)
        except Exception as error:
            return self._after_failure(claim, _words(error))
        try:
            return Succeeded(json.dumps(value, separators=(",", ":"), allow_nan=False).encode())
        except (TypeError, ValueError) as error:
            # Another attempt would return the same.
            return Died(f"returned what cannot be stored as JSON: {_words(error)}")

    def _after_failure(self, claim: Claim, words: str) -> Ending:
        if claim.attempt >= claim.terms.max_attempts:
            return Died(words)
        wait_ns = claim.terms.backoff.wait_ns(claim.attempt, self._random.random())
        return TryAgain(words, max(1, round(wait_ns / NS_PER_MS)))

    # ── What is written ───────────────────────────────────────────────────────────────────────────────────────────────

    def _note_ends(self, asked_ns: int, settlements: Sequence[Settlement], accepted: Sequence[bool]) -> None:
        now_ns = time.monotonic_ns()
        entries = []
        for settlement, is_accepted in zip(settlements, accepted, strict=True):
            claim, ending = settlement.claim, settlement.ending
            entry = self._entry(What.REFUSED, claim, now_ns)
            match ending:
                case _ if not is_accepted:
                    LOG.warning("Refused job %s: it is another worker's", claim.id)
                case Succeeded():
                    entry = self._entry(What.ACCEPTED, claim, now_ns)
                    LOG.info("Acked job %s -> Success", claim.id)
                case TryAgain(error, wait_ms):
                    # The storage counts the wait from when it took the settlement, which is not before it was asked.
                    entry = self._entry(What.RETRIED, claim, asked_ns, asked_ns + wait_ms * NS_PER_MS, error)
                    LOG.info("Acked job %s -> Failed, again in %d ms", claim.id, wait_ms)
                case Died(error):
                    entry = self._entry(What.DEAD, claim, now_ns, 0, error)
                    LOG.info("Acked job %s -> Dead", claim.id)
            entries.append(entry)
            self.observer.on_end(claim, ending, accepted=is_accepted)
        self._write(*entries)

    def _note_lost(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            LOG.warning("Lost job %s: its lease went to another worker", claim.id)

    def _note_reclaimed(self, reclaimed: Sequence[str], dead: Sequence[str]) -> None:
        now_ns = time.monotonic_ns()
        for job in reclaimed:
            LOG.warning("Reclaimed job %s: the lease of its worker has expired", job)
            self._write(Entry(What.RECLAIMED, job, now_ns))
        for job in dead:
            LOG.error("Dead job %s: it was claimed too often without an end", job)
            self._write(Entry(What.DEAD, job, now_ns, words="claimed too often without an end"))

    def _note_error(self, error: StorageError) -> None:
        LOG.error("%s", error)
        self._write(Entry(What.LOCKED if error.is_lock else What.ERROR, t_ns=time.monotonic_ns(), words=str(error)))
        if not error.is_passing:
            self.failure = error

    def _entry(self, what: What, claim: Claim, now_ns: int, due_ns: int = 0, words: str = "") -> Entry:
        return Entry(what, claim.id, now_ns, self.name, os.getpid(), claim.attempt, claim.fence, due_ns, words)

    def _write(self, *entries: Entry) -> None:
        if entries:
            self.ledger.write(*(entry if entry.worker else _of(self.name, entry) for entry in entries))


def _of(worker: str, entry: Entry) -> Entry:
    return Entry(
        entry.what, entry.job, entry.t_ns, worker, os.getpid(), entry.attempt, entry.fence, entry.due_ns, entry.words
    )


def _words(error: BaseException) -> str:
    """Return an exception in words, without its traceback."""
    said = str(error).strip()
    return (f"{type(error).__name__}: {said}" if said else type(error).__name__)[:LONGEST_ERROR]
