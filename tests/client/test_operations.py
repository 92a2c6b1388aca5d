"""Every operation of the client on real memcached servers, in both protocols and with both kinds of pool."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from real_servers import RealServer, free_port

from loadgen.client import (
    BadKey,
    CacheError,
    Client,
    ClientClosed,
    ConnectionRefused,
    RequestError,
    ServerError,
)
from loadgen.client.options import Keywords

Nodes = list[tuple[str, int]]
Test = Callable[[Client], Awaitable[None]]


@pytest.fixture(scope="module")
def servers() -> Iterator[Nodes]:
    with RealServer.memcached("-I", "4m") as one, RealServer.memcached("-I", "4m") as two:
        yield [(one.host, one.port), (two.host, two.port)]


@pytest.fixture(params=["text", "meta"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["puddle", "channel"])
def run(request: pytest.FixtureRequest, servers: Nodes, protocol: str) -> Callable[[Test], None]:
    """Runs a test with a client of two empty servers, and holds that nothing is left of it."""

    async def under_test(test: Test) -> None:
        options: Keywords = {"protocol": protocol, "pool": request.param, "timeout_s": 20.0}
        for node in servers:
            await flush(node)
        async with Client(servers, **options) as client:
            await test(client)
            pools = [node.pool for node in client.stats().nodes]
            assert client.stats().under_way == sum(pool.active for pool in pools) == 0
        pools = [node.pool for node in client.stats().nodes]
        assert [pool.total for pool in pools] == [0, 0]
        assert [pool.opened for pool in pools] == [pool.closed for pool in pools]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    return lambda test: asyncio.run(under_test(test))


async def flush(node: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*node)
    writer.write(b"flush_all\r\n")
    assert await reader.readline() == b"OK\r\n"
    writer.close()
    await writer.wait_closed()


def test_a_value_is_got_as_it_was_set_at_any_length(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        for length in (0, 1, 100, 65_536, 3_000_000):
            value = bytes(range(256)) * (length // 256) + b"\r\nEND\r\n"[: length % 256]
            await client.set("key", value)
            assert await client.get("key") == value
            assert await client.get(b"key") == value
        await client.set("key", memoryview(bytearray(b"view")))
        assert await client.get("key") == b"view"

    run(test)


def test_a_miss_is_no_error(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        assert await client.get("k") is None
        assert await client.gets("k") is None
        assert await client.delete("k") is False
        assert await client.touch("k", 10) is False
        assert await client.increment("k") is None
        assert await client.replace("k", b"v") is False
        assert await client.append("k", b"v") is False
        assert await client.prepend("k", b"v") is False
        assert await client.cas("k", b"v", 1) is None
        assert await client.meta_get("k") is None
        assert await client.get_many(["k", "l"]) == {}
        assert await client.delete_many(["k", "l"]) == {"k": False, "l": False}

    run(test)


def test_storage_says_whether_it_stored(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        assert [await client.add("k", b"1"), await client.add("k", b"2")] == [True, False]
        assert await client.replace("k", b"3")
        assert await client.append("k", b"4")
        assert await client.prepend("k", b"2")
        found = await client.gets("k")
        assert found is not None
        value, cas = found
        assert value == b"234"
        assert [await client.cas("k", b"x", cas), await client.cas("k", b"y", cas)] == [True, False]
        assert await client.get("k") == b"x"
        assert [await client.delete("k"), await client.delete("k")] == [True, False]

    run(test)


def test_a_counter_counts_and_begins_where_it_is_told(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        assert await client.increment("n", initial=5) == 5
        assert await client.increment("n", 10) == 15
        assert await client.increment("n", -8) == 7
        assert await client.increment("n", -8) == 0
        await asyncio.gather(*(client.increment("m", 1, initial=1, ttl_s=60) for _ in range(50)))
        assert await client.increment("m", 0) == 50

    run(test)


def test_a_time_to_live_reaches_the_server(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        async def left_s(key: str) -> int | None:
            item = await client.meta_get(key)
            assert item is not None
            return item.ttl_s

        await client.set("k", b"v", ttl_s=100)
        assert 98 <= (await left_s("k") or 0) <= 100
        assert await client.touch("k", 1000)
        assert 998 <= (await left_s("k") or 0) <= 1000
        await client.set_many({"k": b"v"}, ttl_s=50)
        assert 48 <= (await left_s("k") or 0) <= 50
        await client.increment("n", initial=1, ttl_s=70)
        assert 68 <= (await left_s("n") or 0) <= 70
        await client.set("k", b"v")
        assert await left_s("k") is None

    run(test)


def test_a_batch_over_all_nodes_returns_each_key_its_own_value(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        values = {f"key {n}".replace(" ", ":"): b"%d" % n * (n % 7) for n in range(500)}
        assert {client.node_of(key) for key in values} == {0, 1}
        stored = await client.set_many(values)
        assert stored == dict.fromkeys(values, True)
        assert stored.errors == {}
        missing = [f"none{n}" for n in range(100)]
        assert await client.get_many([*missing, *values]) == values
        assert await client.get_many([key.encode() for key in values]) == {k.encode(): v for k, v in values.items()}
        deleted = await client.delete_many([*values, *missing])
        assert deleted == {**dict.fromkeys(values, True), **dict.fromkeys(missing, False)}
        assert await client.get_many([]) == {}

    run(test)


def test_one_caller_at_a_time_wins_the_right_to_compute(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        found = await asyncio.gather(*(client.meta_get("k", vivify_s=30) for _ in range(20)))
        assert [item.won for item in found if item] == [item is not None and not item.taken for item in found]
        assert sum(item.won for item in found if item) == 1
        await client.set("k", b"computed", ttl_s=10)
        found = [await client.meta_get("k", vivify_s=30, recache_s=20) for _ in range(3)]
        assert [(item.won, item.value) for item in found if item] == [
            (True, b"computed"),
            (False, b"computed"),
            (False, b"computed"),
        ]

    run(test)


def test_an_error_reply_is_an_exception_that_harms_no_other(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        await client.set("text", b"not a number")
        for _ in range(3):
            with pytest.raises(RequestError, match=r"replied CLIENT_ERROR cannot increment") as caught:
                await client.increment("text")
            assert caught.value.node == client.node_of("text")
            assert caught.value.key == b"text"
            assert await client.get("text") == b"not a number"
        with pytest.raises(ServerError, match=r"object too large"):
            await client.set("text", bytes(5 << 20))
        stored = await client.set_many({"a": b"1", "text": bytes(5 << 20), "b": b"2"})
        assert {**stored} == {"a": True, "b": True}
        assert isinstance(stored.errors["text"], ServerError)
        with pytest.raises(ServerError):
            stored.raise_for_errors()
        assert await client.get_many(["a", "b"]) == {"a": b"1", "b": b"2"}

    run(test)


def test_a_server_says_its_version_and_statistics(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        assert [(await client.version(node))[0] for node in (0, 1)] == ["1", "1"]
        assert int((await client.server_stats(1))["cmd_get"]) >= 0
        assert await client.server_stats(0, "settings")
        with pytest.raises(ValueError, match="the client has nodes 0 to 1"):
            await client.version(2)

    run(test)


@pytest.mark.parametrize("key", ["", "a b", "line\r\n", "x" * 251, "\x7f", "é" * 126])
def test_a_bad_key_is_refused_before_any_byte(servers: Nodes, key: str) -> None:
    async def test() -> None:
        async with Client(servers) as client:
            for call in (client.get(key), client.set(key, b""), client.get_many(["k", key]), client.delete(key)):
                with pytest.raises(BadKey, match="1 to 250 bytes") as caught:
                    await call
                assert not key or key not in str(caught.value)
            assert await client.get("é" * 125) is None
            assert sum(node.operations for node in client.stats().nodes) == 1

    asyncio.run(test())


def test_a_node_that_fails_takes_no_other_results_away(servers: Nodes) -> None:
    async def test() -> None:
        async with Client([servers[0], ("127.0.0.1", free_port())], timeout_s=20.0) as client:
            values = {f"key{n}": b"%d" % n for n in range(100)}
            stored = await client.set_many(values)
            there = {key for key in values if client.node_of(key) == 0}
            assert set(stored) == there != set()
            assert set(stored.errors) == set(values) - there != set()
            found = await client.get_many(values)
            assert found == {key: values[key] for key in there}
            assert {type(error) for error in found.errors.values()} == {ConnectionRefused}
            assert {error.node for error in found.errors.values()} == {1}

    asyncio.run(test())


def test_close_may_be_called_again_and_ends_every_operation(servers: Nodes) -> None:
    async def test() -> None:
        client = Client(servers, max_size=1)
        await client.get("k")
        calls = [asyncio.create_task(client.get(f"k{n}")) for n in range(50)]
        await asyncio.sleep(0)
        await asyncio.gather(client.close(), client.close())
        await client.close()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(end) for end in ends} <= {type(None), ClientClosed}
        assert ClientClosed in {type(end) for end in ends}
        with pytest.raises(ClientClosed, match="the client is closed"):
            await client.get("k")
        unused = Client(servers)
        await unused.close()
        with pytest.raises(ClientClosed):
            await unused.get("k")

    asyncio.run(test())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"timeout_s": 0}, "timeout_s is 0: it must be a number of seconds above 0"),
        ({"timeout_s": float("inf")}, "timeout_s is inf"),
        ({"connect_timeout_s": -1}, "connect_timeout_s is -1"),
        ({"max_size": 0}, "max_size is 0: it must be 1 or more"),
        ({"retries": -1}, "retries is -1"),
        ({"pool": "pond"}, "pool is 'pond': it must be one of puddle, channel"),
        ({"selector": "modulo"}, "one of jump, ketama, rendezvous"),
        ({"protocol": "binary"}, "one of text, meta"),
        ({"breaker_failure_ratio": 2}, "above 0 and up to 1"),
    ],
)
def test_an_option_out_of_range_is_named(options: Keywords, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Client([("127.0.0.1", 11211)], **options)


def test_nodes_are_needed_and_are_different() -> None:
    with pytest.raises(ValueError, match="at least one node"):
        Client([])
    with pytest.raises(ValueError, match="named twice"):
        Client([("a", 1), ("a", 1)])


def test_every_error_of_an_operation_has_a_class_of_its_own() -> None:
    classes = CacheError.__subclasses__()
    assert len(classes) == 11
    assert [error for error in classes if error.failure == "other" or not error.__doc__] == [BadKey]
