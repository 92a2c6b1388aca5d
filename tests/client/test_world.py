"""The client in simulated worlds: its promises under drawn options, callers and faults, in exact time."""

from __future__ import annotations

import asyncio

import pytest
from worlds import passes

from loadgen.client import CacheTimeout, Client, ConnectionLost, ConnectionRefused
from loadgen.testing import World


def test_a_deadline_is_not_held_up_by_a_health_check_that_comes_later() -> None:
    async def test(world: World) -> None:
        node = world.memcached().node
        async with Client([node], timeout_s=0.5, health_check_interval_s=10) as client:
            await client.set("k", b"v")
            await asyncio.sleep(2)
            world.faults.pause("memcached", 20)
            began_s = world.now_s
            with pytest.raises(CacheTimeout):
                await client.get("k")
            assert world.now_s - began_s == pytest.approx(0.5, abs=1e-6)

    passes(test)


def test_names_are_looked_up_in_the_world_and_refusals_come_from_it() -> None:
    async def test(world: World) -> None:
        world.host("empty")
        async with Client([("empty", 11211), ("nowhere", 11211)], selector="jump", timeout_s=1) as client:
            refused = set()
            for n in range(20):
                with pytest.raises(ConnectionRefused) as raised:
                    await client.get(f"k{n}")
                refused.add(str(raised.value).rpartition(": ")[2])
            assert any("Connection refused" in words for words in refused)
            assert any("name of the host is unknown" in words for words in refused)

    passes(test)


def test_a_client_that_was_made_outside_is_refused_in_a_world() -> None:
    client = Client([("memcached", 11211)])

    async def test(world: World) -> None:
        world.memcached()
        with pytest.raises(RuntimeError, match="made outside of this simulated world"):
            await client.get("k")

    passes(test)


def test_a_client_of_a_killed_host_does_nothing_any_more() -> None:
    async def uses(nodes: list[tuple[str, int]], done: list[int]) -> None:
        async with Client(nodes, timeout_s=0.2, health_check_interval_s=0.1) as client:
            while True:
                await client.set("k", b"%d" % len(done))
                done.append(1)
                await asyncio.sleep(0.1)

    async def test(world: World) -> None:
        done: list[int] = []
        server = world.memcached()
        world.host("app").run(uses([server.node], done))
        await asyncio.sleep(1)
        world.faults.kill("app")
        before = len(done)
        await asyncio.sleep(5)
        assert 5 < before == len(done)
        world.host("app").run(uses([server.node], done))
        await asyncio.sleep(1)
        assert len(done) > before + 5

    passes(test)


def test_a_client_of_a_killed_host_dials_nobody_any_more() -> None:
    """Its dial fails at its deadline, after which a client that lives goes on to the next node."""

    async def uses(silent: tuple[str, int]) -> None:
        async with Client([silent, ("b", 7)], failover=True, timeout_s=5, connect_timeout_s=0.5) as client:
            await asyncio.gather(*(client.get(f"k{n}") for n in range(10)), return_exceptions=True)

    async def test(world: World) -> None:
        async def listening() -> None:
            async with await asyncio.start_server(lambda reader, writer: dials.append(1), port=7) as server:
                await server.serve_forever()

        world.host("b").run(listening())
        silent = world.memcached().node
        world.host("app")
        await asyncio.sleep(0.1)
        world.faults.partition("app", "memcached", 20)
        world.host("app").run(uses(silent))
        await asyncio.sleep(0.2)
        before = len(dials)
        world.faults.kill("app")
        await asyncio.sleep(5)
        assert len(dials) == before

    dials: list[int] = []
    passes(test)


def test_a_request_behind_a_health_check_is_cancelled_without_harm_to_those_beside_it() -> None:
    async def test(world: World) -> None:
        node = world.memcached().node
        options = {"max_size": 1, "pipeline": 4, "timeout_s": 3.0, "health_check_interval_s": 1.0}
        async with Client([node], **options) as client:  # type: ignore[arg-type]
            await client.set("k", b"v")
            await asyncio.sleep(1.5)
            world.faults.pause("memcached", 10)
            await asyncio.sleep(1)  # A health check is under way, with no reply.
            calls = [asyncio.ensure_future(client.get("k")) for _ in range(3)]
            await asyncio.sleep(0.1)
            calls[1].cancel()
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(end) for end in ends] == [ConnectionLost, asyncio.CancelledError, ConnectionLost]
            await asyncio.sleep(10)
            assert await client.get("k") == b"v"

    passes(test)


def test_a_version_is_compared_at_the_node_that_gave_it() -> None:
    """Each node counts versions of its own: with failover, a cas at another node would replace what nobody has read."""

    async def test(world: World) -> None:
        nodes = [world.memcached(name).node for name in ("a", "b")]
        options = {"failover": True, "timeout_s": 1.0, "breaker": False}
        async with Client(nodes, **options) as client:  # type: ignore[arg-type]
            owner = ("a", "b")[client.node_of("k")]
            await client.set("k", b"of the owner")
            world.faults.refuse(owner, 10)
            await asyncio.sleep(0.1)
            await client.set("k", b"of the other")
            found = await client.gets("k")
            assert found is not None
            assert found[0] == b"of the other"
            await asyncio.sleep(10)
            theirs = await client.gets("k")
            assert theirs is not None
            assert theirs == (b"of the owner", found[1])
            assert await client.cas("k", b"new", found[1]) is True
            assert await client.get("k") == b"of the owner"
            world.faults.refuse(owner, 10)
            await asyncio.sleep(0.1)
            with pytest.raises(ConnectionRefused):
                await client.cas("k", b"newer", theirs[1])
            assert await client.get("k") == b"new"

    passes(test)


def test_a_server_that_does_not_answer_handshakes_or_forgets_its_connections_is_noticed_by_time_alone() -> None:
    async def test(world: World) -> None:
        node = world.memcached().node
        async with Client([node], timeout_s=0.5) as client:
            await client.set("k", b"v")
            world.faults.vanish("memcached")
            with pytest.raises((CacheTimeout, ConnectionLost)):
                await client.get("k")
            assert await client.get("k") == b"v"
            world.faults.silence("memcached", 5)
            await asyncio.sleep(0.1)
            for _ in range(2):
                began_s = world.now_s
                with pytest.raises(CacheTimeout):
                    await client.get("k")
                assert world.now_s - began_s == pytest.approx(0.5, abs=1e-6)
            await asyncio.sleep(20)
            assert await client.get("k") == b"v"

    passes(test)
