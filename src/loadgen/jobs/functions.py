"""The functions that execute jobs, as a worker calls them: coroutine functions in tasks, others in threads."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from loadgen.jobs.ledger import Entry, Ledger, Nowhere, What
from loadgen.jobs.worker import Attempt, Function


class Functions:
    """The functions of one queue, by the names of their jobs."""

    def __init__(self, worker: str, concurrency: int, ledger: Ledger) -> None:
        self.by_name: dict[str, Function] = {}
        self._worker = worker
        self._concurrency = concurrency
        self._ledger = ledger
        self._threads: ThreadPoolExecutor | None = None

    def add(self, name: str, function: Callable[..., Any], *, records: bool) -> None:
        """Add a function. `records`: its begins and ends are written to the ledger."""
        self.by_name[name] = self._callable(function, records=records)

    def close(self) -> None:
        """Begin no more calls in threads; those under way go on."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _callable(self, function: Callable[..., Any], *, records: bool) -> Function:
        """Return the function as a worker calls it: a coroutine function of the data and the attempt."""
        takes_attempt = _takes_two(function)
        is_async = inspect.iscoroutinefunction(function)

        async def call(data: Any, attempt: Attempt) -> Any:
            words = (data, attempt) if takes_attempt else (data,)
            if is_async:
                return await function(*words)
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._concurrency, thread_name_prefix="job")
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *words))

        return self._recorded(call) if records else call

    def _recorded(self, call: Function) -> Function:
        """Return a function that writes the begin and the end of each execution to the ledger."""
        if isinstance(self._ledger, Nowhere):
            return call

        def write(what: What, attempt: Attempt, words: str = "") -> None:
            now_ns = time.monotonic_ns()
            entry = Entry(what, attempt.id, now_ns, self._worker, os.getpid(), attempt.number, attempt.fence)
            self._ledger.write(replace(entry, words=words) if words else entry)

        async def recorded(data: Any, attempt: Attempt) -> Any:
            write(What.BEGIN, attempt)
            try:
                value = await call(data, attempt)
            except BaseException as error:
                write(What.RAISED, attempt, type(error).__name__)
                raise
            write(What.END, attempt)
            return value

        return recorded


def _takes_two(function: Callable[..., Any]) -> bool:
    """Return True for a function that takes an attempt, too."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return False
    positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    required = [each for each in positional if each.default is each.empty]
    return len(required) >= 2 or any(each.name == "attempt" for each in positional[1:])
