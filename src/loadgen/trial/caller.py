"""One caller process: it makes a client, calls it under a plan, and reports what it observes.

Messages are pickles over the socket whose descriptor is the only argument, as with a worker of the load engine. When
the socket closes, the leader is gone, and the process ends at once, whatever the client does.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import os
import select
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from loadgen.engine._reactor import Reactor, create
from loadgen.engine._time import Monotonic
from loadgen.errors import LoadgenError, TargetError, UsageError
from loadgen.host.waits import Waits
from loadgen.trial.adapters.adapter import Adapter, make, said
from loadgen.trial.board import opened
from loadgen.trial.book import Book
from loadgen.trial.claims import Claims
from loadgen.trial.messages import (
    VERSION,
    Begin,
    Ended,
    EnterPhase,
    Failed,
    Greeting,
    Order,
    Prepare,
    Prepared,
    Report,
    Stop,
)
from loadgen.trial.observed import NodeState, Observed, Transition
from loadgen.trial.plan import CallerPlan
from loadgen.trial.recording import Recording
from loadgen.trial.schedule import Schedule
from loadgen.trial.sockets import open_sockets
from loadgen.trial.tasks import Tasks
from loadgen.trial.threads import Threads
from loadgen.trial.traffic import Draws, Names, Operation
from loadgen.units import NS_PER_S
from loadgen.worker.pipe import Pipe

DRAIN_NS = NS_PER_S
"""The time beyond an operation's deadline and tolerance for which its end is waited for."""

SETTLE_NS = NS_PER_S
"""The time after the close in which sockets and tasks of the client may still end."""

SETTLE_POLL_S = 0.02

COUNTING_SHARE = 400
"""A count of the sockets, in which no caller goes on, takes this part of the time at most: a thousand sockets take
milliseconds, and are not counted in each interval."""

READER = "loadgen statistics"
"""The name of the thread that reads the statistics of a client of threads."""


class Caller:
    """A client under a plan."""

    def __init__(self, plan: CallerPlan, pipe: Pipe, reactor: Reactor) -> None:
        self.plan = plan
        self.pipe = pipe
        self.reactor = reactor
        self.now = reactor.time.now
        self.loop = asyncio.get_running_loop()
        self.orders: deque[Order] = deque()
        self.waiting: asyncio.Future[None] | None = None
        """Done when an order or a bug arrives, or the time is over."""
        self.bug: BaseException | None = None
        """The first exception that nobody expected in a caller."""
        self.lock = threading.RLock()
        recording = Recording(plan.history, plan.writer, plan.run) if plan.history else None
        self.book = Book(plan, self.now(), opened(plan), recording)
        self.phase, self.part, self.tick = "", 0, 0
        self.claims: Claims | None = None
        self.driver: Tasks | Threads | None = None
        self.reading: asyncio.Future[dict[int, NodeState]] | None = None
        """The reading of the client's statistics that is under way in a thread."""
        self.asked_ns = 0
        self.count_ns = 0
        self.waits = Waits()
        self.reader = ThreadPoolExecutor(1, READER)
        self.others: set[object] = set()
        """The tasks and threads that were there before the client."""

    async def run(self) -> None:
        """Carry out the orders until Stop."""
        while True:
            order = await self._next_order(None)
            match order:
                case Prepare():
                    await self._prepare(order)
                case Begin():
                    await self._call(order)
                    await self._end()
                    return
                case Stop():
                    await self._end()
                    return

    def received(self, order: Order) -> None:
        self.orders.append(order)
        self._wake()

    def _wake(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    async def _next_order(self, until_ns: int | None) -> Order | None:
        """Return the next order; None when `until_ns` comes first. Raises the bug of a caller, when there is one."""
        if not self.orders and self.bug is None:
            # Without a task: the tasks of this loop are counted.
            self.waiting = self.loop.create_future()
            if until_ns is not None:
                self.reactor.at(until_ns, self._wake)
            await self.waiting
        if self.bug is not None:
            raise self.bug
        return self.orders.popleft() if self.orders else None

    # ── The client ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _prepare(self, order: Prepare) -> None:
        until_ns = self.now() + order.patience_ns
        self.others = set(_running())
        self.adapter = await self._made()
        self.adapter.on_transition(self._transition)
        self.driver = self._driver()
        try:
            await self.driver.open()
        except Exception as error:
            raise TargetError(f"The client {self.plan.client.name} could not be opened: {said(error)}.") from error
        operations = list(self._first_operations())
        if problem := await self.driver.prepare(operations, until_ns):
            raise TargetError(
                f"The client {self.plan.client.name} could not write the keys of the trial within "
                f"{order.patience_ns / NS_PER_S:.0f} s: {problem}."
            )
        self.pipe.send(Prepared(self.adapter.version, len(operations)))

    async def _made(self) -> Adapter:
        plan = self.plan
        nodes = [(node.address, node.port) for node in plan.nodes]
        client = make(plan.client, nodes, plan.timeout_ns / NS_PER_S)
        if inspect.isawaitable(client):
            try:
                client = await client
            except Exception as error:
                raise TargetError(f"The factory {plan.client.factory} raised {said(error)}.") from error
        return Adapter(client, plan.client.name)

    def _driver(self) -> Tasks | Threads:
        if self.adapter.is_async:
            return Tasks(self.plan, self.adapter, self.book, self.reactor, self._found_bug)

        def on_bug(error: BaseException) -> None:
            self.loop.call_soon_threadsafe(self._found_bug, error)

        return Threads(self.plan, self.adapter, self.book, self.lock, self.now, on_bug)

    def _found_bug(self, error: BaseException) -> None:
        self.bug = self.bug or error
        self._wake()

    def _first_operations(self) -> Iterator[Operation]:
        names, draws = Names(self.plan), Draws(self.plan, -1)
        for key in names.prepared(self.plan.traffic):
            yield draws.first(key)
        for key in names.prepared_counters(self.plan.traffic):
            yield Operation("set", (key,))

    def _transition(self, node: int, before: str, after: str) -> None:
        # A client calls this from any thread. The lock may be held by this thread, where a finalizer calls.
        with self.lock:
            self.book.changed(Transition(self.now(), node, before, after))

    # ── The load ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _call(self, order: Begin) -> None:
        """Call until Stop, and report each interval."""
        self.phase = order.phase
        if self.driver is None:
            raise RuntimeError("the order to begin came before the order to prepare")
        self.claims = Claims(Schedule(self.plan), order.start_ns)
        with self.lock:
            self.book.take(max(self.now(), order.start_ns))  # What was observed while the keys were written.
        self.waits.longest_ns()
        # What has been made until now stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        self.driver.begin(self.claims)
        while True:
            report_ns = order.start_ns + (self.tick + 1) * self.plan.report_ns
            match await self._next_order(report_ns):
                case EnterPhase(phase, part):
                    self.pipe.send(self._as_report(self._observed()))
                    self.phase, self.part = phase, part
                case Stop():
                    return
                case None if self.now() >= report_ns:
                    await self._report(report_ns)

    async def _report(self, planned_ns: int) -> None:
        states, unread_ns = await self._states()
        late_ns = self.now() - planned_ns
        observed = self._observed(states, max(unread_ns, late_ns))
        self.pipe.send(self._as_report(observed))
        # A report may be late by whole intervals; each tick has its report, so that the leader can count on them.
        self.tick += 1

    def _as_report(self, observed: Observed) -> Report:
        return Report(self.phase, self.part, self.tick, observed)

    def _observed(self, states: dict[int, NodeState] | None = None, unread_ns: int = 0) -> Observed:
        counted = self._with_sockets(states) if states is not None else None
        others = len(self._of_client())
        with self.lock:
            now_ns = self.now()
            due = self.claims.due(now_ns) if self.claims is not None else 0
            waited_ns = self.waits.longest_ns() or 0
            return self.book.take(
                now_ns, due=due, states=counted, unread_ns=unread_ns, waited_ns=waited_ns, tasks=others
            )

    async def _states(self) -> tuple[dict[int, NodeState], int]:
        """Return what the client says of its nodes, and the time that reading this took or has taken until now.

        A client of threads is read by another thread, since its statistics may wait for a lock. A reading that takes
        longer than an interval goes on, and the intervals meanwhile have no statistics.
        """
        if self.adapter.is_async:
            begun_ns = self.now()
            return self.adapter.states(), self.now() - begun_ns
        if self.reading is None:
            self.asked_ns = self.now()
            self.reading = self.loop.run_in_executor(self.reader, self.adapter.states)
        done, _ = await asyncio.wait([self.reading], timeout=self.plan.report_ns / NS_PER_S)
        unread_ns = self.now() - self.asked_ns
        if not done:
            return {}, unread_ns
        states, self.reading = self.reading.result(), None
        return states, unread_ns

    def _with_sockets(self, states: dict[int, NodeState]) -> dict[int, NodeState]:
        begun_ns = self.now()
        if begun_ns < self.count_ns or (sockets := open_sockets(self.plan.nodes)) is None:
            return states
        self.count_ns = begun_ns + COUNTING_SHARE * (self.now() - begun_ns)
        return {node: replace(states.get(node, NodeState()), sockets=count) for node, count in sockets.items()}

    def _of_client(self) -> list[Any]:
        """Return the tasks and threads of the client."""
        known = self.others | (self.driver.own if self.driver is not None else set())
        return [running for running in _running() if running not in known]

    # ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _end(self) -> None:
        if self.driver is None:
            self.pipe.send(Ended(self._as_report(self._observed())))
            return
        if self.claims is not None:
            self.claims.stop(self.now())
        await self.driver.drain(self.now() + self.plan.timeout_ns + self.plan.tolerance_ns + DRAIN_NS)
        unfinished = len(self.book.under_way)
        states, unread_ns = await self._states()
        self.count_ns = 0
        rest = self._as_report(self._observed(states, unread_ns))
        await self.driver.cancel()
        with self.lock:
            self.book.close(self.now())
        close_ns, close_error = await self.driver.close()
        sockets, left = await self._settled()
        self.pipe.send(
            Ended(
                rest=rest,
                states=dict(rest.observed.states),
                unfinished=unfinished,
                close_ns=close_ns,
                close_error=close_error,
                leaked_sockets=sockets,
                leaked_tasks=len(left),
                leaked=_name(left[0]) if left else "",
            )
        )

    async def _settled(self) -> tuple[int | None, list[Any]]:
        """Return the sockets and tasks that are left of the client, after some time in which they may end."""
        until_ns = self.now() + SETTLE_NS
        collect = True
        while True:
            found = open_sockets(self.plan.nodes)
            sockets = None if found is None else sum(found.values())
            left = self._of_client()
            if (not sockets and not left) or self.now() >= until_ns:
                return sockets, left
            if collect and self.now() >= until_ns - SETTLE_NS // 2:
                gc.collect()  # A socket in a cycle of references, such as an exception's, is closed by the collector.
                collect = False
            await asyncio.sleep(SETTLE_POLL_S)


def _running() -> list[Any]:
    """Return the tasks and threads of this process, but for the present task and the thread that reads statistics."""
    present = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not present]
    return [*tasks, *(thread for thread in threading.enumerate() if not thread.name.startswith(READER))]


def _name(running: Any) -> str:
    if isinstance(running, asyncio.Task):
        return f"task {running.get_coro().__qualname__}"  # type: ignore[union-attr]
    return f"thread {running.name}"


def failure(error: BaseException) -> Failed:
    """Return the message on an exception that ends the caller."""
    if isinstance(error, LoadgenError):
        return Failed(str(error), is_usage=isinstance(error, UsageError))
    return Failed(f"A caller failed: {said(error)}.", "".join(traceback.format_exception(error)))


async def work(channel: socket.socket) -> None:
    """Carry out orders until the end. The first message is a Hello."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[Caller] = loop.create_future()

    def received(message: Any) -> None:
        if made.done():
            if made.exception() is None:
                made.result().received(message)
        elif message.version != VERSION:
            made.set_exception(RuntimeError(f"it was told messages of version {message.version}, and knows {VERSION}"))
        else:
            reactor = create(loop, Monotonic())
            reactor.keep_time()
            made.set_result(Caller(message.plan, pipe, reactor))

    pipe = Pipe(received, lambda: os._exit(0))
    await loop.create_connection(lambda: pipe, sock=channel)
    try:
        caller = await made
        pipe.send(Greeting())
        await caller.run()
    except Exception as error:
        pipe.send(failure(error))
    # The leader reads the last message and closes the channel, at which this process ends.
    await loop.create_future()


def end_with_leader(channel: socket.socket) -> None:
    """End this process when the leader is gone, even if a client keeps the loop from turning."""
    watched = select.poll()
    watched.register(channel, select.POLLRDHUP)
    watched.poll()
    time.sleep(0.5)
    os._exit(0)


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    # A client of the user's own may be in the current folder.
    sys.path.append(str(Path.cwd()))
    watched = channel.dup()  # The loop takes the channel for itself.
    threading.Thread(target=end_with_leader, args=(watched,), name="leader", daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(work(channel))
