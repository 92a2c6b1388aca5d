"""One connection to a Redis server: commands go out together, and replies are matched to them in their order.

The connection knows asyncio and RESP2; it knows no job, and never connects by itself again. Whatever fails is a
StorageError with one sentence.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import hiredis

from loadgen.escape import printable
from loadgen.jobs.redis.command import Command, Refused, Reply
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import RedisUrl

_PASSING = {
    "LOADING": "is still loading its data from disk",
    "MISCONF": "takes no writes, as it cannot write to its disk: make room there, or see its log",
    "OOM": "takes nothing more, as it has reached its maxmemory: raise that, or let the queue drain",
    "READONLY": "is a replica and takes no writes: name the primary",
    "MASTERDOWN": "is a replica without its primary",
    "CLUSTERDOWN": "is part of a cluster that is down",
    "BUSY": "is busy with a script of another",
    "TRYAGAIN": "is moving keys to another node",
}
_LASTING = {
    "NOAUTH": "asks for a password: write redis://:PASSWORD@HOST:PORT/DB",
    "WRONGPASS": "does not know this user and password",
    "NOPERM": "does not permit its user what a queue needs",
    "MOVED": "is a node of a cluster that has the queue on another node: clusters are not supported",
    "WRONGTYPE": "has keys of something else under the queue's name: choose another name",
    "NOPROTO": "speaks another protocol",
}


def failure(url: RedisUrl, error: Refused) -> StorageError:
    """Return what the error reply of a server means for whoever uses it."""
    words = error.words
    # Redis 6 has the error of a command of a script inside one of its own: "ERR Error running script …: -OOM …".
    codes = [words.partition(" ")[0], *(word[1:] for word in words.split(" ") if word.startswith("-"))]
    for code in codes:
        if code in _PASSING:
            return StorageError(f"{url} {_PASSING[code]}.")
        if code in _LASTING:
            return StorageError(f"{url} {_LASTING[code]}.", is_passing=False)
    if "max number of clients" in words:
        return StorageError(f"{url} has as many connections as it takes: raise its maxclients.")
    if "unknown command" in words.lower() or "unknown redis command" in words.lower():
        return StorageError(f"{url} is too old: Redis 6.2 or newer is needed ({printable(words)}).", is_passing=False)
    return StorageError(f"{url} answered with an error: {printable(words)}.", is_passing=False)


_pack: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment]


class _Exchange:
    """Commands that were sent, and the replies so far."""

    __slots__ = ("count", "done", "replies")

    def __init__(self, count: int, done: asyncio.Future[list[Reply]]) -> None:
        self.count = count
        self.replies: list[Reply] = []
        self.done = done


class Connection:
    """An open connection, which any number of tasks may use at once."""

    def __init__(self, url: RedisUrl, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._url = url
        self._reader = reader
        self._writer = writer
        self._parser = hiredis.Reader(replyError=Refused)
        self._exchanges: deque[_Exchange] = deque()
        self._failure: StorageError | None = None
        self._receiving = asyncio.create_task(self._receive())

    @classmethod
    async def open(cls, url: RedisUrl, timeout_s: float) -> Connection:
        """Connect, log in and choose the database. Raises StorageError."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(url.host, url.port)
        except TimeoutError:
            raise StorageError(f"{url} did not take a connection within {timeout_s:g} s.") from None
        except socket.gaierror as error:
            lasts = error.errno == socket.EAI_NONAME
            raise StorageError(f"{url} has no address: {error.strerror}.", is_passing=not lasts) from None
        except ConnectionRefusedError:
            raise StorageError(f"{url} refuses connections: is redis-server running there?") from None
        except OSError as error:
            raise StorageError(f"{url} cannot be reached: {error.strerror or error}.") from None
        connection = cls(url, reader, writer)
        try:
            await connection._introduce(timeout_s)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _introduce(self, timeout_s: float) -> None:
        url = self._url
        commands: list[Command] = []
        if url.password:
            commands.append(("AUTH", *([url.user] if url.user else []), url.password))
        if url.database:
            commands.append(("SELECT", url.database))
        commands.append(("PING",))
        for reply in await self.exchange(commands, timeout_s):
            if isinstance(reply, Refused):
                raise failure(url, reply)

    @property
    def is_open(self) -> bool:
        return self._failure is None

    async def exchange(self, commands: Sequence[Command], timeout_s: float) -> list[Reply]:
        """Send commands, and return their replies. Raises StorageError where they do not come in time.

        A connection whose replies did not come in time is closed, as later ones would be taken for those. A task that
        is cancelled meanwhile leaves the connection in order: its replies are left out when they come.
        """
        if self._failure is not None:
            raise _again(self._failure)
        exchange = _Exchange(len(commands), asyncio.get_running_loop().create_future())
        self._exchanges.append(exchange)
        self._writer.write(b"".join([_pack(command) for command in commands]))
        try:
            async with asyncio.timeout(timeout_s):
                return await exchange.done
        except TimeoutError:
            late = StorageError(f"{self._url} did not answer within {timeout_s:g} s.")
            self._end(late)
            raise late from None

    async def _receive(self) -> None:
        try:
            while data := await self._reader.read(1 << 16):
                self._parser.feed(data)
                while (reply := self._parser.gets()) is not False:
                    self._take(reply)
            ending = StorageError(f"{self._url} closed the connection.")
        except hiredis.ProtocolError:
            ending = StorageError(f"{self._url} answers with what is no RESP: is it a Redis server?", is_passing=False)
        except OSError as error:
            ending = StorageError(f"{self._url} broke off the connection: {error.strerror or error}.")
        self._end(ending)

    def _take(self, reply: Reply) -> None:
        if not self._exchanges:
            # The server ends a connection with such an error, as when it has too many.
            words = reply.words if isinstance(reply, Refused) else repr(reply)
            self._end(StorageError(f"{self._url} said without being asked: {printable(words)}."))
            return
        exchange = self._exchanges[0]
        exchange.replies.append(reply)
        if len(exchange.replies) == exchange.count:
            self._exchanges.popleft()
            if not exchange.done.done():
                exchange.done.set_result(exchange.replies)

    def _end(self, why: StorageError) -> None:
        if self._failure is None:
            self._failure = why
            self._writer.close()
            self._receiving.cancel()
        while self._exchanges:
            done = self._exchanges.popleft().done
            if not done.done():
                done.set_exception(_again(self._failure))

    async def close(self) -> None:
        """Close the connection; what waits for replies fails."""
        self._end(StorageError(f"The connection to {self._url} was closed."))
        with suppress(asyncio.CancelledError):
            await self._receiving
        with suppress(OSError):
            await self._writer.wait_closed()


def _again(error: StorageError) -> StorageError:
    """Return an error for one more task: each that raises an exception writes to it."""
    return StorageError(str(error), is_passing=error.is_passing)
