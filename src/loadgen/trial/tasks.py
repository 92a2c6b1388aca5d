"""The callers of an asyncio client: tasks of one loop, each of which calls the client again and again."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable

from loadgen.engine._reactor import Reactor
from loadgen.trial.adapters.adapter import Adapter, said
from loadgen.trial.backend import REQUEST
from loadgen.trial.book import Book
from loadgen.trial.call import Call
from loadgen.trial.claims import Claims
from loadgen.trial.plan import CallerPlan
from loadgen.trial.traffic import Draws, Operation
from loadgen.units import NS_PER_S

PREPARING = 16
"""Keys that are written at once before the load."""

PAUSE_NS = 1_000_000
"""The pause of a caller of a closed loop after a failure, so that refusals do not take the CPU from other callers."""

RETRY_S = 0.05
"""The time between two attempts to write a key before the load."""


class Tasks:
    """The callers of one process."""

    def __init__(
        self,
        plan: CallerPlan,
        adapter: Adapter,
        book: Book,
        reactor: Reactor,
        on_bug: Callable[[BaseException], None],
    ) -> None:
        self.plan = plan
        self.adapter = adapter
        self.book = book
        self.reactor = reactor
        self.now = reactor.time.now
        self._on_bug = on_bug
        self._callers: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()
        """Callers that have no operation under way."""
        self._stopping = False

    async def open(self) -> None:
        if self.adapter.opens is not None:
            opened = self.adapter.opens()
            if inspect.isawaitable(opened):
                await opened

    async def prepare(self, operations: Iterable[Operation], until_ns: int) -> str:
        """Perform each operation until it succeeds. Return the first error when the time has passed before; else ""."""
        remaining, errors = iter(operations), [""]

        async def write() -> None:
            for operation in remaining:
                while error := await self._attempt(operation):
                    if self.now() >= until_ns:
                        errors[0] = errors[0] or error
                        return
                    await asyncio.sleep(RETRY_S)

        await asyncio.gather(*(write() for _ in range(min(PREPARING, self.plan.concurrency))))
        return errors[0]

    async def _attempt(self, operation: Operation) -> str:
        now_ns = self.now()
        call = self.book.begin(operation, 0, now_ns, now_ns)
        try:
            answer = await self.adapter.invoke(operation, call.value)
        except Exception as error:
            return self._failed(call, error)
        self.book.end(call, answer, self.now())
        return "the client refused to store a value" if answer is False else ""

    def begin(self, claims: Claims) -> None:
        """Begin to call, each caller at its first intended time."""
        for number in range(self.plan.concurrency):
            task = asyncio.get_running_loop().create_task(self._call_on(Draws(self.plan, number), claims))
            self._callers.add(task)
            self._idle.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._idle.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_bug(error)

    async def _call_on(self, draws: Draws, claims: Claims) -> None:
        task = asyncio.current_task()
        assert task is not None, "this runs in a task"
        while not self._stopping:
            intended_ns = claims.take(self.now())
            await self._until(intended_ns)
            operation: Operation | None = draws.next()
            while operation is not None and not self._stopping:
                if operation.loads_first:
                    await self._load()
                self._idle.discard(task)
                succeeded, answer, is_ours = await self._perform(operation, intended_ns)
                self._idle.add(task)
                if not succeeded and not claims.schedule.is_open:
                    await asyncio.sleep(PAUSE_NS / NS_PER_S)
                operation = draws.after(operation, answer) if succeeded and is_ours else None
                intended_ns = self.now()
            # A client that fails or answers without waiting for anything must not keep the loop from the others.
            await asyncio.sleep(0)

    async def _load(self) -> None:
        """Ask the backend for a value, and wait until it has computed one."""
        if (backend := self.plan.backend) is None:
            self.book.loads(self.now())
            return
        reader, writer = await asyncio.open_connection(backend.address, backend.port)
        try:
            writer.write(REQUEST)
            self.book.loads(self.now())
            await reader.read()
        finally:
            writer.close()

    async def _until(self, at_ns: int) -> None:
        if at_ns <= self.now():
            return
        due = asyncio.get_running_loop().create_future()
        self.reactor.at(at_ns, lambda: None if due.done() else due.set_result(None))
        await due

    async def _perform(self, operation: Operation, intended_ns: int) -> tuple[bool, object, bool]:
        """Return whether the client answered, the answer, and whether this caller is to act on a miss."""
        node, parts = self.adapter.place_of(operation)
        call = self.book.begin(operation, node, intended_ns, self.now(), parts)
        try:
            answer, is_ours = self.adapter.answer(operation, await self.adapter.invoke(operation, call.value))
        except asyncio.CancelledError as error:
            if self._stopping:
                raise  # It stays under way, and is reported as unfinished.
            self.book.fail(call, "cancelled", said(error), self.now())
        except Exception as error:
            self._failed(call, error)
        else:
            self.book.end(call, answer, self.now())
            return True, answer, is_ours
        return False, None, False

    def _failed(self, call: Call, error: Exception) -> str:
        """End an operation by an exception, and return the client's words."""
        failure = self.adapter.failure(error)
        self.book.fail(call, failure.error, failure.words, self.now(), failure.parts)
        return failure.words

    async def drain(self, until_ns: int) -> None:
        """Begin no more operations, and wait for those under way, at most until a time."""
        self._stopping = True
        for task in self._idle:
            task.cancel()
        timeout_s = max(0.0, (until_ns - self.now()) / NS_PER_S)
        if self._callers:
            await asyncio.wait(self._callers, timeout=timeout_s)

    async def cancel(self) -> None:
        """Cancel the operations that are still under way."""
        left = [task for task in self._callers if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1)

    async def close(self) -> tuple[int | None, str]:
        """Close the client. Return the time that it took, None when it did not close in time; and its exception."""
        begun_ns = self.now()
        try:
            async with asyncio.timeout(self.plan.close_ns / NS_PER_S) as deadline:
                await self.adapter.client.close()
        except TimeoutError as error:
            return (None, "") if deadline.expired() else (self.now() - begun_ns, said(error))
        except Exception as error:
            return self.now() - begun_ns, said(error)
        return self.now() - begun_ns, ""

    @property
    def own(self) -> set[object]:
        """The tasks of the callers themselves."""
        return set(self._callers)
