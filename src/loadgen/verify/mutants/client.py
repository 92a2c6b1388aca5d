"""Mutants of the client: its machines with one defect each.

A defect is a subclass of one of the machines of `loadgen.client`, which `assembly` puts in the machine's place; no code
of theirs is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from loadgen.client import _text, assembly, batch, reply
from loadgen.client._actions import Actions, Close
from loadgen.client._breaker import Breaker, Permit
from loadgen.client._connection import Connection
from loadgen.client._core import Core
from loadgen.client._node import Node
from loadgen.client._pool import Pool
from loadgen.client._request import Request, Stage
from loadgen.client.breaker import Outcome, Refusal, State
from loadgen.client.errors import CacheTimeout, ConnectionLost
from loadgen.client.reply import ErrorReply
from loadgen.client.selection import hash64, jump
from loadgen.verify.mutants import _grounds
from loadgen.verify.mutants.mutant import Mutant, Patch, Where
from loadgen.verify.world.host import Host

OPERATIONS = "client_concurrent_operations"


class _KeptAfterTimeout(Node):
    """The connection of an abandoned request goes back to the pool, and what comes unasked is dropped."""

    def abandon(self, request: Request, outcome: Outcome, now_ns: int, actions: Actions) -> int:
        connection = request.connection
        if request.stage is not Stage.SENT or connection is None:
            return super().abandon(request, outcome, now_ns, actions)
        request.connection = connection.request = None
        self.pool.release(connection, connection.used_ns)
        return 0

    def on_bytes(self, connection: Connection, data: bytes, now_ns: int, actions: Actions) -> int:
        return super().on_bytes(connection, data, now_ns, actions) if connection.request is not None else 0


class _AnyKey(_text.Text):
    """A value is taken without a look at the key that it belongs to."""

    def get(self, key: bytes) -> Request:
        def parse(received: Any, at: int, expected: Any) -> Any:
            found = received[at:].split(b" ")
            return _text.value(received, at, bytes(found[1]) if len(found) > 1 else key)

        return Request("get", b"get %b\r\n" % key, parse, key, key=key, reads=True)


def _replies_shifted(self: batch.Batch) -> Iterator[tuple[Sequence[bytes], Any]]:
    """Each reply of a batch goes to the key before."""
    for part in self.parts:
        keys = [key for about in part.expected for key in ([about] if isinstance(about, bytes) else about)]
        if part.error is not None:
            yield keys, part.error
        elif part.reply and isinstance(part.reply[0], dict):
            found = {key: value for reply in part.reply for key, value in reply.items()}
            yield keys, dict(zip(found, [*list(found.values())[1:], b""], strict=True))
        else:
            yield from zip([[key] for key in keys], [*part.reply[1:], False], strict=True)


class _StaysOpen(Breaker):
    def advance(self, now_ns: int) -> int:
        return 0 if self.at_state == State.OPEN else super().advance(now_ns)


class _MissesAreFailures(Node):
    def conclude(self, request: Request, refused: Any, now_ns: int, actions: Actions) -> int:
        if request.reply is not None or refused:
            return super().conclude(request, refused, now_ns, actions)
        self.account(request, Outcome.FAILURE, now_ns, actions)
        return self.owner.on_end(request, now_ns, actions)


class _AnyNumberOfProbes(Breaker):
    def begin(self, now_ns: int) -> Permit | Refusal:
        most, self.max_requests = self.max_requests, 1 << 62
        try:
            return super().begin(now_ns)
        finally:
            self.max_requests = most


class _FailedDialKeepsItsSlot(Pool[Any]):
    def failed(self, connection: Connection) -> Any:
        waiter = self.constructing[connection]
        self.constructing[connection] = None
        self.failed_dials += 1
        self.dialled_ns.pop(waiter, None)
        return waiter


class _CancelledKeepsItsSlot(Node):
    def cancel(self, request: Request, now_ns: int, actions: Actions) -> int:
        connection = request.connection
        if connection is None:
            self.abandon(request, Outcome.EXCLUDED, now_ns, actions)
        else:
            request.connection = connection.request = None
            actions.append(Close(connection))
        self.account(request, Outcome.EXCLUDED, now_ns, actions)
        return self.settle(now_ns, actions)


class _OnlyIdleAreOld(Pool[Any]):
    """Only the health check looks at the age, and a saturated pool has no connection that is idle."""

    _looks = False

    def is_old(self, connection: Connection, now_ns: int) -> bool:
        return self._looks and super().is_old(connection, now_ns)

    def take_idle(self, now_ns: int) -> list[Connection]:
        self._looks = True
        try:
            return super().take_idle(now_ns)
        finally:
            self._looks = False


class _CheckedOneAfterTheOther(Node):
    def check_health(self, now_ns: int, actions: Actions) -> int:
        super().check_health(now_ns, actions)
        for turn, connection in enumerate(self.pings, start=1):
            self.pings[connection] = now_ns + turn * self.health_timeout_ns
        return 0


class _HashedOverThoseAlive(Core):
    """The keys of every node are dealt out anew when one is taken out."""

    def begin(self, call: Request | batch.Batch, now_ns: int) -> Actions:
        if isinstance(call, batch.Batch) or call.key is None:
            return super().begin(call, now_ns)
        alive = [node.index for node in self.nodes if node.admits(now_ns)] or [0]
        actions: Actions = []
        self.begin_at(call, alive[jump(hash64(call.key), len(alive))], now_ns, actions)
        return actions


class _DeadlineStartsAgain(Core):
    def tries_again(self, request: Request, now_ns: int, actions: Actions) -> bool:
        if not isinstance(request.error, CacheTimeout) or request.retries == 3:
            return super().tries_again(request, now_ns, actions)
        self.forget(request)
        request.retries += 1
        request.error = None
        self.begin_at(request, request.node, now_ns, actions)
        return True


class _WritesAreSentAgain(Core):
    def next_node(self, request: Request) -> int | None:
        if isinstance(request.error, ConnectionLost):
            request.reads = True
        return super().next_node(request)


class _WakesNobody(Node):
    """A connection that comes back wakes nobody who waits for one: only a dial, a timeout or a failure does."""

    _deaf = False

    def on_bytes(self, connection: Connection, data: bytes, now_ns: int, actions: Actions) -> int:
        self._deaf = True
        try:
            return super().on_bytes(connection, data, now_ns, actions)
        finally:
            self._deaf = False

    def settle(self, now_ns: int, actions: Actions) -> int:
        return 0 if self._deaf and not self.pool.doomed else super().settle(now_ns, actions)


class _ReleasedTwice(Node):
    """The connection of a request that timed out is closed, and is put back into the pool as well."""

    def abandon(self, request: Request, outcome: Outcome, now_ns: int, actions: Actions) -> int:
        connection = request.connection
        sent = request.stage is Stage.SENT and connection is not None
        super().abandon(request, outcome, now_ns, actions)
        if sent and connection is not None and not request.replies:
            self.pool.release(connection, now_ns)
        return 0


class _StormsOnLoss(Core):
    """A read whose connection was lost is tried again at once, without a count of its tries."""

    def next_node(self, request: Request) -> int | None:
        if request.reads and isinstance(request.error, ConnectionLost):
            return request.node
        return super().next_node(request)


def _in_step(line: bytes | bytearray) -> ErrorReply:
    """Take both sides to agree where the next command begins, whatever the line is."""
    return ErrorReply(line.decode("utf-8", "backslashreplace"), servers=True)


def _on_short_timers(host: Host) -> _grounds.ShortTimers:
    """Have the client's shell run on a reactor that drops late timers."""
    ground = _grounds.ShortTimers(host.machine)
    host._grounds.append(ground)
    return ground


def _row(name: str, breaks: str, *patches: Patch, kind: str = OPERATIONS) -> Mutant:
    return Mutant(name, breaks, Where.CLIENT, kind, patches)


OF_TRIALS = (
    _row(
        "late reply delivered",
        "the connection of a request that timed out is used again, and its reply answers the next request",
        (assembly, "Node", _KeptAfterTimeout),
        (assembly, "Text", _AnyKey),
    ),
    _row(
        "off-by-one in batch",
        "each key of a batch gets the reply to the next one",
        (batch.Batch, "replies", _replies_shifted),
    ),
    _row(
        "breaker never half-opens",
        "an open breaker stays open",
        (assembly, "Breaker", _StaysOpen),
        kind="client_liveness",
    ),
    _row(
        "breaker counts misses as failures",
        "a miss counts as a failure of the node",
        (assembly, "Node", _MissesAreFailures),
        kind="",
    ),
    _row(
        "half-open admits unlimited",
        "a half-open breaker lets every request through",
        (assembly, "Breaker", _AnyNumberOfProbes),
    ),
    _row(
        "pool leaks on dial failure",
        "a dial that failed keeps its place in the pool",
        (assembly, "Pool", _FailedDialKeepsItsSlot),
    ),
    _row(
        "slot lost on cancellation",
        "the connection of a cancelled request is closed and keeps its place in the pool",
        (assembly, "Node", _CancelledKeepsItsSlot),
    ),
    _row(
        "lifetime ignored when saturated",
        "a connection that is never idle is used beyond its age",
        (assembly, "Pool", _OnlyIdleAreOld),
        kind="",
    ),
    _row(
        "health check blocks on a hung node",
        "idle connections are asked one after the other",
        (assembly, "Node", _CheckedOneAfterTheOther),
        kind="",
    ),
    _row(
        "selection shifts when a node dies",
        "the keys of every node are dealt out anew when one is taken out",
        (assembly, "Core", _HashedOverThoseAlive),
        kind="client_liveness",
    ),
    _row(
        "retry without deadline",
        "a request that timed out is tried again with a new deadline",
        (assembly, "Core", _DeadlineStartsAgain),
    ),
    _row(
        "duplicate incr on retry",
        "a write whose connection was lost is sent again",
        (assembly, "Core", _WritesAreSentAgain),
    ),
)
"""Those that trials of clients must find, too."""

MUTANTS = (
    *OF_TRIALS,
    _row(
        "lost wake-up", "a connection that comes back wakes nobody who waits for one", (assembly, "Node", _WakesNobody)
    ),
    _row(
        "double release", "a connection that was closed is put back into the pool", (assembly, "Node", _ReleasedTwice)
    ),
    _row(
        "timer wheel overflow",
        "a timer that is set 512 ms ahead or more never rings",
        (Host, "ground", _on_short_timers),
    ),
    _row(
        "retry storm",
        "a read whose connection was lost is tried again without a bound",
        (assembly, "Core", _StormsOnLoss),
    ),
    _row(
        "poisoned connection",
        "a connection is used again after an error of the protocol",
        (reply, "error_in", _in_step),
        kind="client_protocol_errors",
    ),
)
