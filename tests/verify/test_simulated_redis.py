"""The simulated Redis: redis-py in both versions of RESP, commands that wait, memory, scripts, and its disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, LockNotOwnedError, OutOfMemoryError, ResponseError, WatchError
from worlds import passes

from loadgen.verify.reply import OK, Error, Null, Reply
from loadgen.verify.scenario.redis import APPEND_ONLY_FILE
from loadgen.verify.scenario.world import World
from loadgen.verify.world.disk import Disk
from loadgen.verify.world.redis import resp
from loadgen.verify.world.redis.append_only import AppendOnlyFile
from loadgen.verify.world.redis.resp import reply_bytes


def client(**options: Any) -> Redis:
    return Redis(host="redis", socket_timeout=None, **options)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("seed", [None, 1])
def test_redis_py_has_the_answers_that_it_has_from_redis(protocol: int, seed: int | None) -> None:
    async def scenario(world: World) -> None:
        world.redis()
        async with client(protocol=protocol, decode_responses=True) as redis:
            assert await redis.ping()
            assert await redis.set("a", "1", ex=10)
            assert (await redis.get("a"), await redis.get("b"), await redis.ttl("a")) == ("1", None, 10)
            assert await redis.incrbyfloat("a", 0.5) == 1.5
            await redis.hset("h", mapping={"f": "1", "g": "2"})
            assert await redis.hgetall("h") == {"f": "1", "g": "2"}
            await redis.sadd("s", "x", "y")
            assert await redis.smembers("s") == {"x", "y"}
            await redis.zadd("z", {"m": 1.5, "n": 2})
            scores = await redis.zrange("z", 0, -1, withscores=True)
            assert [tuple(each) for each in scores] == [("m", 1.5), ("n", 2.0)]
            assert await redis.zscore("z", "m") == 1.5
            assert [tuple(each) for each in await redis.zpopmin("z", 1)] == [("m", 1.5)]
            await redis.rpush("l", "1", "2")
            assert await redis.lrange("l", 0, -1) == ["1", "2"]
            number = await redis.xadd("x", {"k": "v"})
            read = await redis.xread({"x": "0"})
            entries = read["x"][0] if isinstance(read, dict) else read[0][1]
            assert entries == [(number, {"k": "v"})]
            with pytest.raises(ResponseError, match="WRONGTYPE"):
                await redis.get("l")
            async with redis.pipeline(transaction=True) as pipe:
                assert await pipe.incr("n").hgetall("h").smembers("s").execute() == [
                    1,
                    {"f": "1", "g": "2"},
                    {"x", "y"},
                ]
            assert await redis.dbsize() == 7
            assert await redis.flushall()
            assert await redis.dbsize() == 0
            with pytest.raises(ResponseError, match="unknown command"):
                await redis.execute_command("NONSENSE")

    passes(scenario, seed)


@pytest.mark.parametrize(
    ("command", "reply", "second", "third"),
    [
        (b"GET a", Null.BULK, b"$-1\r\n", b"_\r\n"),
        (b"EXEC", Null.ARRAY, b"*-1\r\n", b"_\r\n"),
        (b"SMEMBERS s", (b"x",), b"*1\r\n$1\r\nx\r\n", b"~1\r\n$1\r\nx\r\n"),
        (b"SPOP s 1", (b"x",), b"*1\r\n$1\r\nx\r\n", b"~1\r\n$1\r\nx\r\n"),
        (b"HGETALL h", (b"f", b"1"), b"*2\r\n$1\r\nf\r\n$1\r\n1\r\n", b"%1\r\n$1\r\nf\r\n$1\r\n1\r\n"),
        (b"ZSCORE z m", b"1.5", b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (b"ZRANGE z 0 -1", (b"m",), b"*1\r\n$1\r\nm\r\n", b"*1\r\n$1\r\nm\r\n"),
        (b"ZPOPMIN z", (b"m", b"2"), b"*2\r\n$1\r\nm\r\n$1\r\n2\r\n", b"*2\r\n$1\r\nm\r\n,2\r\n"),
        (b"ZPOPMIN z 1", (b"m", b"2"), b"*2\r\n$1\r\nm\r\n$1\r\n2\r\n", b"*1\r\n*2\r\n$1\r\nm\r\n,2\r\n"),
        (b"XREAD STREAMS x 0", ((b"x", ()),), b"*1\r\n*2\r\n$1\r\nx\r\n*0\r\n", b"%1\r\n$1\r\nx\r\n*0\r\n"),
        (b"INCR n", 7, b":7\r\n", b":7\r\n"),
        (b"SET a b", OK, b"+OK\r\n", b"+OK\r\n"),
        (b"SET a", Error(b"ERR no"), b"-ERR no\r\n", b"-ERR no\r\n"),
    ],
)
def test_a_reply_is_written_as_each_version_has_it(command: bytes, reply: Reply, second: bytes, third: bytes) -> None:
    assert reply_bytes(reply, 2) == second
    assert reply_bytes(resp.third(command.split(), reply), 3) == third


def test_a_key_expires_by_the_time_of_the_world() -> None:
    async def scenario(world: World) -> None:
        world.redis()
        async with client() as redis:
            await redis.set("a", "1", px=1500)
            await asyncio.sleep(1.4)
            assert await redis.get("a") == b"1"
            await asyncio.sleep(0.2)
            assert await redis.get("a") is None

    passes(scenario)


def test_a_watched_key_that_another_changes_keeps_exec_from_anything() -> None:
    async def scenario(world: World) -> None:
        world.redis()
        async with client() as redis, redis.pipeline() as pipe:
            await pipe.watch("a")
            await redis.set("a", "other")
            pipe.multi()
            pipe.set("a", "mine")
            with pytest.raises(WatchError):
                await pipe.execute()
            assert await redis.get("a") == b"other"

    passes(scenario)


def test_commands_that_wait_are_served_in_their_order_and_end_by_their_time() -> None:
    async def scenario(world: World) -> None:
        world.redis()
        got: list[object] = []

        async def pops(name: str) -> None:
            async with client() as redis:
                got.append((name, await redis.blpop(["l", "m"], timeout=5)))

        async def reads() -> None:
            async with client(protocol=2) as redis:
                got.append(await redis.xread({"x": "$"}, block=4000))
                got.append(await redis.xread({"x": "$"}, block=1000))

        tasks = []
        for name in ("one", "two", "three"):
            tasks.append(world.host(name).run(pops(name)))
            await asyncio.sleep(0.1)
        tasks.append(world.host("four").run(reads()))
        await asyncio.sleep(0.5)
        async with client() as redis:
            await redis.rpush("m", "a", "b")
            await redis.xadd("x", {"k": "v"}, id="1-1")
        await asyncio.gather(*tasks)
        assert got == [
            ("one", (b"m", b"a")),
            ("two", (b"m", b"b")),
            [[b"x", [(b"1-1", {b"k": b"v"})]]],
            [],
            ("three", None),
        ]
        assert 5 < world.now_s < 5.5

    passes(scenario)


def test_a_move_that_waits_is_served_by_what_another_move_brings_and_ends_by_its_time() -> None:
    async def scenario(world: World) -> None:
        world.redis()

        async def moves(source: str, target: str) -> object:
            async with client() as redis:
                return await redis.blmove(source, target, 2)

        second = world.host("two").run(moves("b", "c"))
        await asyncio.sleep(0.1)
        first = world.host("one").run(moves("a", "b"))
        await asyncio.sleep(0.1)
        async with client() as redis:
            await redis.rpush("a", "x")
            assert await asyncio.gather(first, second) == [b"x", b"x"]
            assert await redis.lrange("c", 0, -1) == [b"x"]
            began_s = world.now_s
            assert await redis.blmove("a", "b", 2) is None
            assert 2 <= world.now_s - began_s < 2.1

    passes(scenario)


def test_beyond_maxmemory_only_what_frees_is_carried_out() -> None:
    async def scenario(world: World) -> None:
        world.redis(maxmemory_bytes=1000)
        async with client() as redis:
            await redis.set("a", bytes(600))
            await redis.rpush("l", bytes(600))
            with pytest.raises(OutOfMemoryError):
                await redis.set("b", "1")
            async with redis.pipeline() as pipe:
                with pytest.raises(ResponseError, match="maxmemory"):
                    await pipe.get("a").set("b", "1").execute()
            assert await redis.get("b") is None
            assert await redis.lpop("l") == bytes(600)
            assert await redis.set("b", "1")

    passes(scenario)


def test_a_script_is_the_function_that_was_given_in_its_place() -> None:
    text = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"

    def release(call: Callable[..., Any], keys: list[bytes], arguments: list[bytes]) -> Any:
        return call("DEL", keys[0]) if call("GET", keys[0]) == arguments[0] else 0

    async def scenario(world: World) -> None:
        world.redis().script(text, release)
        async with client() as redis:
            await redis.set("lock", "me")
            script = redis.register_script(text)
            assert (await script(["lock"], ["you"]), await script(["lock"], ["me"])) == (0, 1)
            assert await redis.get("lock") is None
            with pytest.raises(ResponseError, match="runs no Lua"):
                await redis.eval("return 1", 0)

    passes(scenario)


def test_a_script_is_one_step_for_those_who_wait() -> None:
    def adds(call: Callable[..., Any], keys: list[bytes], arguments: list[bytes]) -> Any:
        call("XADD", keys[0], "*", "k", "v")
        return call("XPENDING", keys[0], "group")[0]

    async def scenario(world: World) -> None:
        world.redis().script("adds", adds)

        async def reads(name: str) -> Any:
            async with client(protocol=2) as redis:
                return await redis.xreadgroup("group", name, {"x": ">"}, block=1000)

        async with client() as redis:
            await redis.xgroup_create("x", "group", "0", mkstream=True)
            # Two wait, and a read that finds nothing wakes neither.
            tasks = [world.host(name).run(reads(name)) for name in ("one", "two")]
            await asyncio.sleep(0.1)
            assert await redis.eval("adds", 1, "x") == 0
            first, second = await asyncio.gather(*tasks)
            assert [fields for _, fields in first[0][1]] == [{b"k": b"v"}]
            assert second == []
            assert (await redis.xpending("x", "group"))["pending"] == 1

    passes(scenario)


def test_a_script_is_one_record_of_the_file() -> None:
    def writes(call: Callable[..., Any], keys: list[bytes], arguments: list[bytes]) -> Any:
        for key in keys:
            call("SET", key, "1")
            call("GET", key)
        return len(keys)

    async def scenario(world: World) -> None:
        server = world.redis(fsync="always")
        server.script("writes", writes)
        async with client() as redis:
            assert await redis.eval("writes", 2, "a", "b") == 2
            assert await redis.eval("writes", 0) == 0
        file = AppendOnlyFile(server.disk.open(APPEND_ONLY_FILE), "always", lambda wait_ns, call: None)
        [(_, commands)] = file.records()
        assert commands == [(b"MULTI",), (b"SET", b"a", b"1"), (b"SET", b"b", b"1"), (b"EXEC",)]

    passes(scenario)


def test_a_script_that_has_written_is_not_stopped_by_maxmemory() -> None:
    def moves(call: Callable[..., Any], keys: list[bytes], arguments: list[bytes]) -> Any:
        call("DEL", keys[0])
        return call("SET", keys[1], "1")

    async def scenario(world: World) -> None:
        world.redis(maxmemory_bytes=1000).script("moves", moves)
        async with client() as redis:
            await redis.set("a", bytes(600))
            await redis.set("b", bytes(600))
            with pytest.raises(OutOfMemoryError):
                await redis.set("c", "1")
            assert await redis.eval("moves", 2, "none", "c") == b"OK"
            assert await redis.get("c") == b"1"

    passes(scenario)


def test_a_lock_of_redis_py_works_with_its_scripts() -> None:
    async def scenario(world: World) -> None:
        world.redis()
        async with client() as redis:
            lock = redis.lock("lock", timeout=1)
            assert await lock.acquire(blocking=False)
            assert not await redis.lock("lock", timeout=1).acquire(blocking=False)
            await lock.extend(1)
            assert 1000 < await redis.pttl("lock") <= 2000
            await lock.extend(5, replace_ttl=True)
            assert 4000 < await redis.pttl("lock") <= 5000
            await lock.reacquire()
            assert 0 < await redis.pttl("lock") <= 1000
            await lock.release()
            assert await redis.get("lock") is None
            assert await lock.acquire(blocking=False)
            await asyncio.sleep(2)
            with pytest.raises(LockNotOwnedError):
                await lock.release()

    passes(scenario)


# ── Disks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def counted(redis: Redis, times: int) -> int:
    for _ in range(times):
        await redis.incr("n")
        await asyncio.sleep(0.01)
    return times


async def after_restart(world: World, down_s: float) -> int:
    await asyncio.sleep(down_s + 1)
    async with client() as redis:
        return int(await redis.get("n") or 0)


def left_by(fsync: str | None, fault: str, seed: int) -> int:
    """How many of 300 acknowledged increments are there after a fault and a restart."""
    found: list[int] = []

    async def scenario(world: World) -> None:
        world.redis(fsync=fsync)
        async with client(retry=None) as redis:
            await counted(redis, 300)
        if fault == "power_cut":
            world.faults.power_cut("redis", 0.5)
        else:
            world.faults.kill("redis", 0.5)
        found.append(await after_restart(world, 0.5))

    passes(scenario, seed)
    return found[0]


def test_a_power_cut_takes_what_was_not_synced_and_a_kill_takes_nothing() -> None:
    assert {left_by("always", "power_cut", seed) for seed in range(5)} == {300}
    everysec = {left_by("everysec", "power_cut", seed) for seed in range(10)}
    assert min(everysec) < 300
    # A second of increments, at most, and what the network takes.
    assert min(everysec) > 100
    assert {left_by("no", "kill", seed) for seed in range(3)} == {300}
    assert {left_by("no", "power_cut", seed) for seed in range(10)} > {0, 300}
    assert left_by(None, "kill", 0) == 0


def test_a_record_that_is_not_whole_is_cut_off_and_a_transaction_is_one_record() -> None:
    disk = Disk()
    file = AppendOnlyFile(disk.open(APPEND_ONLY_FILE), "always", lambda wait_ns, call: None)
    single = [(b"SET", b"a", b"1")]
    whole = [(b"MULTI",), (b"INCR", b"n"), (b"SET", b"b", b""), (b"EXEC",)]
    for commands in (single, whole):
        file.log(commands, 5_000_000)
    assert file.write()
    data = disk.open(APPEND_ONLY_FILE).read()
    ends = set()
    for size in range(len(data) + 1):
        cut = Disk()
        cut.open("f").append(data[:size])
        again = AppendOnlyFile(cut.open("f"), "always", lambda wait_ns, call: None)
        records = [*again.records()]
        assert records == [(5_000_000, single), (5_000_000, whole)][: len(records)]
        ends.add((len(cut.open("f")), len(records)))
    assert sorted(each[1] for each in ends) == [0, 1, 2]


def test_a_transaction_survives_whole_or_not_at_all() -> None:
    seen = set()

    async def scenario(world: World) -> None:
        world.redis(fsync="no")
        async with client(retry=None) as redis:
            async with redis.pipeline() as pipe:
                await pipe.set("a", "1").set("n", "2").execute()
        world.faults.power_cut("redis", 0.5)
        await asyncio.sleep(1)
        async with client() as redis:
            seen.add(tuple(await redis.mget("a", "n")))

    for seed in range(30):
        passes(scenario, seed)
    assert seen == {(None, None), (b"1", b"2")}


def test_a_full_disk_refuses_writes_until_there_is_room() -> None:
    async def scenario(world: World) -> None:
        world.redis(fsync="everysec")
        async with client(retry=None) as redis:
            await redis.set("a", "1")
            world.faults.disk_full("redis", 5)
            await redis.set("b", "1")  # Acknowledged: Redis finds the error when it writes.
            with pytest.raises(ResponseError, match="MISCONF"):
                await redis.set("c", "1")
            with pytest.raises(ResponseError, match="MISCONF"):
                await redis.ping()
            assert await redis.get("a") == b"1"
            await asyncio.sleep(6)
            await redis.set("c", "1")
            world.faults.kill("redis", 0.5)
        await asyncio.sleep(1)
        async with client() as redis:
            assert await redis.mget("a", "b", "c") == [b"1"] * 3

    passes(scenario)


def test_a_server_that_must_sync_ends_on_a_full_disk_before_it_answers() -> None:
    async def scenario(world: World) -> None:
        server = world.redis(fsync="always")
        async with client(retry=None) as redis:
            await redis.set("a", "1")
            world.faults.disk_full("redis", 5)
            with pytest.raises(ConnectionError):
                await redis.set("b", "1")
        assert not server.runs
        await asyncio.sleep(6)
        server.start()
        async with client() as redis:
            assert await redis.mget("a", "b") == [b"1", None]

    passes(scenario)
