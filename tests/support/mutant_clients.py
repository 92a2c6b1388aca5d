"""A small memcache client with planted faults, for tests of what finds them. `make` is a factory for a trial.

Without a `mutant` the client is right: it closes a connection on which a reply is missing, and asks once. It knows one
node, and nothing of `loadgen`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

MUTANTS = (
    "reuses after a timeout",
    "off by one in a batch",
    "increments twice on a retry",
    "hangs in close",
    "raises in close",
    "leaks connections",
    "leaks threads",
    "has no deadline",
    "raises in stats",
    "blocks in stats",
)


class Client:
    """A client of threads."""

    version = "mutant 1"

    def __init__(self, nodes: Sequence[tuple[str, int]], timeout_s: float, mutant: str = "") -> None:
        if mutant and mutant not in MUTANTS:
            raise ValueError(f"no mutant {mutant}")
        self.node = nodes[0]
        self.timeout_s = None if mutant == "has no deadline" else timeout_s
        self.mutant = mutant
        self.free: list[socket.socket] = []
        if mutant == "leaks threads":
            threading.Thread(target=time.sleep, args=(3600,), name="leaked thread", daemon=True).start()

    def node_of(self, key: str) -> int:
        return 1

    def ask(self, request: bytes, *ends: bytes, timeout_s: float | None = None) -> bytes:
        connection = self.free.pop() if self.free else socket.create_connection(self.node, self.timeout_s)
        connection.settimeout(timeout_s or self.timeout_s)
        reply = b""
        try:
            connection.sendall(request)
            while not reply.endswith(ends):
                received = connection.recv(65536)
                if not received:
                    raise ConnectionResetError("the connection ended")
                reply += received
        except TimeoutError:
            if self.mutant == "reuses after a timeout":
                self.free.append(connection)
            else:
                connection.close()
            raise
        except OSError:
            connection.close()
            raise
        self.free.append(connection)
        return reply

    def values(self, keys: Sequence[str]) -> list[bytes]:
        """The values of a reply, in its order."""
        reply, values = self.ask(f"get {' '.join(keys)}\r\n".encode(), b"END\r\n"), []
        while reply.startswith(b"VALUE "):
            line, _, rest = reply.partition(b"\r\n")
            length = int(line.split()[3])
            values.append((line.split()[1].decode(), rest[:length]))
            reply = rest[length + 2 :]
        self.named = dict(values)
        return [value for _, value in values]

    def get(self, key: str) -> bytes | None:
        return next(iter(self.values([key])), None)

    def set(self, key: str, value: bytes, ttl_s: int) -> bool:
        return (
            self.ask(b"set %s 0 %d %d\r\n%s\r\n" % (key.encode(), ttl_s, len(value), value), b"\r\n") == b"STORED\r\n"
        )

    def delete(self, key: str) -> bool:
        return self.ask(b"delete %s\r\n" % key.encode(), b"\r\n") == b"DELETED\r\n"

    def increment(self, key: str, delta: int) -> int | None:
        request = b"incr %s %d\r\n" % (key.encode(), delta)
        try:
            reply = self.ask(request, b"\r\n")
        except TimeoutError:
            if self.mutant != "increments twice on a retry":
                raise
            reply = self.ask(request, b"\r\n", timeout_s=5)
        return None if reply == b"NOT_FOUND\r\n" else int(reply)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        values = self.values(keys)
        if self.mutant == "off by one in a batch":
            return dict(zip(keys[1:], values, strict=False))
        return dict(self.named)

    def close(self) -> None:
        match self.mutant:
            case "hangs in close":
                time.sleep(3600)
            case "raises in close":
                raise RuntimeError("no close today")
            case "leaks connections":
                return
        for connection in self.free:
            connection.close()


class WithStats(Client):
    def stats(self) -> dict[int, dict[str, int]]:
        match self.mutant:
            case "raises in stats":
                raise RuntimeError("no numbers today")
            case "blocks in stats":
                time.sleep(3600)
        return {1: {"total": len(self.free)}}


def make(nodes: Sequence[tuple[str, int]], timeout_s: float, mutant: str = "", stats: bool = False) -> Client:
    return (WithStats if stats else Client)(nodes, timeout_s, mutant)


class Tasks:
    """An asyncio client that keeps what it is told in memory; `mutant` says how it is wrong."""

    version = "in memory 1"

    def __init__(self, nodes: Any, timeout_s: float, mutant: str = "") -> None:
        self.held: dict[str, bytes] = {}
        self.mutant = mutant
        self.began = time.monotonic()
        self.background: set[asyncio.Task[None]] = set()

    async def get(self, key: str) -> bytes | None:
        match self.mutant:
            case "blocks the loop" if time.monotonic() > self.began + 0.5:
                time.sleep(3600)
            case "is cancelled":
                raise asyncio.CancelledError
            case "never returns":
                await asyncio.get_running_loop().create_future()
            case "leaks tasks":
                self.background.add(asyncio.create_task(asyncio.sleep(3600)))
        await asyncio.sleep(0)
        return self.held.get(key)

    async def set(self, key: str, value: bytes, ttl_s: int) -> None:
        self.held[key] = value

    async def delete(self, key: str) -> bool:
        return self.held.pop(key, None) is not None

    async def increment(self, key: str, delta: int) -> int | None:
        if key not in self.held:
            return None
        self.held[key] = b"%d" % (int(self.held[key]) + delta)
        return int(self.held[key])

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.held[key] for key in keys if key in self.held}

    async def close(self) -> None:
        if self.mutant == "hangs in close":
            await asyncio.sleep(3600)


async def make_later(nodes: Any, timeout_s: float) -> Tasks:
    await asyncio.sleep(0)
    return Tasks(nodes, timeout_s)


def refuse(nodes: Any, timeout_s: float) -> None:
    raise OSError("nothing to connect to")
