"""The client's machines in a world of their own: virtual time, model servers, and a network with delays.

    world = World(nodes=3, timeout_s=0.2)
    call = world.get("key")
    world.nodes[0].hang()
    world.run(1.0)

Nothing here waits, opens a socket or reads a clock, and the same calls have the same history each time.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from typing import Any, Unpack

from loadgen.client import assembly
from loadgen.client._actions import Actions, Changed, Close, Closed, Dial, Ended, Send
from loadgen.client._connection import Connection
from loadgen.client._request import Request
from loadgen.client.batch import Batch
from loadgen.client.breaker import Transition
from loadgen.client.errors import CacheError
from loadgen.client.options import Keywords, Options
from loadgen.client.stats import NodeStats

NS_PER_S = 1_000_000_000
TRIP_NS = 100_000
"""The time of one way over the network."""


class Call:
    """A call of a user: when it began and ended, and how."""

    def __init__(self, request: Request | Batch, began_ns: int) -> None:
        self.request = request
        self.began_ns = began_ns
        self.ended_ns: int | None = None
        request.owner = self

    @property
    def took_s(self) -> float:
        assert self.ended_ns is not None, "the call has not ended"
        return (self.ended_ns - self.began_ns) / NS_PER_S

    @property
    def error(self) -> CacheError | None:
        assert isinstance(self.request, Request)
        return self.request.error

    @property
    def reply(self) -> Any:
        assert self.ended_ns is not None, "the call has not ended"
        assert isinstance(self.request, Request)
        assert self.request.error is None, repr(self.request.error)
        return self.request.reply

    @property
    def ended_as(self) -> str:
        """The name of the error's type, `ok`, or `open` for a call that has not ended."""
        if self.ended_ns is None:
            return "open"
        return type(self.error).__name__ if self.error else "ok"


class Server:
    """A memcached of text commands, which can hang, die, refuse or be slow."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.items: dict[bytes, bytes] = {}
        self.connections: set[Connection] = set()
        self.executed: list[bytes] = []
        """The first line of each command that was carried out."""
        self.delay_s = 0.0
        self.refuses = False
        self.silent_to_dials = False
        self._hangs = False
        self._waiting: list[tuple[Connection, bytes]] = []
        self._replied_ns: dict[Connection, int] = {}

    def hang(self) -> None:
        """Carry out nothing until `resume`, as after SIGSTOP: dials succeed, and commands wait in the buffers."""
        self._hangs = True

    def resume(self) -> None:
        self._hangs = False
        waiting, self._waiting = self._waiting, []
        for connection, data in waiting:
            self.receive(connection, data)

    def kill(self) -> None:
        """End every connection, forget every item, and refuse dials until `start`."""
        self.refuses, self.items = True, {}
        for connection in [*self.connections]:
            self.connections.discard(connection)
            self._world.after(TRIP_NS, lambda c=connection: self._world.on_close(c))

    def start(self) -> None:
        self.refuses = False

    def receive(self, connection: Connection, data: bytes) -> None:
        if self._hangs:
            self._waiting.append((connection, data))
            return
        reply = b"".join(self._replies(data))
        # Replies of one connection keep their order, whatever the delay of each.
        at_ns = self._world.now_ns + TRIP_NS + round(self.delay_s * NS_PER_S)
        at_ns = self._replied_ns[connection] = max(at_ns, self._replied_ns.get(connection, 0))
        self._world.after(at_ns - self._world.now_ns, lambda: self._world.on_bytes(connection, reply))

    def _replies(self, data: bytes) -> Iterable[bytes]:
        while data:
            line, _, data = data.partition(b"\r\n")
            self.executed.append(line)
            verb, *words = line.split(b" ")
            if verb == b"set":
                length = int(words[3])
                self.items[words[0]], data = data[:length], data[length + 2 :]
                yield b"STORED\r\n"
            elif verb == b"get":
                there = [key for key in words if key in self.items]
                yield b"".join(b"VALUE %b 0 %d\r\n%b\r\n" % (k, len(self.items[k]), self.items[k]) for k in there)
                yield b"END\r\n"
            elif verb == b"delete":
                yield b"NOT_FOUND\r\n" if self.items.pop(words[0], None) is None else b"DELETED\r\n"
            elif verb == b"incr":
                if words[0] in self.items:
                    self.items[words[0]] = b"%d" % (int(self.items[words[0]]) + int(words[1]))
                yield self.items.get(words[0], b"NOT_FOUND") + b"\r\n"
            else:
                yield b"VERSION simulated\r\n"


class World:
    """A client's core, its servers, and the time."""

    def __init__(self, nodes: int = 1, **options: Unpack[Keywords]) -> None:
        self.now_ns = 0
        self.core = assembly.assembled([f"node{n}:11211" for n in range(nodes)], Options(**options), 0)
        self.nodes = [Server(self) for _ in range(nodes)]
        self.transitions: list[tuple[int, Transition]] = []
        self.dials: list[int] = []
        """The time of each dial."""
        self.closed_ns: int | None = None
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._happened = 0
        self._alive: set[Connection] = set()
        """The connections that the client has not closed."""

    # What users do.

    def call(self, request: Request | Batch) -> Call:
        call = Call(request, self.now_ns)
        self._do(self.core.begin(request, self.now_ns))
        return call

    def cancel(self, call: Call) -> None:
        self._do(self.core.cancel(call.request, self.now_ns))

    def get(self, key: str) -> Call:
        return self.call(self.core.protocol.get(key.encode()))

    def set(self, key: str, value: bytes) -> Call:
        return self.call(self.core.protocol.store("set", key.encode(), value, 0))

    def increment(self, key: str) -> Call:
        return self.call(self.core.protocol.increment(key.encode(), 1, None, 0))

    def delete_many(self, keys: Iterable[str]) -> Call:
        """A batch whose replies belong to keys by their position."""
        parts: dict[int, list[bytes]] = {}
        for key in keys:
            parts.setdefault(self.core.node_of(key.encode(), self.now_ns), []).append(key.encode())
        requests = []
        for node, part in parts.items():
            requests.append(self.core.protocol.delete_many(part))
            requests[-1].node = node
        return self.call(Batch(requests))

    def close(self) -> None:
        self._do(self.core.close(self.now_ns))

    def stats(self, node: int = 0) -> NodeStats:
        return self.core.stats(self.now_ns).nodes[node]

    # Time.

    def after(self, delay_ns: int, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_ns + delay_ns, next(self._numbers), happens))

    def run(self, seconds: float) -> None:
        """Let time pass, with all that is due in it."""
        until_ns = self.now_ns + round(seconds * NS_PER_S)
        while True:
            due_ns = self.core.next_ns()
            event_ns = self._events[0][0] if self._events else None
            earliest = min((time for time in (due_ns, event_ns) if time is not None), default=until_ns + 1)
            if earliest > until_ns:
                break
            self.now_ns = max(self.now_ns, earliest)
            if event_ns == earliest:
                heapq.heappop(self._events)[2]()
            else:
                self._do(self.core.on_time(self.now_ns))
            self._happened += 1
            if self._happened % 8 == 0:
                self.hold_invariants()
        self.now_ns = until_ns
        self.hold_invariants()

    def hold_invariants(self) -> None:
        """The pool's arithmetic holds, and agrees with the connections that there are."""
        for index in range(len(self.nodes)):
            pool = self.stats(index).pool
            assert pool.total == pool.constructing + pool.idle + pool.active <= pool.max_size
            assert pool.opened - pool.closed == pool.idle + pool.active
            assert sum(c.node == index for c in self._alive) == pool.total

    # The network.

    def _do(self, actions: Actions) -> None:
        for action in actions:
            match action:
                case Dial(connection):
                    self.dials.append(self.now_ns)
                    self._alive.add(connection)
                    self.after(2 * TRIP_NS, lambda c=connection: self._dialled(c))
                case Send(connection, data):
                    assert connection in self._alive, "bytes for a connection that is closed"
                    self.after(TRIP_NS, lambda c=connection, d=data: self._arrive(c, d))
                case Close(connection):
                    assert connection in self._alive, "a connection is closed twice"
                    self._alive.remove(connection)
                    self.nodes[connection.node].connections.discard(connection)
                case Ended(call):
                    assert call.owner.ended_ns is None, "a call ended twice"
                    call.owner.ended_ns = self.now_ns
                case Changed(node, transition):
                    self.transitions.append((node, transition))
                case Closed():
                    self.closed_ns = self.now_ns

    def _dialled(self, connection: Connection) -> None:
        server = self.nodes[connection.node]
        if connection not in self._alive or server.silent_to_dials:
            return
        if server.refuses:
            self._alive.remove(connection)
            self._do(self.core.on_refused(connection, "Connection refused", self.now_ns))
        else:
            server.connections.add(connection)
            self._do(self.core.on_open(connection, self.now_ns))

    def _arrive(self, connection: Connection, data: bytes) -> None:
        if connection in self.nodes[connection.node].connections:
            self.nodes[connection.node].receive(connection, data)

    def on_bytes(self, connection: Connection, data: bytes) -> None:
        # A reply on its way is lost with its connection.
        if connection in self.nodes[connection.node].connections:
            self._do(self.core.on_bytes(connection, data, self.now_ns))

    def on_close(self, connection: Connection) -> None:
        if connection in self._alive:
            # What the client does about it comes back as a Close of its own.
            self._do(self.core.on_close(connection, "the server closed it", self.now_ns))
