"""The client with one defect each: what checks of clients must find. All of them are here and nowhere else.

    with MUTANTS["late reply delivered"].planted():
        ...  # Every Core and every Client that is made here has the defect.

A defect is a subclass of one of the machines of `loadgen.client`, which `assembly` puts in the machine's place; no code
of theirs is copied. To put a mutant on trial, name its factory, such as `client_mutants:late_reply_delivered`, with
this folder on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from loadgen.client import _text, assembly, batch
from loadgen.client._actions import Actions, Close
from loadgen.client._breaker import Breaker, Permit
from loadgen.client._connection import Connection
from loadgen.client._core import Core
from loadgen.client._node import Node
from loadgen.client._pool import Pool
from loadgen.client._request import Request, Stage
from loadgen.client.breaker import Outcome, Refusal, State
from loadgen.client.errors import CacheTimeout, ConnectionLost
from loadgen.client.selection import hash64, jump
from loadgen.trial.adapters.builtin import Builtin

Patch = tuple[object, str, Any]
"""A module or a class, a name in it, and what takes its place."""


@dataclass(frozen=True)
class Mutant:
    """A defect, as replacements of classes of the assembly, or of a method."""

    name: str
    patches: tuple[Patch, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the defect while the block runs."""
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in self.patches]
        try:
            self.plant()
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)

    def plant(self) -> None:
        """Plant the defect for the rest of the process."""
        for owner, name, replacement in self.patches:
            setattr(owner, name, replacement)


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


_ROWS = (
    Mutant("late reply delivered", ((assembly, "Node", _KeptAfterTimeout), (assembly, "Text", _AnyKey))),
    Mutant("off-by-one in batch", ((batch.Batch, "replies", _replies_shifted),)),
    Mutant("breaker never half-opens", ((assembly, "Breaker", _StaysOpen),)),
    Mutant("breaker counts misses as failures", ((assembly, "Node", _MissesAreFailures),)),
    Mutant("half-open admits unlimited", ((assembly, "Breaker", _AnyNumberOfProbes),)),
    Mutant("pool leaks on dial failure", ((assembly, "Pool", _FailedDialKeepsItsSlot),)),
    Mutant("slot lost on cancellation", ((assembly, "Node", _CancelledKeepsItsSlot),)),
    Mutant("lifetime ignored when saturated", ((assembly, "Pool", _OnlyIdleAreOld),)),
    Mutant("health check blocks on a hung node", ((assembly, "Node", _CheckedOneAfterTheOther),)),
    Mutant("selection shifts when a node dies", ((assembly, "Core", _HashedOverThoseAlive),)),
    Mutant("retry without deadline", ((assembly, "Core", _DeadlineStartsAgain),)),
    Mutant("duplicate incr on retry", ((assembly, "Core", _WritesAreSentAgain),)),
)

MUTANTS = {mutant.name: mutant for mutant in _ROWS}
"""By name."""


def _factory(mutant: Mutant) -> Callable[..., Builtin]:
    def make(nodes: Sequence[tuple[str, int]], timeout_s: float, **options: Any) -> Builtin:
        mutant.plant()
        return Builtin(nodes, timeout_s, **options)

    return make


# Each mutant's factory, by its name with underscores.
globals().update({name.replace(" ", "_").replace("-", "_"): _factory(mutant) for name, mutant in MUTANTS.items()})
