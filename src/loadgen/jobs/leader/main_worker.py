"""The process of one worker of ours: `python -m loadgen.jobs.leader.main_worker`.

The process says in the ledger that it is ready, and begins to claim jobs at a line on standard input. It ends well at
SIGTERM: jobs under way are finished and settled. Where standard input ends, the leader is gone: the process ends at
once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from loadgen.errors import LoadgenError
from loadgen.jobs import log
from loadgen.jobs.leader import setup
from loadgen.jobs.leader.named_queue import queue_of
from loadgen.jobs.load.body import WORKER, execute_async, say_ready
from loadgen.jobs.worker import Attempt

STOP_GRACE_S = 30.0
"""How long jobs under way may take after SIGTERM."""


def main() -> None:
    """Run a worker until it is stopped."""
    told = setup.worker_setup()
    log.configure(told.log_level)
    # The leader has held back the signals by which it is stopped itself.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        asyncio.run(_work(told))
    except LoadgenError as error:
        print(f"worker {os.environ.get(WORKER, '')}: {error}", file=sys.stderr)
        sys.exit(int(error.exit_code))


async def _work(told: setup.WorkerSetup) -> None:
    name = os.environ.get(WORKER, "")
    queue = queue_of(told.queue, concurrency=told.concurrency, renews=told.renews, worker=name)

    async def work(data: Any, attempt: Attempt) -> object:
        return await execute_async(data, attempt.number, attempt.fence, name, attempt.id)

    queue.durable("work", work, records=False)
    await queue.open()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    say_ready()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    go = loop.create_task(orders.readline())
    stop = loop.create_task(stopping.wait())
    await asyncio.wait({go, stop}, return_when=asyncio.FIRST_COMPLETED)
    if go.done() and not go.result():
        os._exit(0)
    if not stopping.is_set():
        await queue.start()
        gone = loop.create_task(orders.read())
        failed = loop.create_task(queue.wait())
        await asyncio.wait({gone, stop, failed}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            os._exit(0)
        if failed.done():
            failed.result()
    await queue.stop(STOP_GRACE_S)


if __name__ == "__main__":
    main()
