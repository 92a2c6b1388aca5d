"""No Python object is made per request: blocks stay flat over 100,000 requests, and no allocator is called.

An engine runs in this process, against the built-in server in another.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable
from itertools import repeat
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from builtin_servers import built_in
from engines import engine_of
from places import SUPPORT
from runs import plan

from loadgen.engine._engine import Engine
from loadgen.engine._history import History
from loadgen.plan import Plan
from loadgen.units import NS_PER_S
from loadgen.verify.history.file import Metadata, create, read

REQUESTS = 100_000
HOUR_NS = 3600 * NS_PER_S

# An object that is kept, or made, for one request in a hundred is seen.
ALLOWED = REQUESTS // 100

SHAPES = {
    "closed loop": ("connection.connections=8", "connection.pipeline_depth=16"),
    "one at a time": ("connection.connections=8", "connection.pipeline_depth=1"),
    "paced": ("connection.connections=8", "connection.pipeline_depth=16", "workload.rate_limit=1000000"),
    "resp3 with backfill": ("target.protocol=resp3", "connection.pipeline_depth=16", "workload.backfill_on_miss=true"),
    "spliced values": ("workload.values.length=20000", "connection.pipeline_depth=4", "workload.keyspace.count=100"),
}
MIXED = ("workload.commands.get=8", "workload.commands.set=1", "workload.commands.delete=1")


def steady(told: Plan) -> list[tuple[int, float, float, int]]:
    """The plan's rate for an hour; nothing in a closed loop."""
    return [(HOUR_NS, told.load.rate_per_s, told.load.rate_per_s, 0)] if told.load.open_loop else []


def planned(engine: Engine) -> int:
    return sum(tally["planned"] for tally in engine.counts("measure")["tallies"].values())


# ── Blocks that are kept ────────────────────────────────────────────────────────────────────────────────────────────


async def blocks_kept(port: int, meanwhile: Callable[[int], object], *settings: str) -> int:
    """How many more blocks there are after REQUESTS requests; `meanwhile` is told now and then how many have been."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    told = plan(port, *settings)
    engine = engine_of(told, heard.put_nowait)
    try:
        engine.connect()
        assert await heard.get() == "connected"
        engine.load(time.monotonic_ns(), 0, HOUR_NS, steady(told))
        # So many that what is made once is made.
        while (first := planned(engine)) < 1000:
            await asyncio.sleep(0.01)
        meanwhile(0)
        gc.collect()
        before = sys.getallocatedblocks()
        while (done := planned(engine) - first) < REQUESTS:
            meanwhile(done)
            await asyncio.sleep(0.01)
        meanwhile(done)
        gc.collect()
        return sys.getallocatedblocks() - before
    finally:
        engine.close()


# The other shapes are held to more: below, blocks may not even be asked for.
@pytest.mark.parametrize("shape", ["closed loop", "paced"])
def test_allocated_blocks_are_flat_over_100_000_requests(shape: str) -> None:
    with built_in() as server:
        assert uvloop.run(blocks_kept(server.port, lambda done: None, *MIXED, *SHAPES[shape])) < ALLOWED


def test_a_block_kept_for_one_request_in_fifty_would_be_seen() -> None:
    kept: list[object] = []

    def keep(done: int) -> None:
        kept.extend([] for _ in range(done // 50 - len(kept)))

    with built_in() as server:
        assert uvloop.run(blocks_kept(server.port, keep, *MIXED, *SHAPES["closed loop"])) > ALLOWED


# ── Blocks that are asked for ───────────────────────────────────────────────────────────────────────────────────────


class NoLoop:
    """Just enough of an event loop for an engine whose reactor the test calls by itself."""

    def __init__(self) -> None:
        self.ready: Callable[[], None] | None = None
        self.soon: list[str] = []

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        self.ready = callback

    def remove_reader(self, fd: int) -> None:
        self.ready = None

    def call_soon(self, callback: Callable[[str], None], what: str) -> None:
        self.soon.append(what)


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> ctypes.PyDLL:
    """The functions of allocations.c."""
    library = tmp_path_factory.mktemp("allocations") / "allocations.so"
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    include = sysconfig.get_paths()["include"]
    source = SUPPORT / "allocations.c"
    subprocess.run([*compiler, "-O1", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(library)], check=True)
    functions = ctypes.PyDLL(str(library))
    functions.allocations_end.restype = ctypes.c_longlong
    return functions


def during(counter: ctypes.PyDLL, times: Iterable[None], do: Callable[[], None]) -> int:
    """How many blocks were asked for while that was done, those of the counting among them."""
    counter.allocations_begin()
    for _ in times:
        do()
    return int(counter.allocations_end())


def asked_for(counter: ctypes.PyDLL, port: int, *settings: str, history: History | None = None) -> int:
    """How many blocks were asked for while an engine went through REQUESTS requests."""
    loop = NoLoop()
    told = plan(port, *settings)
    engine = engine_of(told, lambda what: None, loop=cast(Any, loop), history=history)
    assert loop.ready is not None

    try:
        engine.connect()
        while not loop.soon:
            loop.ready()
        engine.load(time.monotonic_ns(), 0, HOUR_NS, steady(told))
        ready, total = loop.ready, 0
        while planned(engine) < 1000:
            ready()
        first = planned(engine)
        own = during(counter, repeat(None, 1), lambda: None)
        while planned(engine) - first < REQUESTS:
            # Most wake-ups find nothing: where the server gets little of the CPU, there are many rounds of them.
            total += during(counter, repeat(None, 50_000), ready) - own
        return total
    finally:
        engine.close()


@pytest.mark.skipif(sys.platform != "linux", reason="calls the epoll reactor without a loop")
@pytest.mark.parametrize("shape", SHAPES)
def test_no_allocator_is_asked_over_100_000_requests(counter: ctypes.PyDLL, shape: str) -> None:
    with built_in() as server:
        assert asked_for(counter, server.port, *MIXED, *SHAPES[shape]) < ALLOWED


@pytest.mark.skipif(sys.platform != "linux", reason="calls the epoll reactor without a loop")
def test_no_allocator_is_asked_where_a_history_is_kept(counter: ctypes.PyDLL, tmp_path: Path) -> None:
    path = tmp_path / "history"
    os.close(create(path, Metadata(workers=1)))
    history = History(0, 1, file=os.open(path, os.O_WRONLY | os.O_APPEND))
    with built_in() as server:
        assert asked_for(counter, server.port, *MIXED, *SHAPES["closed loop"], history=history) < ALLOWED
    assert len(read(path).operations) > REQUESTS


@pytest.mark.skipif(sys.platform != "linux", reason="calls the epoll reactor without a loop")
def test_an_object_that_is_made_and_dropped_would_be_seen(counter: ctypes.PyDLL) -> None:
    counter.allocations_begin()
    for _ in repeat(None, ALLOWED):
        object()
    assert counter.allocations_end() >= ALLOWED
