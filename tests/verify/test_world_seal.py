"""The seal around a world: time and chance in it are the world's, and those of the rest of the process are not."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import threading
import time
import uuid
from random import random as drawn_at_import
from time import monotonic as monotonic_at_import

import pytest
from worlds import passes

from loadgen.verify.scenario.world import World
from loadgen.verify.world._ground import UNIX_EPOCH_NS

REAL = (time.time, time.monotonic, time.sleep, os.urandom, uuid.uuid1, random.Random.seed)


async def chances(world: World) -> None:
    seen = (
        *(random.random(), random.Random().random(), drawn_at_import(), secrets.token_hex(4), os.urandom(3)),
        *(uuid.uuid4(), uuid.uuid1(), secrets.randbelow(10**9), random.SystemRandom().random()),
    )
    found.append(seen)


found: list[tuple[object, ...]] = []


def test_chance_follows_from_the_seed_alone() -> None:
    found.clear()
    for seed in (1, 1, 2):
        random.seed()
        passes(chances, seed)
    assert found[0] == found[1]
    assert all(one != two for one, two in zip(found[0], found[2], strict=True))


def test_time_is_the_worlds_for_code_that_has_imported_a_function_too() -> None:
    async def scenario(world: World) -> None:
        before = (time.time(), time.monotonic(), monotonic_at_import(), time.perf_counter_ns(), time.time_ns())
        assert time.time_ns() - UNIX_EPOCH_NS < 10**10
        assert time.gmtime().tm_year == 2026
        await asyncio.sleep(10)
        after = (time.time(), time.monotonic(), monotonic_at_import(), time.perf_counter_ns(), time.time_ns())
        went = [round(two - one, 3) for one, two in zip(before, after, strict=True)]
        assert went == [10, 10, 10, 10**10, 10**10]

    passes(scenario)


def test_a_socket_of_the_kernel_is_refused_in_a_world_and_works_outside() -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(NotImplementedError, match="no sockets of the kernel"):
            socket.create_connection(("127.0.0.1", 9))
        with socket.socket() as one, pytest.raises(NotImplementedError, match="no sockets of the kernel"):
            one.connect_ex(("127.0.0.1", 9))

    passes(scenario)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_another_thread_keeps_real_clocks() -> None:
    async def scenario(world: World) -> None:
        await asyncio.sleep(1000)
        seen: list[float] = []
        thread = threading.Thread(target=lambda: seen.append(time.time()))
        thread.start()
        thread.join()
        assert abs(seen[0] - time.time()) > 1000

    passes(scenario)


def test_everything_is_given_back_and_the_state_of_chance_with_it() -> None:
    random.seed(7)
    due = random.Random(7).random()
    passes(chances, 1)
    assert random.random() == due
    assert (time.time, time.monotonic, time.sleep, os.urandom, uuid.uuid1, random.Random.seed) == REAL
    assert monotonic_at_import is time.monotonic
