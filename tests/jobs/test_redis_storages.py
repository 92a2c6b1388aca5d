"""The queues on Redis: the laws of storages on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_servers import RealServer

pytest.register_assert_rewrite("storage_laws")

from storage_laws import Factory, StorageLaws  # noqa: E402

from loadgen.jobs.redis.lists import Lists  # noqa: E402
from loadgen.jobs.redis.streams import Streams  # noqa: E402
from loadgen.jobs.url import RedisUrl  # noqa: E402


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
