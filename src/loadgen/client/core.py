"""The whole client as a state machine: nodes, selection, failover, retries, deadlines. Told time and bytes; no I/O.

The shell calls `begin` for each call of a user, `on_open`, `on_refused`, `on_bytes` and `on_close` for what happens to
connections, and `on_time` at the time that `next_ns` names. Each returns the actions that the shell is to do, in order.
Time is int ns of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.client.actions import Actions, Closed, Ended
from loadgen.client.batch import Batch
from loadgen.client.connection import Connection
from loadgen.client.errors import BreakerOpen, ConnectionLost, ConnectionRefused, TooManyProbes
from loadgen.client.meta import Meta
from loadgen.client.node import Node
from loadgen.client.options import Options
from loadgen.client.request import Request, Stage
from loadgen.client.selection import selector
from loadgen.client.stats import Stats
from loadgen.client.text import Text


class Core:
    """A client without sockets and clocks."""

    def __init__(self, names: Sequence[str], options: Options, now_ns: int) -> None:
        """Make the machine for nodes that are named `host:port`."""
        self.protocol: Text | Meta = Meta() if options.protocol == "meta" else Text()
        self.selector = selector(options.selector, names)
        self.nodes = tuple(
            Node(index, name, options, self.protocol, self._on_end, now_ns) for index, name in enumerate(names)
        )
        self._options = options
        self._timeout_ns = options.timeout_ns
        self._under_way: dict[Request, None] = {}
        """The requests that have not ended, in the order of their deadlines."""
        self._closing = self._closed = False

    def begin(self, call: Request | Batch, now_ns: int) -> Actions:
        """Carry a call out. `node` of a request without a key, and of each part of a batch, says where to."""
        actions: Actions = []
        if isinstance(call, Request):
            self._begin(call, call.node if call.key is None else self.selector.owner(call.key), now_ns, actions)
        else:
            for part in call.parts:
                self._begin(part, part.node, now_ns, actions)
        return actions

    def cancel(self, call: Request | Batch, now_ns: int) -> Actions:
        """Abandon a call that the user no longer waits for."""
        actions: Actions = []
        for request in call.parts if isinstance(call, Batch) else (call,):
            if self._under_way.pop(request, self) is not self:
                self.nodes[request.node].cancel(request, now_ns, actions)
        self._finish(actions)
        return actions

    def node_of(self, key: bytes, now_ns: int) -> int:
        """Return the node to which a key of a batch goes: its owner, or with failover the first whose breaker is not
        open."""
        if not self._options.failover:
            return self.selector.owner(key)
        order = self.selector.order(key)
        return next((node for node in order if self.nodes[node].admits(now_ns)), order[0])

    def on_open(self, connection: Connection, now_ns: int) -> Actions:
        """Take the news that a dial succeeded."""
        actions: Actions = []
        self.nodes[connection.node].on_open(connection, now_ns, actions)
        self._finish(actions)
        return actions

    def on_refused(self, connection: Connection, why: str, now_ns: int) -> Actions:
        """Take the news that a dial failed, with the reason in words."""
        actions: Actions = []
        self.nodes[connection.node].on_refused(connection, why, now_ns, actions)
        self._finish(actions)
        return actions

    def on_bytes(self, connection: Connection, data: bytes, now_ns: int) -> Actions:
        """Take bytes that came on a connection."""
        actions: Actions = []
        self.nodes[connection.node].on_bytes(connection, data, now_ns, actions)
        if self._closing:
            self._finish(actions)
        return actions

    def on_close(self, connection: Connection, why: str, now_ns: int) -> Actions:
        """Take the news that a connection ended, with the reason in words."""
        actions: Actions = []
        self.nodes[connection.node].on_close(connection, why, now_ns, actions)
        self._finish(actions)
        return actions

    def on_time(self, now_ns: int) -> Actions:
        """Do what is due."""
        actions: Actions = []
        while self._under_way and (request := next(iter(self._under_way))).deadline_ns <= now_ns:
            self.nodes[request.node].expire(request, now_ns, actions)
        for node in self.nodes:
            node.on_time(now_ns, actions)
        self._finish(actions)
        return actions

    def next_ns(self) -> int | None:
        """Return the time at which `on_time` is to be called; None: not as things are."""
        times = [time for node in self.nodes if (time := node.next_ns()) is not None]
        if self._under_way:
            times.append(next(iter(self._under_way)).deadline_ns)
        return min(times, default=None)

    def close(self, now_ns: int) -> Actions:
        """Accept no more calls, end those that wait, let those under way end by their deadlines, close the rest."""
        actions: Actions = []
        self._closing = True
        for node in self.nodes:
            node.close(now_ns, actions)
        self._finish(actions)
        return actions

    def stats(self, now_ns: int) -> Stats:
        """Return the statistics at a time."""
        return Stats(now_ns, tuple(node.stats(now_ns) for node in self.nodes), len(self._under_way))

    @property
    def is_closed(self) -> bool:
        """True when the client was closed and no connection is left."""
        return self._closed

    def _begin(self, request: Request, node: int, now_ns: int, actions: Actions) -> None:
        request.deadline_ns = now_ns + self._timeout_ns
        self._under_way[request] = None
        self.nodes[node].begin(request, now_ns, actions)

    def _on_end(self, request: Request, now_ns: int, actions: Actions) -> None:
        """A request ended at its node, well or not: try it again where that is allowed, else say that it has ended."""
        if request.error is not None and self._tries_again(request, now_ns, actions):
            return
        del self._under_way[request]
        batch = request.batch
        if batch is None:
            actions.append(Ended(request))
            return
        batch.left -= 1
        if not batch.left:
            actions.append(Ended(batch))

    def _tries_again(self, request: Request, now_ns: int, actions: Actions) -> bool:
        if now_ns >= request.deadline_ns or self._closing:
            return False
        node = self._next_node(request)
        if node is None:
            return False
        request.error, request.stage, request.written = None, Stage.NEW, False
        self.nodes[node].begin(request, now_ns, actions)
        return True

    def _next_node(self, request: Request) -> int | None:
        """Return the node at which a request that failed is tried again; None where it is not.

        A request that was written is tried again only if it reads, so that nothing is carried out twice.
        """
        if isinstance(request.error, ConnectionLost) and request.reads and request.retries < self._options.retries:
            request.retries += 1
            return request.node
        unsent = isinstance(request.error, (BreakerOpen, TooManyProbes, ConnectionRefused)) and not request.written
        if self._options.failover and unsent and request.key is not None and request.turn + 1 < len(self.nodes):
            request.turn += 1
            return self.selector.order(request.key)[request.turn]
        return None

    def _finish(self, actions: Actions) -> None:
        if self._closing and not self._closed and all(node.is_empty for node in self.nodes):
            self._closed = True
            actions.append(Closed())
