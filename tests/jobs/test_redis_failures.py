"""The queues on Redis when Redis refuses, is silent, dies or forgets: one sentence each, and what works afterwards."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import hiredis
import pytest
from real_servers import RealServer, free_port

from loadgen.jobs.job import NewJob, Settlement, State, Succeeded, TryAgain
from loadgen.jobs.redis.connection import Connection
from loadgen.jobs.redis.lists import Lists
from loadgen.jobs.redis.storage import RedisStorage
from loadgen.jobs.redis.streams import Streams
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import RedisUrl

R = TypeVar("R")

LONG_NS = 60_000_000_000
KINDS = [Streams, Lists]


@pytest.fixture(scope="module")
def redis() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


@pytest.fixture
def url(redis: RealServer) -> RedisUrl:
    redis.client().flushall()
    return RedisUrl(redis.host, redis.port)


@asynccontextmanager
async def opened(kind: type[Streams | Lists], url: RedisUrl, **options: Any) -> AsyncIterator[RedisStorage]:
    storage = kind(url, "q", lease_ns=LONG_NS, **options)
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


Answer = Callable[[list[bytes]], bytes | None]
"""Returns the reply to a command; None to close the connection."""


@asynccontextmanager
async def scripted(answer: Answer) -> AsyncIterator[RedisUrl]:
    """A server whose replies are those of a function."""

    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        parser = hiredis.Reader()
        while data := await reader.read(1 << 16):
            parser.feed(data)
            while (command := parser.gets()) is not False:
                reply = answer(command)
                if reply is None:
                    writer.close()
                    return
                writer.write(reply)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield RedisUrl("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        await server.wait_closed()


async def failure_of(call: Awaitable[object]) -> StorageError:
    with pytest.raises(StorageError) as caught:
        await call
    assert str(caught.value).endswith((".", "?"))
    assert "\n" not in str(caught.value)
    return caught.value


async def answered(call: Callable[[], Awaitable[R]]) -> R:
    """Make a call until it does not fail."""
    while True:
        try:
            return await call()
        except StorageError as error:
            if not error.is_passing:
                raise
            await asyncio.sleep(0.02)


# ── Failures by their sentence ────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_is_not_there_refuses_connections() -> None:
    async def tried() -> None:
        error = await failure_of(Streams(RedisUrl("127.0.0.1", free_port()), "q", lease_ns=LONG_NS).open())
        assert "refuses connections: is redis-server running there?" in str(error)
        assert error.is_passing

    asyncio.run(tried())


def test_a_host_without_an_address_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def tried() -> None:
        monkeypatch.setattr(asyncio, "open_connection", unknown)
        error = await failure_of(Streams(RedisUrl("nowhere", 6379), "q", lease_ns=LONG_NS).open())
        assert str(error) == "redis://nowhere:6379/0 has no address: Name or service not known."
        assert not error.is_passing

    asyncio.run(tried())


@pytest.mark.parametrize(
    ("reply", "words", "is_passing"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "is still loading its data", True),
        (b"-MISCONF Errors writing to the AOF file: No space left on device\r\n", "cannot write to its disk", True),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "has reached its maxmemory", True),
        (b"-ERR Error running script (call to f_1): @user_script:1: -OOM command\r\n", "reached its maxmemory", True),
        (b"-READONLY You can't write against a read only replica.\r\n", "is a replica and takes no writes", True),
        (b"-ERR max number of clients reached\r\n", "has as many connections as it takes", True),
        (b"-NOAUTH Authentication required.\r\n", "asks for a password", False),
        (b"-WRONGPASS invalid username-password pair or user is disabled.\r\n", "does not know this user", False),
        (b"-WRONGTYPE Operation against a key\r\n", "choose another name", False),
        (b"-MOVED 3999 127.0.0.1:6381\r\n", "clusters are not supported", False),
        (b"-ERR unknown command 'XAUTOCLAIM'\r\n", "Redis 6.2 or newer is needed", False),
        (b"-ERR something else\r\n", "answered with an error: ERR something else", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answers with what is no RESP", False),
        (None, "closed the connection", True),
        (b"", "did not answer within 0.05 s", True),
        (b"+PONG\r\n+PONG\r\n", "said without being asked", True),
    ],
)
def test_each_failure_has_a_sentence(reply: bytes | None, words: str, is_passing: bool) -> None:
    async def tried() -> None:
        async with scripted(lambda command: reply) as url:
            storage = Streams(url, "q", lease_ns=LONG_NS, timeout_s=0.05)
            try:
                # What nobody asked for is noticed by the call that follows.
                error = await failure_of(calls(storage))
            finally:
                await storage.close()
            assert words in str(error)
            assert str(url) in str(error)
            assert error.is_passing == is_passing

    async def calls(storage: RedisStorage) -> None:
        await storage.open()
        await asyncio.sleep(0.01)
        await storage.cancel("job")

    asyncio.run(tried())


def test_a_connection_logs_in_and_chooses_its_database() -> None:
    commands = []

    def answer(command: list[bytes]) -> bytes:
        commands.append(command)
        return b"+OK\r\n"

    async def tried() -> None:
        async with scripted(answer) as url:
            for user in ("", "me"):
                connection = await Connection.open(RedisUrl(url.host, url.port, 3, user, "secret"), 5.0)
                await connection.close()

    asyncio.run(tried())
    rest = [[b"SELECT", b"3"], [b"PING"]]
    assert commands == [[b"AUTH", b"secret"], *rest, [b"AUTH", b"me", b"secret"], *rest]


# ── Many tasks on one connection ──────────────────────────────────────────────────────────────────────────────────────


def test_replies_go_to_those_who_asked_also_after_one_was_cancelled(url: RedisUrl) -> None:
    async def tried() -> None:
        connection = await Connection.open(url, 5.0)

        async def echoed(n: int) -> list[Any]:
            return await connection.exchange([("ECHO", f"{n}-{k}") for k in range(n % 4 + 1)], 5.0)

        tasks = [asyncio.create_task(echoed(n)) for n in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for n, answer in enumerate(answers):
            if n % 3 == 0:
                assert isinstance(answer, asyncio.CancelledError)
            else:
                assert answer == [b"%d-%d" % (n, k) for k in range(n % 4 + 1)]
        assert connection.is_open
        await connection.close()
        assert "was closed" in str(await failure_of(echoed(1)))

    asyncio.run(tried())


# ── A server that dies, forgets or is full ────────────────────────────────────────────────────────────────────────────


def test_a_queue_goes_on_when_its_server_is_started_again() -> None:
    async def tried(server: RealServer) -> None:
        url = RedisUrl(server.host, server.port)
        async with opened(Streams, url) as streams, opened(Lists, RedisUrl(url.host, url.port, 1)) as lists:
            for storage in (streams, lists):
                await storage.publish([NewJob("kept", "work", b""), NewJob("taken", "work", b"")])
            claims = [(await storage.claim("w", 1, 0.0))[0] for storage in (streams, lists)]
            claims += [(await storage.claim("w", 1, 0.0))[0] for storage in (streams, lists)]
            waiting = [asyncio.create_task(storage.claim("w", 1, 30.0)) for storage in (streams, lists)]
            await asyncio.sleep(0.02)
            server.kill()
            for task in waiting:
                assert (await failure_of(task)).is_passing
            for storage in (streams, lists):
                assert "refuses connections" in str(await failure_of(storage.publish([NewJob("n", "work", b"")])))
            server.start()
            for storage in (streams, lists):
                await answered(storage.inspect)
            # The server knows no script any more, and has what it had: its file was synced before each answer.
            for n, storage in enumerate((streams, lists)):
                assert await storage.renew("w", claims[n::2]) == [True, True]
                assert (
                    await storage.settle("w", [Settlement(each, Succeeded(b"1")) for each in claims[n::2]])
                    == [True] * 2
                )
                await storage.publish([NewJob("after", "work", b"")])
                assert [claim.id for claim in await storage.claim("w", 5, 5.0)] == ["after"]

    with RealServer.redis("--appendonly", "yes", "--appendfsync", "always") as server:
        asyncio.run(tried(server))


@pytest.mark.parametrize("kind", KINDS)
def test_a_claim_that_waits_survives_that_the_server_forgets_everything(
    kind: type[Streams | Lists], url: RedisUrl, redis: RealServer
) -> None:
    async def tried() -> None:
        async with opened(kind, url) as storage:
            waiting = asyncio.create_task(storage.claim("w", 1, 30.0))
            await asyncio.sleep(0.02)
            redis.client().flushall()
            redis.client().script_flush()
            await asyncio.sleep(0.02)
            await storage.publish([NewJob("after", "work", b"")])
            assert [claim.id for claim in await waiting] == ["after"]

    asyncio.run(tried())


def test_a_group_that_was_lost_is_made_again_and_loses_no_job(url: RedisUrl, redis: RealServer) -> None:
    async def tried() -> None:
        async with opened(Streams, url) as storage:
            await storage.publish([NewJob(f"{n}", "work", b"") for n in range(3)])
            [first] = await storage.claim("a", 1, 0.0)
            redis.client().execute_command("XGROUP", "DESTROY", "loadgen:{q}:queue", "workers")
            assert (await storage.sweep("b", 0)).reclaimed == ()
            redis.client().execute_command("XGROUP", "DESTROY", "loadgen:{q}:queue", "workers")
            # The job that was claimed has no lease now, and is claimed again; its first worker is refused.
            claims = await storage.claim("b", 5, 5.0)
            assert sorted(claim.id for claim in claims) == ["0", "1", "2"]
            assert await storage.settle("a", [Settlement(first, Succeeded(b""))]) == [False]
            assert await storage.settle("b", [Settlement(claim, Succeeded(b"")) for claim in claims]) == [True] * 3
            assert (await storage.inspect()).facts["stream_length"] == 0

    asyncio.run(tried())


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_server_takes_no_jobs_but_can_be_worked_off(
    kind: type[Streams | Lists], url: RedisUrl, redis: RealServer
) -> None:
    async def tried() -> None:
        async with opened(kind, url) as storage:
            await storage.publish([NewJob(f"{n}", "work", b"") for n in range(4)])
            redis.client().config_set("maxmemory", "1")
            try:
                assert "maxmemory" in str(await failure_of(storage.publish([NewJob("x", "work", b"")])))
                claims = await storage.claim("w", 4, 0.0)
                assert len(claims) == 4
                assert await storage.renew("w", claims) == [True] * 4
                endings = [Succeeded(b"1"), TryAgain("no", 0), Succeeded(b"2"), TryAgain("no", 60_000)]
                settlements = [Settlement(claim, end) for claim, end in zip(claims, endings, strict=True)]
                assert await storage.settle("w", settlements) == [True] * 4
                assert await storage.claim("w", 4, 0.0) != []
                assert await storage.claim("w", 4, 0.02) == []
                await storage.sweep("w", 1)
                assert await storage.cancel(claims[3].id)
            finally:
                redis.client().config_set("maxmemory", "0")
            counts = {state: count for state, count in (await storage.inspect()).counts.items() if count}
            assert counts == {State.SUCCESS: 2, State.RUNNING: 1, State.CANCELLED: 1}

    asyncio.run(tried())


def test_a_replica_takes_no_writes(url: RedisUrl, redis: RealServer) -> None:
    async def tried() -> None:
        async with opened(Streams, url) as storage:
            redis.client().replicaof("127.0.0.1", str(free_port()))
            try:
                error = await failure_of(storage.publish([NewJob("x", "work", b"")]))
            finally:
                redis.client().replicaof("NO", "ONE")
            assert "is a replica and takes no writes" in str(error)
            assert error.is_passing
            await storage.publish([NewJob("x", "work", b"")])

    asyncio.run(tried())


def test_a_storage_connects_again_after_a_deadline(url: RedisUrl, redis: RealServer) -> None:
    async def tried() -> None:
        async with opened(Streams, url, timeout_s=0.1) as storage:
            redis.client().execute_command("CLIENT", "PAUSE", 300)
            assert "did not answer within 0.1 s" in str(await failure_of(storage.publish([NewJob("x", "work", b"")])))
            [published] = await answered(lambda: storage.publish([NewJob("x", "work", b"")]))
            assert published.id == "x"
            assert [claim.id for claim in await storage.claim("w", 5, 0.0)] == ["x"]
            assert await storage.claim("w", 5, 0.0) == []

    asyncio.run(tried())
