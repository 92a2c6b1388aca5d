"""One load as a stream of its events, for a loop that runs beside the load: `events`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import Thread

from loadgen.errors import UsageError
from loadgen.events import Event
from loadgen.library.plan import Plan
from loadgen.library.run import run
from loadgen.runner.stop import Stop
from loadgen.runner.timeline import At


class Events:
    """The events of one load, for one `for` or `async for`; the last one is the Result.

    A thread of its own puts on the load when the loop begins. A loop that is left early, or a task that is cancelled,
    ends the load at once, without waiting for open requests. The loop raises the errors of `run`.
    """

    def __init__(self, plan: Plan, timeline: Iterable[At] = ()) -> None:
        self._plan = plan
        self._timeline = timeline
        self._token = Stop()
        self._begun = False

    def stop(self) -> None:
        """End the load, from any thread; the events of its end still come. A second call does not wait for replies."""
        self._token.set()

    def __iter__(self) -> Iterator[Event]:
        queue: SimpleQueue[Event | _End] = SimpleQueue()
        thread = self._started(queue.put)
        try:
            while isinstance(item := queue.get(), Event):
                yield item
            item.check()
        finally:
            self._end_now(thread)
            thread.join()

    async def __aiter__(self) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | _End] = asyncio.Queue()

        def put(item: Event | _End) -> None:
            # A loop that is closed takes no more events.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(queue.put_nowait, item)

        thread = self._started(put)
        try:
            while isinstance(item := await queue.get(), Event):
                yield item
            item.check()
        finally:
            self._end_now(thread)
            await asyncio.to_thread(thread.join)

    def _started(self, put: Callable[[Event | _End], None]) -> Thread:
        if self._begun:
            raise UsageError("these events have been asked for before: each load is one stream.")
        self._begun = True
        thread = Thread(target=self._run, args=(put,), name="loadgen", daemon=True)
        thread.start()
        return thread

    def _run(self, put: Callable[[Event | _End], None]) -> None:
        end = _End()
        try:
            run(self._plan, on_event=put, stop=self._token, timeline=self._timeline)
        except BaseException as error:
            end = _End(error)
        put(end)

    def _end_now(self, thread: Thread) -> None:
        """End a load that still runs at once, as nothing takes its events any more."""
        if thread.is_alive():
            self._token.set()
            self._token.set()


class _End:
    """The end of a stream, with any error that was raised instead of a Result."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    def check(self) -> None:
        if self._error is not None:
            raise self._error


def events(plan: Plan, *, timeline: Iterable[At] = ()) -> Events:
    """Return the events of the plan's load, one after another: `for event in loadgen.events(plan)`, or `async for`."""
    return Events(plan, timeline)
