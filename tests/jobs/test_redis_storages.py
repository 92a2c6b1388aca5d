"""The queues on Redis: the laws of storages on a real server."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from real_servers import RealServer
from worlds import passes

pytest.register_assert_rewrite("storage_laws")

from storage_laws import Factory, StorageLaws  # noqa: E402

from loadgen.jobs.redis.lists import Lists  # noqa: E402
from loadgen.jobs.redis.streams import Streams  # noqa: E402
from loadgen.jobs.url import RedisUrl  # noqa: E402
from loadgen.verify.scenario.world import World  # noqa: E402


@pytest.fixture(scope="module")
def redis() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


@pytest.fixture
def url(redis: RealServer) -> RedisUrl:
    redis.client().flushall()
    return RedisUrl(redis.host, redis.port)


class TestStreams(StorageLaws):
    @pytest.fixture
    def factory(self, url: RedisUrl) -> Factory:
        return lambda **options: Streams(url, "q", **options)


class TestLists(StorageLaws):
    @pytest.fixture
    def factory(self, url: RedisUrl) -> Factory:
        return lambda **options: Lists(url, "q", **options)


class Simulated(StorageLaws):
    """The same laws on a simulated server, in virtual time."""

    def carry_out(self, whole: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def scenario(world: World) -> None:
            world.redis("redis")
            await whole()

        passes(scenario)


class TestSimulatedStreams(Simulated):
    @pytest.fixture
    def factory(self) -> Factory:
        return lambda **options: Streams(RedisUrl("redis", 6379), "q", **options)


class TestSimulatedLists(Simulated):
    @pytest.fixture
    def factory(self) -> Factory:
        return lambda **options: Lists(RedisUrl("redis", 6379), "q", **options)
