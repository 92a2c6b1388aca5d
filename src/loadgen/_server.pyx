"""The built-in server: a small RESP or memcache server for runs without setup, for self-tests and for planted trouble.

    server = Server(port=0, protocol="resp", max_memory_bytes=256 << 20)
    await server.start()
    ... server.port ...
    await server.stop()

It runs on uvloop or on asyncio's own loop. Its parts: `_store` keeps the items, `_server_connection` moves bytes,
`_server_resp` speaks RESP, `_server_redis` and `_server_memcache` know the commands.
"""

import asyncio
import socket

from loadgen._server_connection cimport Service
from loadgen._server_memcache cimport MemcacheConnection
from loadgen._server_redis cimport RedisConnection

from loadgen._store import EVICTION_POLICIES, ITEM_OVERHEAD_BYTES, Store

__all__ = ["DEFAULT_MAX_MEMORY_BYTES", "EVICTION_POLICIES", "MEMCACHE_MAX_ITEM_BYTES", "Server"]

DEFAULT_MAX_MEMORY_BYTES = 256 << 20
MEMCACHE_MAX_ITEM_BYTES = 1 << 20
# Thousands of connections at a run's start must not wait for repeated SYNs; the kernel cuts it to its own bound.
BACKLOG = 8192


# asyncio's own loop knows a buffered protocol by its class, uvloop by its methods.
class _RespProtocol(RedisConnection, asyncio.BufferedProtocol):
    __slots__ = ()


class _MemcacheProtocol(MemcacheConnection, asyncio.BufferedProtocol):
    __slots__ = ()


_PROTOCOLS = {"resp": _RespProtocol, "memcache": _MemcacheProtocol}


class Server:
    """One listening socket, its connections, and what they share. `host` and `port` say where it listens, once started.

    `max_memory_bytes` bounds the items (`_store` says how they are counted), `eviction` is one of EVICTION_POLICIES.
    `max_item_bytes` bounds one item: for memcache it is counted as memcached counts it, 1 MiB unless given; for RESP a
    value may take what the memory allows, up to the protocol's 512 MiB.
    `version` is what the server calls itself. Port 0 takes a free one.
    """

    def __init__(
        self, host="127.0.0.1", port=0, protocol="resp", *, max_memory_bytes=DEFAULT_MAX_MEMORY_BYTES,
        eviction="lru", max_item_bytes=None, version="",
    ):
        if protocol not in _PROTOCOLS:
            raise ValueError(f"protocol must be resp or memcache, not {protocol!r}")
        if max_item_bytes is None:
            fits_in_memory = max_memory_bytes - ITEM_OVERHEAD_BYTES
            max_item_bytes = MEMCACHE_MAX_ITEM_BYTES if protocol == "memcache" else fits_in_memory
        self.host = host
        self.port = port
        self.protocol = protocol
        self.store = Store(max_memory_bytes, eviction)
        self._service = Service(self.store, max_item_bytes, version, self.ask_to_stop)
        self._listener = None
        self._asked_to_stop = asyncio.Event()

    async def start(self):
        """Listens on the first address that `host` resolves to; raises OSError when it cannot."""
        loop = asyncio.get_running_loop()
        connection = _PROTOCOLS[self.protocol]
        service = self._service
        listener = await _listen(loop, self.host, self.port)
        self.host, self.port = listener.getsockname()[:2]
        service.listening_on(self.host, self.port)
        self._listener = await loop.create_server(lambda: connection(service), sock=listener, backlog=BACKLOG)

    def ask_to_stop(self):
        """Makes `asked_to_stop` return; a client's SHUTDOWN does the same."""
        self._asked_to_stop.set()

    async def asked_to_stop(self):
        await self._asked_to_stop.wait()

    async def stop(self):
        """Stops listening and closes every connection, whatever it still has to say."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for connection in list(self._service.connections):
            connection.abort()
        await listener.wait_closed()


async def _listen(loop, host, port):
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, number, _, address = addresses[0]
    listener = socket.socket(family, kind, number)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
