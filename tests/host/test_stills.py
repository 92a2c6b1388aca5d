"""A loop that stands still, in this process: the waits are the server's if the server ran dry meanwhile, else ours.

The loop sleeps where it should serve. The server answers at once, or was stopped before and runs again well after.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence

import uvloop
from builtin_servers import built_in
from counted import snapshot_of
from engines import engine_of
from quiet import law_of_time
from runs import plan, profile_of

from loadgen.engine._histogram import Histogram
from loadgen.target.server import ManagedServer
from loadgen.units import NS_PER_MS, NS_PER_S

PAUSE_NS = 100 * NS_PER_MS
LENGTH_NS = 400 * NS_PER_MS
SHALLOW = ("connection.connections=2", "connection.pipeline_depth=1")
ROOMY = ("connection.connections=1", "connection.pipeline_depth=1000")


def lags(
    *settings: str, owing: bool = False, options: Sequence[str] = (), warmup_ns: int = 0
) -> tuple[Histogram, Histogram]:
    """Our lag and backpressure of a load, 100 ms after whose begin the loop sleeps for 100 ms; `owing`: the server too.

    `options` are the server's.
    """

    async def loaded(server: ManagedServer) -> tuple[Histogram, ...]:
        heard: asyncio.Queue[str] = asyncio.Queue()
        told = plan(
            server.port,
            "workload.rate_limit=2000",
            f"general.duration={LENGTH_NS}ns",
            f"general.warmup={warmup_ns}ns",
            *settings,
        )
        loop = asyncio.get_running_loop()
        engine = engine_of(told, heard.put_nowait)
        engine.connect()
        assert await heard.get() == "connected"
        engine.load(time.monotonic_ns(), warmup_ns, LENGTH_NS, profile_of(told))
        if owing:
            loop.call_later(0.06, os.kill, server.pid, signal.SIGSTOP)
        loop.call_later(0.1, time.sleep, PAUSE_NS / NS_PER_S)
        loop.call_later(0.25, os.kill, server.pid, signal.SIGCONT)
        assert await heard.get() == "drained"
        counts = snapshot_of(engine.counts("measure"))
        engine.close()
        assert counts.lag.sum == counts.lag_ours.sum + counts.lag_backpressure.sum
        return counts.lag_ours, counts.lag_backpressure

    with built_in(options=options) as server:
        ours, backpressure = uvloop.run(loaded(server))
    return ours, backpressure


@law_of_time
def test_behind_a_backlog_of_ours_the_wait_for_room_is_ours() -> None:
    ours, backpressure = lags(*SHALLOW)
    # 200 fell due in the pause and waited for half of it, and the last of them for room besides.
    assert ours.max > 0.9 * PAUSE_NS
    assert ours.above(NS_PER_MS) > 150
    assert ours.sum > 4 * backpressure.sum


@law_of_time
def test_a_pause_while_replies_are_owed_is_none_of_ours() -> None:
    ours, backpressure = lags(*SHALLOW, owing=True)
    assert backpressure.max > 1.5 * PAUSE_NS
    # But for what other programs took from this loop.
    assert ours.sum < 0.3 * backpressure.sum


@law_of_time
def test_room_over_a_pause_makes_it_ours_though_replies_are_owed() -> None:
    ours, backpressure = lags(*ROOMY, owing=True)
    assert backpressure.sum == 0
    assert ours.max > 0.9 * PAUSE_NS


@law_of_time
def test_a_pause_of_the_warm_up_excuses_nothing_once_its_backlog_is_left() -> None:
    # A server that takes 1,000 of 2,000 requests per second: the busy period of the pause goes on into the window.
    ours, backpressure = lags(*SHALLOW, options=["--delay", "1ms"], warmup_ns=NS_PER_S)
    assert backpressure.max > PAUSE_NS
    assert ours.sum < 0.1 * backpressure.sum
