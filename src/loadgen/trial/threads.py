"""The callers of a client with plain methods: threads, each of which calls the client again and again."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from loadgen.trial.adapters.adapter import Adapter, said
from loadgen.trial.backend import REQUEST
from loadgen.trial.book import Book
from loadgen.trial.call import Call
from loadgen.trial.claims import Claims
from loadgen.trial.plan import CallerPlan
from loadgen.trial.tasks import PAUSE_NS, PREPARING, RETRY_S
from loadgen.trial.traffic import Draws, Operation
from loadgen.units import NS_PER_S

STACK_BYTES = 512 << 10
"""The stack of a caller's thread: 1,000 callers then take 500 MB of addresses, not 8 GB."""

POLL_S = 0.005
"""The time between two looks at threads that are to end."""


class Threads:
    """The callers of one process. The book is called under the lock only."""

    def __init__(
        self,
        plan: CallerPlan,
        adapter: Adapter,
        book: Book,
        lock: threading.RLock,
        now: Callable[[], int],
        on_bug: Callable[[BaseException], None],
    ) -> None:
        self.plan = plan
        self.adapter = adapter
        self.book = book
        self.now = now
        self._lock = lock
        self._on_bug = on_bug
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    async def open(self) -> None:
        if (opens := self.adapter.opens) is None:
            return
        errors: list[Exception] = []

        def call() -> None:
            try:
                opens()
            except Exception as error:
                errors.append(error)

        await self._ended([self._started(call)], None)
        if errors:
            raise errors[0]

    async def prepare(self, operations: Iterable[Operation], until_ns: int) -> str:
        """Perform each operation until it succeeds. Return the first error when the time has passed before; else ""."""
        remaining, errors = iter(list(operations)), [""]

        def write() -> None:
            while not errors[0]:
                with self._lock:
                    operation = next(remaining, None)
                if operation is None:
                    return
                while error := self._attempt(operation):
                    if self.now() >= until_ns:
                        errors[0] = errors[0] or error
                        return
                    time.sleep(RETRY_S)

        await self._ended([self._started(write) for _ in range(min(PREPARING, self.plan.concurrency))], None)
        return errors[0]

    def _attempt(self, operation: Operation) -> str:
        with self._lock:
            now_ns = self.now()
            call = self.book.begin(operation, 0, now_ns, now_ns)
        try:
            answer = self.adapter.invoke(operation, call.value)
        except Exception as error:
            return self._failed(call, error)
        with self._lock:
            self.book.end(call, answer, self.now())
        return "the client refused to store a value" if answer is False else ""

    def begin(self, claims: Claims) -> None:
        """Begin to call, each caller at its first intended time."""
        self._threads = [
            self._started(self._call_on, Draws(self.plan, number), claims) for number in range(self.plan.concurrency)
        ]

    def _started(self, target: Callable[..., None], *arguments: Any) -> threading.Thread:
        def run() -> None:
            try:
                target(*arguments)
            except BaseException as error:
                self._on_bug(error)

        # A thread that hangs in the client must not keep the process from its end.
        thread = threading.Thread(target=run, daemon=True)
        before = threading.stack_size(STACK_BYTES)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
        return thread

    def _call_on(self, draws: Draws, claims: Claims) -> None:
        while not self._stopping.is_set():
            with self._lock:
                intended_ns = claims.take(self.now())
            if (ahead_ns := intended_ns - self.now()) > 0 and self._stopping.wait(ahead_ns / NS_PER_S):
                return
            operation: Operation | None = draws.next()
            while operation is not None and not self._stopping.is_set():
                if operation.loads_first:
                    self._load()
                succeeded, answer, is_ours = self._perform(operation, intended_ns)
                if not succeeded and not claims.schedule.is_open:
                    time.sleep(PAUSE_NS / NS_PER_S)
                operation = draws.after(operation, answer) if succeeded and is_ours else None
                intended_ns = self.now()

    def _load(self) -> None:
        """Ask the backend for a value, and wait until it has computed one."""
        if (backend := self.plan.backend) is None:
            with self._lock:
                self.book.loads(self.now())
            return
        with socket.create_connection((backend.address, backend.port)) as connection:
            connection.sendall(REQUEST)
            with self._lock:
                self.book.loads(self.now())
            connection.recv(1)

    def _perform(self, operation: Operation, intended_ns: int) -> tuple[bool, object, bool]:
        """Return whether the client answered, the answer, and whether this caller is to act on a miss."""
        node, parts = self.adapter.place_of(operation)
        with self._lock:
            call = self.book.begin(operation, node, intended_ns, self.now(), parts)
        try:
            answer, is_ours = self.adapter.answer(operation, self.adapter.invoke(operation, call.value))
        except Exception as error:
            self._failed(call, error)
            return False, None, False
        with self._lock:
            self.book.end(call, answer, self.now())
        return True, answer, is_ours

    def _failed(self, call: Call, error: Exception) -> str:
        """End an operation by an exception, and return the client's words."""
        failure = self.adapter.failure(error)
        with self._lock:
            self.book.fail(call, failure.error, failure.words, self.now(), failure.parts)
        return failure.words

    async def drain(self, until_ns: int) -> None:
        """Begin no more operations, and wait for those under way, at most until a time."""
        self._stopping.set()
        await self._ended(self._threads, until_ns)

    async def _ended(self, threads: list[threading.Thread], until_ns: int | None) -> None:
        while any(thread.is_alive() for thread in threads):
            if until_ns is not None and self.now() >= until_ns:
                return
            await asyncio.sleep(POLL_S)

    async def cancel(self) -> None:
        """Nothing: a thread cannot be cancelled. One that hangs in the client ends with the process."""

    async def close(self) -> tuple[int | None, str]:
        """Close the client. Return the time that it took, None when it did not close in time; and its exception."""
        begun_ns, errors = self.now(), [""]

        def close() -> None:
            try:
                self.adapter.client.close()
            except Exception as error:
                errors[0] = said(error)

        closing = self._started(close)
        self._threads.append(closing)
        await self._ended([closing], begun_ns + self.plan.close_ns)
        return (None, "") if closing.is_alive() else (self.now() - begun_ns, errors[0])

    @property
    def own(self) -> set[object]:
        """The threads of the callers themselves."""
        return set(self._threads)
