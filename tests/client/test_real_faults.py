"""The client on real servers that hang, die and come back, on both event loops; its counts against the kernel's."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import psutil
import pytest
import uvloop
from pymemcache.client.base import Client as Pymemcache
from real_servers import RealServer, free_port

from loadgen.client import (
    BreakerOpen,
    CacheError,
    CacheTimeout,
    Client,
    ConnectionLost,
    ConnectionRefused,
    PoolExhausted,
    ProtocolError,
    State,
)

LOOPS: dict[str, Callable[[Coroutine[Any, Any, None]], None]] = {"asyncio": asyncio.run, "uvloop": uvloop.run}
PATIENCE_S = 20.0
"""The longest that a test waits for what should happen soon, on a busy machine."""


@pytest.fixture
def server() -> Iterator[RealServer]:
    with RealServer.memcached() as server:
        yield server


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    return LOOPS[request.param]


def established(port: int) -> int:
    """The kernel's count of this process's connections to a port."""
    return sum(
        found.status == psutil.CONN_ESTABLISHED and bool(found.raddr) and found.raddr.port == port
        for found in psutil.Process().net_connections("tcp")
    )


async def ends_within(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


async def succeeds(client: Client) -> bool:
    try:
        await client.get("k")
    except CacheError:
        return False
    return True


def test_a_hung_node_holds_no_call_longer_than_its_deadline(
    server: RealServer, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    async def test() -> None:
        async with Client([(server.host, server.port)], timeout_s=0.3, max_size=4, breaker=False) as client:
            await client.set("k", b"first")
            os.kill(server.pid, signal.SIGSTOP)
            try:
                await ends_within(lambda: psutil.Process(server.pid).status() == psutil.STATUS_STOPPED)
                calls = [asyncio.create_task(client.get("k")) for _ in range(20)]
                began = time.monotonic()
                ends = await asyncio.gather(*calls, return_exceptions=True)
                assert 0.29 < time.monotonic() - began < 5
                assert {type(end) for end in ends} == {CacheTimeout, PoolExhausted}
                assert client.stats().nodes[0].pool.active == 0
            finally:
                os.kill(server.pid, signal.SIGCONT)
            # Replies to those that were abandoned come now, on connections that nobody has any more.
            await ends_within(lambda: succeeds(client))
            assert await client.get("k") == b"first"

    run(test())


def test_the_breaker_opens_on_a_killed_node_and_closes_when_it_is_back(
    server: RealServer, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    changes: list[tuple[int, State, State]] = []

    async def test() -> None:
        client = Client(
            [(server.host, server.port)],
            timeout_s=5.0,
            breaker_timeout_s=0.5,
            on_transition=lambda node, change: changes.append((node, change.before, change.after)),
        )
        async with client:
            await client.set("k", b"v")
            under_way = [asyncio.create_task(client.get("k")) for _ in range(10)]
            await asyncio.sleep(0)
            server.kill()
            ends = await asyncio.gather(*under_way, return_exceptions=True)
            assert {type(end) for end in ends} <= {bytes, ConnectionLost, ConnectionRefused, BreakerOpen}
            ends = await asyncio.gather(*(client.get("k") for _ in range(50)), return_exceptions=True)
            assert BreakerOpen in {type(end) for end in ends}
            for _ in range(100):
                # Refused in the caller's own turn: it waits for nothing.
                with pytest.raises(BreakerOpen, match=r"is open: the node failed too often"):
                    client.get("k").send(None)
            server.start()
            await ends_within(lambda: succeeds(client))
            for _ in range(3):
                assert await client.get("k") is None
            assert client.stats().nodes[0].breaker is State.CLOSED
        closed, half_open, opened = State.CLOSED, State.HALF_OPEN, State.OPEN
        assert changes[0] == (0, closed, opened)
        assert changes[-2:] == [(0, opened, half_open), (0, half_open, closed)]

    run(test())


def test_the_pool_counts_what_the_kernel_counts(
    server: RealServer, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    async def test() -> None:
        client = Client([(server.host, server.port)], timeout_s=5.0, max_size=8, max_conn_lifetime_s=0.05)
        for _ in range(10):
            await asyncio.gather(*(client.get(f"k{n}") for n in range(40)))
            cancelled = [asyncio.create_task(client.get("k")) for _ in range(10)]
            await asyncio.sleep(0)
            for call in cancelled:
                call.cancel()
            await asyncio.gather(*cancelled, return_exceptions=True)
            pool = client.stats().nodes[0].pool
            assert pool.total == pool.constructing + pool.idle + pool.active <= 8
            assert pool.opened - pool.closed == pool.idle + pool.active

        def agrees() -> bool:
            pool = client.stats().nodes[0].pool
            return pool.active == pool.constructing == 0 and pool.idle == established(server.port)

        await ends_within(agrees)
        assert client.stats().nodes[0].pool.closed > 0
        assert client.stats().under_way == 0
        await client.close()
        assert established(server.port) == 0

    run(test())


def test_a_cancelled_call_leaves_its_connection_to_nobody(
    server: RealServer, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    async def test() -> None:
        async with Client([(server.host, server.port)], timeout_s=5.0, max_size=2) as client:
            await client.set_many({f"k{n}": b"%d" % n for n in range(100)})
            for n in range(0, 100, 2):
                abandoned = asyncio.create_task(client.get(f"k{n}"))
                await asyncio.sleep(0)
                abandoned.cancel()
                assert await client.get(f"k{n + 1}") == b"%d" % (n + 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await client.get("k1")
            assert await client.get("k1") == b"1"

    run(test())


def test_what_is_no_server_is_an_error_of_its_own(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def test() -> None:
        async def no_memcached(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        listener = await asyncio.start_server(no_memcached, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        nodes = [("127.0.0.1", free_port()), ("127.0.0.1", port), ("no-such-host.invalid", 11211)]
        async with Client(nodes, timeout_s=PATIENCE_S) as client:
            with pytest.raises(ConnectionRefused, match="could be made: Connection refused") as refused:
                await client.version(0)
            assert (refused.value.node, refused.value.key) == (0, None)
            with pytest.raises(ProtocolError, match="broke the protocol"):
                await client.version(1)
            with pytest.raises(ConnectionRefused, match="the name of the host is unknown"):
                await client.version(2)
        listener.close()
        await listener.wait_closed()

    run(test())


def test_close_is_bounded_when_the_node_hangs(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def test() -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            silent.setblocking(False)
            client = Client([silent.getsockname()], timeout_s=0.3)
            call = asyncio.create_task(client.get("k"))
            peer, _ = await asyncio.get_running_loop().sock_accept(silent)
            with peer:
                assert await asyncio.get_running_loop().sock_recv(peer, 100)
                began = time.monotonic()
                await client.close()
                assert time.monotonic() - began < 5
                with pytest.raises(CacheTimeout, match="did not reply before the deadline"):
                    await call

    run(test())


def test_a_callback_that_raises_harms_no_operation(server: RealServer) -> None:
    async def test() -> None:
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

        def broken(node: int, change: object) -> None:
            raise RuntimeError("broken")

        async with Client([(server.host, server.port)], breaker_min_requests=1, on_transition=broken) as client:
            server.stop()
            with pytest.raises(CacheError):
                await client.get("k")
            with pytest.raises(BreakerOpen):
                await client.get("k")
        assert [str(context["exception"]) for context in reported] == ["broken"]

    asyncio.run(test())


@pytest.mark.parametrize("protocol", ["text", "meta"])
def test_pymemcache_and_the_client_read_what_the_other_wrote(server: RealServer, protocol: str) -> None:
    other = Pymemcache((server.host, server.port), timeout=20)
    values = {f"k{n}": bytes(range(256)) * n for n in range(20)}

    async def test() -> None:
        async with Client([(server.host, server.port)], timeout_s=20.0, protocol=protocol) as client:
            for key, value in values.items():
                await client.set(key, value, ttl_s=100)
            assert other.get_many([*values]) == values
            assert await client.increment("n", initial=41) == 41
            assert other.incr("n", 1) == 42
            assert other.set("theirs", b"1 2\r\n3", noreply=False)
            assert await client.get("theirs") == b"1 2\r\n3"
            found = await client.gets("theirs")
            assert found is not None
            assert other.gets("theirs") == (found[0], b"%d" % found[1])
            assert other.cas("theirs", b"new", b"%d" % found[1])
            assert await client.cas("theirs", b"late", found[1]) is False
            assert await client.delete_many(["k1", "k2"]) == {"k1": True, "k2": True}
            assert other.get("k1") is None

    asyncio.run(test())
    other.close()
