"""The shell of the client: names, addresses that refuse, and clients that are closed early, late or never."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from real_servers import RealServer, free_port

from loadgen.client import Client, ClientClosed, ConnectionRefused


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with RealServer.memcached() as server:
        yield server


def address(port: int) -> tuple[Any, ...]:
    """A row of what getaddrinfo returns."""
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)


def name_means(*ports: int) -> None:
    """Have the running loop find these ports of this host for every name."""

    async def found(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [address(port) for port in ports]

    asyncio.get_running_loop().getaddrinfo = found  # type: ignore[method-assign]


def test_the_first_address_of_a_name_that_accepts_is_used(server: RealServer) -> None:
    async def test() -> None:
        name_means(free_port(), server.port)
        async with Client([("cache.example", 11211)], timeout_s=20) as client:
            await client.set("k", b"v")
            assert await client.get("k") == b"v"
            assert client.stats().nodes[0].pool.failed_dials == 0

    asyncio.run(test())


def test_a_name_of_which_no_address_accepts_is_refused_with_the_reason(server: RealServer) -> None:
    async def test() -> None:
        async with Client([("cache.example", 11211)], timeout_s=20) as client:
            name_means(free_port(), free_port())
            with pytest.raises(ConnectionRefused, match="Connection refused"):
                await client.get("k")
            name_means()
            with pytest.raises(ConnectionRefused, match="the name has no address"):
                await client.get("k")
            assert client.stats().nodes[0].pool.failed_dials == 2

    asyncio.run(test())


def test_a_name_that_cannot_be_one_is_refused() -> None:
    async def test() -> None:
        async with Client([(f"{'x' * 70}.example", 11211)], timeout_s=20) as client:
            with pytest.raises(ConnectionRefused, match="too long"):
                await client.get("k")

    asyncio.run(test())


def test_close_stops_the_lookup_of_a_name() -> None:
    async def test() -> None:
        async def never(*_: object, **__: object) -> None:
            await asyncio.get_running_loop().create_future()

        asyncio.get_running_loop().getaddrinfo = never  # type: ignore[assignment, method-assign]
        client = Client([("cache.example", 11211)], timeout_s=20)
        call = asyncio.ensure_future(client.get("k"))
        while not client.stats().nodes[0].pool.constructing:
            await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ClientClosed):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(test())


def test_a_client_that_is_first_used_after_its_close_refuses_and_closes_again_at_once() -> None:
    async def test() -> None:
        client = Client([("127.0.0.1", 1)], timeout_s=20)
        await client.close()
        with pytest.raises(ClientClosed):
            await client.get("k")
        await asyncio.wait_for(client.close(), 10)

    asyncio.run(test())


def test_a_client_that_nobody_closed_says_so_and_leaves_no_connection(server: RealServer) -> None:
    async def test() -> None:
        await Client([(server.host, server.port)], timeout_s=20).set("k", b"v")

    def forgotten() -> None:
        asyncio.run(test())
        gc.collect()

    with pytest.warns(ResourceWarning, match="not closed"):
        forgotten()
    ours = psutil.Process().net_connections("tcp")
    assert not [found for found in ours if found.raddr and found.raddr.port == server.port]


class Missing(asyncio.Protocol):
    """A server that has nothing, and keeps what it received, chunk by chunk."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._transport.write(b"END\r\n" * data.count(b"get "))


@pytest.mark.parametrize("pipeline", [1, 100])
def test_requests_of_one_turn_are_sent_together_on_a_shared_connection(pipeline: int) -> None:
    async def test() -> list[bytes]:
        chunks: list[bytes] = []
        server = await asyncio.get_running_loop().create_server(lambda: Missing(chunks), "127.0.0.1", 0)
        async with Client([server.sockets[0].getsockname()], timeout_s=20, max_size=1, pipeline=pipeline) as client:
            await client.get("first")
            chunks.clear()
            await asyncio.gather(*(client.get(f"k{n}") for n in range(100)))
        server.close()
        return chunks

    chunks = asyncio.run(test())
    assert b"".join(chunks).count(b"get ") == 100
    assert len(chunks) == 100 // pipeline
