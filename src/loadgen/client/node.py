"""One node of the client as a state machine: breaker, pool and connections. Told time and bytes; no I/O, no clock.

A request that the breaker lets pass acquires a connection of the pool, is sent, and ends by its reply, by an error, or
by its deadline. A connection whose request was abandoned is closed and never used again, so that a late reply reaches
no other request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from loadgen.client.actions import Actions, Changed, Close, Dial, Send
from loadgen.client.breaker import Breaker, Outcome, Permit, State
from loadgen.client.breaker import Refusal as BreakerRefusal
from loadgen.client.connection import Connection, Place
from loadgen.client.errors import (
    BreakerOpen,
    CacheError,
    CacheTimeout,
    ClientClosed,
    ConnectionLost,
    ConnectionRefused,
    PoolExhausted,
    ProtocolError,
    RequestError,
    ServerError,
    TooManyProbes,
)
from loadgen.client.options import Options
from loadgen.client.pool import Pool
from loadgen.client.reply import ErrorReply, Malformed
from loadgen.client.request import Request, Stage
from loadgen.client.stats import NodeStats
from loadgen.escape import printable


class Pings(Protocol):
    """What makes the request of a health check."""

    def ping(self) -> Request: ...


class Node:
    """One node. Each method that is told something appends to `actions` what the shell is to do."""

    def __init__(
        self,
        index: int,
        name: str,
        options: Options,
        protocol: Pings,
        ended: Callable[[Request, int, Actions], None],
        now_ns: int,
    ) -> None:
        self.index = index
        self.name = name
        """`host:port`, for sentences and for selection."""
        settings = options.breaker_settings
        self.breaker = Breaker(settings, now_ns) if settings else None
        self.pool: Pool[Request] = Pool(options.pool, options.pool_settings, index)
        self._options = options
        self._protocol = protocol
        self._ended = ended
        self._dials: dict[Connection, int] = {}
        """The deadline of each dial, the earliest first."""
        self._pings: dict[Connection, int] = {}
        """The deadline of each health check, the earliest first."""
        self._checked_ns = now_ns
        self._closing = False
        self._operations = self._timeouts = self._unsolicited = self._abandoned = 0

    def begin(self, request: Request, now_ns: int, actions: Actions) -> None:
        """Carry a request out. Where it ends at once, `ended` is told before this returns."""
        request.node = self.index
        self._operations += 1
        if self._closing:
            self._fail(request, self._closed(request), now_ns, actions)
            return
        if self.breaker is not None:
            permit = self.breaker.begin(now_ns)
            if self.breaker.transitions:
                self._tell_transitions(actions)
            if not isinstance(permit, Permit):
                self._fail(request, self._refused(request, permit), now_ns, actions)
                return
            request.permit = permit
        connection = self.pool.acquire(request, now_ns)
        if self.pool.doomed:
            self._close_doomed(actions)
        if connection is None:
            request.stage = Stage.WAITING
        elif connection.place is Place.ACTIVE:
            self._send(request, connection, actions)
        else:
            self._give(request, connection, now_ns, actions)

    def cancel(self, request: Request, now_ns: int, actions: Actions) -> None:
        """Abandon a request that its caller no longer wants. The breaker does not count it."""
        self._abandon(request)
        self._end(request, Outcome.EXCLUDED, now_ns, actions)
        self._settle(now_ns, actions)

    def expire(self, request: Request, now_ns: int, actions: Actions) -> None:
        """Abandon a request whose deadline has passed. `on_time`, called next, gives to others what became free."""
        error: CacheError
        if request.stage is Stage.WAITING:
            error = PoolExhausted(
                f"all {self._options.max_size} connections to {self.name} were in use for {self._limit}: the pool is"
                " too small for the load, or the server too slow",
                node=self.index,
                key=request.key,
            )
        elif request.stage is Stage.DIALLING:
            error = self._timeout(request, "did not accept a connection")
        else:
            error = self._timeout(request, "did not reply")
        self._abandon(request)
        self._fail(request, error, now_ns, actions)

    def on_open(self, connection: Connection, now_ns: int, actions: Actions) -> None:
        """Take the news that a dial succeeded."""
        if connection.place is not Place.CONSTRUCTING:
            actions.append(Close(connection))
            return
        del self._dials[connection]
        request = self.pool.opened(connection, now_ns)
        if request is not None:
            self._send(request, connection, actions)
        elif self._closing:
            self.pool.discard(connection)
        self._settle(now_ns, actions)

    def on_refused(self, connection: Connection, why: str, now_ns: int, actions: Actions) -> None:
        """Take the news that a dial failed; `why` is the system's reason in words."""
        if connection.place is not Place.CONSTRUCTING:
            return
        del self._dials[connection]
        request = self.pool.failed(connection)
        if request is not None:
            text = f"no connection to {self.name} could be made: {why}"
            error = ConnectionRefused(text, node=self.index, key=request.key)
            self._fail(request, error, now_ns, actions)
        self._settle(now_ns, actions)

    def on_bytes(self, connection: Connection, data: bytes, now_ns: int, actions: Actions) -> None:
        """Take bytes that came on a connection, cut anywhere."""
        if connection.place is Place.CLOSED:
            return
        request = connection.request
        if request is None:
            # Nobody asked: whatever comes next on this connection would answer the wrong request.
            self._unsolicited += 1
            self.pool.discard(connection)
            self._settle(now_ns, actions)
            return
        if connection.received:
            if isinstance(connection.received, bytes):
                connection.received = bytearray(connection.received)
            connection.received += data
            data = connection.received  # type: ignore[assignment]
        try:
            end = self._parse(request, connection, data)
        except Malformed as malformed:
            text = f"{self.name} broke the protocol: {malformed}"
            self._lose(connection, ProtocolError(text, node=self.index, key=request.key), now_ns, actions)
            return
        if end is None:
            connection.received = data
        else:
            self._complete(request, connection, now_ns, actions)

    def on_close(self, connection: Connection, why: str, now_ns: int, actions: Actions) -> None:
        """Take the news that a connection ended; `why` is the reason in words."""
        if connection.place is Place.CONSTRUCTING:
            self.on_refused(connection, why, now_ns, actions)
        elif connection.place is not Place.CLOSED:
            request = connection.request
            text = f"the connection to {self.name} ended before the reply was complete: {why}"
            self._lose(
                connection, ConnectionLost(text, node=self.index, key=request.key if request else None), now_ns, actions
            )

    def on_time(self, now_ns: int, actions: Actions) -> None:
        """Do what is due: end dials and health checks whose deadline has passed, and begin health checks."""
        late = [connection for connection, deadline_ns in self._dials.items() if deadline_ns <= now_ns]
        for connection in late:
            del self._dials[connection]
            request = self.pool.failed(connection)
            actions.append(Close(connection))
            if request is not None:
                self._fail(request, self._timeout(request, "did not accept a connection"), now_ns, actions)
        hung = [connection for connection, deadline_ns in self._pings.items() if deadline_ns <= now_ns]
        for connection in hung:
            self._abandoned += 1
            self._lose(connection, self._timeout(None, "did not reply"), now_ns, actions)
        interval_ns = self._options.health_interval_ns
        if interval_ns and not self._closing and now_ns - self._checked_ns >= interval_ns:
            self._check_health(now_ns, actions)
        self._settle(now_ns, actions)

    def next_ns(self) -> int | None:
        """Return the time at which `on_time` has something to do; None: never, as things are."""
        times = [next(iter(deadlines.values())) for deadlines in (self._dials, self._pings) if deadlines]
        if self._options.health_interval_ns and not self._closing:
            times.append(self._checked_ns + self._options.health_interval_ns)
        return min(times, default=None)

    def close(self, now_ns: int, actions: Actions) -> None:
        """Accept no more requests, end those that wait, and close what is idle. Those under way may end."""
        self._closing = True
        for request in self.pool.waiting():
            self._abandon(request)
            self._fail(request, self._closed(request), now_ns, actions)
        for connection in [*self._pings]:
            self._lose(connection, self._closed(None), now_ns, actions)
        self.pool.close_idle()
        for connection in self.pool.dialling():
            self._dials.pop(connection, None)
            dialled_for = self.pool.failed(connection)
            actions.append(Close(connection))
            if dialled_for is not None:
                self._fail(dialled_for, self._closed(dialled_for), now_ns, actions)
        self._settle(now_ns, actions)

    @property
    def is_empty(self) -> bool:
        """True when the node has no connection."""
        return self.pool.stats().total == 0

    def admits(self, now_ns: int) -> bool:
        """Return True unless the breaker is open. The answer reserves nothing."""
        return self.breaker is None or self.breaker.state(now_ns) is not State.OPEN

    def stats(self, now_ns: int) -> NodeStats:
        """Return the node's statistics at a time."""
        breaker = self.breaker
        return NodeStats(
            self.name,
            breaker.state(now_ns) if breaker else None,
            breaker.counts(now_ns) if breaker else None,
            self.pool.stats(),
            self._operations,
            self._timeouts,
            self._unsolicited,
            self._abandoned,
        )

    # One request.

    def _give(self, request: Request, connection: Connection, now_ns: int, actions: Actions) -> None:
        if connection.place is Place.ACTIVE:
            self._send(request, connection, actions)
        else:
            request.stage = Stage.DIALLING
            self._dials[connection] = now_ns + self._options.connect_timeout_ns
            actions.append(Dial(connection))

    def _send(self, request: Request, connection: Connection, actions: Actions) -> None:
        request.stage = Stage.SENT
        request.written = True
        request.connection = connection
        connection.request = request
        actions.append(Send(connection, request.bytes))

    def _parse(self, request: Request, connection: Connection, received: bytes) -> int | None:
        """Read the replies that are complete; return the end of the last one, or None while one is missing."""
        if not request.replies:
            parsed = request.parse(received, 0, request.expected)
            if parsed is None:
                return None
            request.reply, end = parsed
        else:
            replies, end = connection.replies, connection.at
            while len(replies) < request.replies:
                parsed = request.parse(received, end, request.expected[len(replies)])
                if parsed is None:
                    connection.at = end
                    return None
                reply, end = parsed
                replies.append(reply)
            request.reply = replies
        if end != len(received):
            raise Malformed("more came than the replies to the request")
        return end

    def _complete(self, request: Request, connection: Connection, now_ns: int, actions: Actions) -> None:
        """Every reply to the request is there."""
        connection.received = b""
        if request.replies:
            connection.at, connection.replies = 0, []
        if request.follow is not None and (following := request.follow(request.reply)) is not None:
            request.bytes, request.parse, request.follow = following.bytes, following.parse, following.follow
            self._send(request, connection, actions)
            return
        request.connection = connection.request = None
        refused = _errors_in(request)
        is_ping = bool(self._pings) and self._pings.pop(connection, None) is not None
        # After CLIENT_ERROR or ERROR it is not certain that both sides agree where the next command begins.
        if self._closing or (refused and not all(reply.servers for reply in refused)):
            self.pool.discard(connection)
        else:
            self.pool.release(connection, now_ns, used=not is_ping)
        if not is_ping:
            self._conclude(request, refused, now_ns, actions)
        if self.pool.has_waiters or self.pool.doomed:
            self._settle(now_ns, actions)

    def _conclude(self, request: Request, refused: Sequence[ErrorReply], now_ns: int, actions: Actions) -> None:
        if not refused:
            self._end(request, Outcome.SUCCESS, now_ns, actions)
            self._ended(request, now_ns, actions)
            return
        well = all(reply.says_nothing_of_the_node for reply in refused)
        if request.replies:
            request.reply = [self._error_of(r, None) if type(r) is ErrorReply else r for r in request.reply]
        else:
            request.error = self._error_of(refused[0], request.key)
        self._end(request, Outcome.SUCCESS if well else Outcome.FAILURE, now_ns, actions)
        self._ended(request, now_ns, actions)

    def _end(self, request: Request, outcome: Outcome, now_ns: int, actions: Actions) -> None:
        """Account for a request that has ended."""
        request.stage = Stage.DONE
        if request.permit is not None and self.breaker is not None:
            permit, request.permit = request.permit, None
            self.breaker.end(permit, outcome, now_ns)
            if self.breaker.transitions:
                self._tell_transitions(actions)
                if self.breaker.state(now_ns) is State.OPEN:
                    self._refuse_waiting(now_ns, actions)

    def _fail(self, request: Request, error: CacheError, now_ns: int, actions: Actions) -> None:
        request.error = error
        self._end(request, Outcome.EXCLUDED if self._closing else Outcome.FAILURE, now_ns, actions)
        self._ended(request, now_ns, actions)

    def _abandon(self, request: Request) -> None:
        """Take a request out of whatever part it is in; its connection, if any, is closed."""
        if request.stage in (Stage.WAITING, Stage.DIALLING):
            self.pool.give_up(request)
        elif request.connection is not None:
            connection, request.connection = request.connection, None
            connection.request = None
            self._abandoned += 1
            self.pool.discard(connection)

    def _refuse_waiting(self, now_ns: int, actions: Actions) -> None:
        """The breaker has opened: what waits for a connection would only wait for the same failure."""
        for request in self.pool.waiting():
            if request.stage is Stage.WAITING:
                self._abandon(request)
                self._fail(request, self._refused(request, BreakerRefusal.OPEN), now_ns, actions)

    def _lose(self, connection: Connection, error: CacheError, now_ns: int, actions: Actions) -> None:
        """An established connection is of no more use; its request, if any, fails."""
        request, connection.request = connection.request, None
        is_ping = self._pings.pop(connection, None) is not None
        self.pool.discard(connection)
        if request is not None and not is_ping:
            request.connection = None
            self._fail(request, error, now_ns, actions)
        self._settle(now_ns, actions)

    def _settle(self, now_ns: int, actions: Actions) -> None:
        """Give what has become free to those who wait, and close what the pool has given up."""
        while self.pool.has_waiters and (granted := self.pool.grant(now_ns)) is not None:
            self._give(*granted, now_ns, actions)
        if self.pool.doomed:
            self._close_doomed(actions)

    def _close_doomed(self, actions: Actions) -> None:
        actions.extend(map(Close, self.pool.doomed))
        self.pool.doomed.clear()

    def _tell_transitions(self, actions: Actions) -> None:
        assert self.breaker is not None
        actions.extend(Changed(self.index, transition) for transition in self.breaker.transitions)
        self.breaker.transitions.clear()

    def _check_health(self, now_ns: int, actions: Actions) -> None:
        """Ask every idle connection at once, under one deadline, that was not used since the last check."""
        before_ns, self._checked_ns = self._checked_ns, now_ns
        for connection in self.pool.take_idle(now_ns):
            if connection.used_ns > before_ns:
                self.pool.release(connection, now_ns, used=False)
            else:
                self._pings[connection] = now_ns + self._options.health_timeout_ns
                self._send(self._protocol.ping(), connection, actions)

    # Errors.

    @property
    def _limit(self) -> str:
        return f"{self._options.timeout_s:g} s"

    def _timeout(self, request: Request | None, fact: str) -> CacheTimeout:
        self._timeouts += 1
        text = f"{self.name} {fact} before the deadline (timeout {self._limit}): the server hangs or is overloaded"
        return CacheTimeout(text, node=self.index, key=request.key if request else None)

    def _closed(self, request: Request | None) -> ClientClosed:
        return ClientClosed("the client is closed", node=self.index, key=request.key if request else None)

    def _refused(self, request: Request, refusal: BreakerRefusal) -> CacheError:
        if refusal is BreakerRefusal.OPEN:
            text = f"the breaker of {self.name} is open: the node failed too often, and is tried again soon"
            return BreakerOpen(text, node=self.index, key=request.key)
        text = f"the breaker of {self.name} is half-open: its probes are under way"
        return TooManyProbes(text, node=self.index, key=request.key)

    def _error_of(self, reply: ErrorReply, key: bytes | None) -> CacheError:
        """Return the exception of a reply that is an error."""
        kind = ServerError if reply.servers else RequestError
        return kind(f"{self.name} replied {printable(reply.text)}", node=self.index, key=key)


def _errors_in(request: Request) -> Sequence[ErrorReply]:
    """Return the replies to a request that are errors."""
    if request.replies:
        return [reply for reply in request.reply if type(reply) is ErrorReply]
    return (request.reply,) if type(request.reply) is ErrorReply else ()
