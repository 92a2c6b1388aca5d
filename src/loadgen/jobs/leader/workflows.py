"""Workflows of a test: chains of jobs, of which each is published when the one before it has ended well."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict

from loadgen.errors import LoadgenError
from loadgen.jobs.job import Terms
from loadgen.jobs.load.ended import Operations
from loadgen.jobs.load.plan import Chains
from loadgen.jobs.load.work import Work
from loadgen.jobs.queue import Queue

NAME = "workflow"
"""Workflows among the operations of a test."""

STEP_TIMEOUT_S = 120.0
"""How long one step is waited for."""


class Workflows:
    """Some workflows on a queue."""

    def __init__(self, chains: Chains, queue: Queue, terms: Terms) -> None:
        self._chains = chains
        self._queue = queue
        self._terms = terms

    async def run(self, operations: list[Operations]) -> None:
        """Run all workflows, and add what became of them: one counts as failed that did not run all its steps well."""
        began_ns, room = time.monotonic_ns(), asyncio.Semaphore(self._chains.concurrency)

        async def one(number: int) -> bool:
            async with room:
                return await self._one(number)

        well = await asyncio.gather(*(one(number) for number in range(self._chains.workflows)))
        operations.append(Operations(NAME, len(well), well.count(False), time.monotonic_ns() - began_ns))

    async def _one(self, number: int) -> bool:
        """Run one workflow; return True when each step returned what it was to return, in order."""
        for step in range(1, self._chains.steps + 1):
            work = Work(f"c{number}.{step}", self._chains.work_ns)
            try:
                handle = await self._queue.enqueue("work", asdict(work), job=work.n, terms=self._terms)
                if await handle.result(STEP_TIMEOUT_S) != work.n:
                    return False
            except (LoadgenError, TimeoutError):
                return False
        return True
