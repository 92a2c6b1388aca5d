"""Requests that share a connection (`pipeline`): each gets its own reply, and what befalls the others with it."""

from __future__ import annotations

import asyncio

import pytest
from real_servers import RealServer
from simulated_memcache import Call, World

from loadgen.client import CacheError, Client
from loadgen.client._actions import Dial, Ended, Send
from loadgen.client._pool import Pool
from loadgen.client.assembly import assembled
from loadgen.client.batch import Batch
from loadgen.client.options import Options
from loadgen.client.pool import PoolSettings

KINDS = ("puddle", "channel")


def connected(world: World) -> None:
    """Have the connections dialled that the test is about."""
    for _ in range(world.core.nodes[0].pool.settings.max_size):
        world.get("k")
    world.run(1)


def ends(calls: list[Call]) -> list[str]:
    return [call.ended_as for call in calls]


def test_each_request_gets_its_own_reply_wherever_the_bytes_are_cut() -> None:
    """A miss, a value, a batch of two replies, a command that is followed by another, and a word."""
    replies = b"END\r\nVALUE b 0 5\r\nEND\r\n\r\nEND\r\nDELETED\r\nNOT_FOUND\r\nNOT_FOUND\r\nSTORED\r\n"
    for cut in range(1, len(replies)):
        core = assembled(["node:1"], Options(max_size=1, pipeline=5), 0)
        line = core.protocol
        requests = [line.get(b"a"), line.get(b"b"), line.delete_many([b"c", b"d"]), line.increment(b"e", 1, 7, 0)]
        requests.append(line.store("set", b"f", b"v", 0))
        (dial,) = core.begin(requests[0], 0)
        assert isinstance(dial, Dial)
        sent = [*core.on_open(dial.connection, 0)]
        for request in requests[1:]:
            request.node = 0
            sent += core.begin(request, 0)
        assert [type(action) for action in sent] == [Send] * 5
        actions = core.on_bytes(dial.connection, replies[:cut], 1) + core.on_bytes(dial.connection, replies[cut:], 2)
        # The increment of a key that is not there is followed by an add, behind all that was sent before.
        assert [action.data for action in actions if isinstance(action, Send)] == [b"add e 0 0 1\r\n7\r\n"]
        actions += core.on_bytes(dial.connection, b"STORED\r\n", 3)
        ended = [action.call for action in actions if isinstance(action, Ended)]
        assert ended == [requests[0], requests[1], requests[2], requests[4], requests[3]]
        assert [request.reply for request in requests] == [None, b"END\r\n", [True, False], 7, True]
        pool = core.stats(4).nodes[0].pool
        assert (pool.idle, pool.active, pool.acquires) == (1, 0, 5)


@pytest.mark.parametrize("pool", KINDS)
def test_connections_are_shared_evenly_when_all_are_in_use_and_the_rest_waits(pool: str) -> None:
    world = World(pool=pool, max_size=3, pipeline=4, timeout_s=5, breaker=False)
    connected(world)
    world.nodes[0].hang()
    for under_way in range(1, 20):
        world.get("k")
        stats = world.stats().pool
        assert (stats.active, stats.waiting) == (min(under_way, 3), max(0, under_way - 12))
        world.run(0.001)
        sent_on = [connection.number for connection, _ in world.nodes[0]._waiting]
        loads = [sent_on.count(number) for number in (1, 2, 3)]
        assert max(loads) - min(loads) <= 1
        assert sum(loads) == min(under_way, 12)
    world.nodes[0].resume()
    world.run(1)
    stats = world.stats().pool
    assert (stats.idle, stats.active, stats.waiting, len(world.dials)) == (3, 0, 0, 3)


@pytest.mark.parametrize("pool", KINDS)
def test_a_request_past_its_deadline_takes_its_connection_and_all_on_it(pool: str) -> None:
    """Each fails by an error of its own, and no late reply reaches anybody."""
    world = World(pool=pool, max_size=1, pipeline=4, timeout_s=0.2, breaker=False)
    world.set("k0", b"value of k0")
    world.run(1)
    world.nodes[0].delay_s = 0.3
    early = [world.get(f"k{n}") for n in range(2)]
    world.run(0.1)
    late = [world.get(f"k{n}") for n in range(2, 4)]
    world.run(0.101)
    assert ends(early + late) == ["CacheTimeout", "ConnectionLost", "ConnectionLost", "ConnectionLost"]
    assert [call.error.key for call in early + late if call.error] == [b"k0", b"k1", b"k2", b"k3"]
    assert (world.stats().abandoned, world.stats().pool.total, world.stats().timeouts) == (1, 0, 1)
    world.nodes[0].delay_s = 0
    again = world.get("k0")
    world.run(1)
    assert again.reply == b"value of k0"
    assert world.stats().unsolicited == 0


def test_reads_that_lose_a_shared_connection_are_tried_again_where_that_is_allowed() -> None:
    world = World(max_size=1, pipeline=4, timeout_s=0.5, retries=1, breaker=False)
    connected(world)
    world.nodes[0].hang()
    cancelled, read, written = world.get("a"), world.get("b"), world.set("c", b"")
    world.run(0.1)
    world.cancel(cancelled)
    world.nodes[0].resume()
    world.run(0.2)
    assert (read.ended_as, written.ended_as) == ("ok", "ConnectionLost")


def test_a_cancelled_request_costs_those_that_share_its_connection_but_not_the_breaker() -> None:
    world = World(max_size=1, pipeline=4, timeout_s=5, breaker_min_requests=1, breaker_failure_ratio=0.01)
    connected(world)
    world.nodes[0].hang()
    calls = [world.get(f"k{n}") for n in range(4)]
    world.run(0.1)
    before = world.stats().counts
    world.cancel(calls[2])
    assert ends(calls) == ["ConnectionLost", "ConnectionLost", "open", "ConnectionLost"]
    after = world.stats().counts
    assert before is not None
    assert after is not None
    assert (after.failures, after.exclusions - before.exclusions) == (0, 4)
    assert not world.transitions


@pytest.mark.parametrize("pool", KINDS)
def test_a_connection_past_its_lifetime_is_not_shared_any_more_and_closed_when_nobody_holds_it(pool: str) -> None:
    world = World(pool=pool, max_size=1, pipeline=4, max_conn_lifetime_s=2, timeout_s=5, breaker=False)
    connected(world)
    world.nodes[0].delay_s = 0.5
    world.run(0.8)
    calls = []
    # Without an end of sharing, the connection would never be free.
    for _ in range(20):
        calls.append(world.get("k"))
        world.run(0.25)
    world.run(2)
    assert set(ends(calls)) == {"ok"}
    assert len(world.dials) >= 3
    assert world.stats().pool.closed >= 2


def test_an_error_reply_after_which_framing_is_uncertain_costs_the_others_the_connection() -> None:
    core = assembled(["node:1"], Options(max_size=1, pipeline=4), 0)
    requests = [core.protocol.get(b"%d" % n) for n in range(3)]
    (dial,) = core.begin(requests[0], 0)
    assert isinstance(dial, Dial)
    core.on_open(dial.connection, 0)
    for request in requests[1:]:
        core.begin(request, 0)
    actions = core.on_bytes(dial.connection, b"END\r\nERROR\r\nEND\r\n", 1)
    assert [action.call for action in actions if isinstance(action, Ended)] == requests
    assert [type(request.error).__name__ for request in requests] == ["NoneType", "RequestError", "ConnectionLost"]
    counts = core.stats(1).nodes[0].counts
    assert counts is not None
    assert (counts.successes, counts.failures, counts.exclusions) == (2, 0, 1)


@pytest.mark.parametrize("pool", KINDS)
def test_close_lets_those_under_way_end(pool: str) -> None:
    world = World(pool=pool, max_size=1, pipeline=4, timeout_s=5)
    connected(world)
    world.nodes[0].delay_s = 0.5
    calls = [world.get(f"k{n}") for n in range(6)]
    world.run(0.1)
    world.close()
    world.run(2)
    assert ends(calls) == ["ok"] * 4 + ["ClientClosed"] * 2
    assert world.closed_ns is not None


def test_a_thousand_operations_share_two_real_connections_and_get_their_own_values() -> None:
    async def test(host: str, port: int) -> None:
        keys = [f"key{n}" for n in range(1_000)]
        async with Client([(host, port)], timeout_s=60, max_size=2, pipeline=500) as client:
            await asyncio.gather(*(client.set(key, key.encode() * (n % 300)) for n, key in enumerate(keys)))
            found = await asyncio.gather(*(client.get(key) for key in keys))
            assert found == [key.encode() * (n % 300) for n, key in enumerate(keys)]
            whole = await client.get_many(keys)
            assert whole == dict(zip(keys, found, strict=True))
            abandoned = [asyncio.ensure_future(client.get(key)) for key in keys]
            await asyncio.sleep(0)
            for call in abandoned[::100]:
                call.cancel()
            for number, ended in enumerate(await asyncio.gather(*abandoned, return_exceptions=True)):
                assert isinstance(ended, (CacheError, asyncio.CancelledError)) or ended == found[number]
            assert await client.get("key299") == b"key299" * 299
            pool = client.stats().nodes[0].pool
            assert (pool.total, client.stats().under_way) == (pool.idle, 0)
            assert pool.total <= 2

    with RealServer.memcached() as server:
        asyncio.run(test(server.host, server.port))


def test_a_batch_shares_a_connection_with_single_requests() -> None:
    world = World(max_size=1, pipeline=8, timeout_s=5)
    for n in range(0, 100, 3):
        world.set(f"k{n}", b"v")
    world.run(1)
    single, batch, behind = world.get("k3"), world.delete_many([f"k{n}" for n in range(100)]), world.get("k3")
    world.run(1)
    assert isinstance(batch.request, Batch)
    assert {about[0]: reply for about, reply in batch.request.replies()} == {b"k%d" % n: n % 3 == 0 for n in range(100)}
    assert (single.reply, behind.reply) == (b"v", None)


@pytest.mark.parametrize("pool", KINDS)
def test_the_first_reply_on_a_full_connection_makes_room_for_who_waits(pool: str) -> None:
    shared: Pool[str] = Pool(pool, PoolSettings(1, pipeline=2))
    connection = shared.acquire("a", 0)
    assert connection is not None
    shared.opened(connection, 0)
    assert shared.acquire("b", 0) is connection
    assert shared.acquire("c", 0) is None
    shared.release(connection, 10)
    assert shared.grant(10) == ("c", connection)
    assert shared.grant(10) is None
    assert (shared.stats().active, shared.stats().waits, shared.stats().wait_ns) == (1, 2, 10)
