"""The client with one defect each: what checks of clients must find. All of them are here and nowhere else.

    with MUTANTS["late reply delivered"].planted():
        ...  # Every Core and every Client that is used here has the defect.

A defect is planted while the program runs, in the classes of `loadgen.client`; no code of theirs is copied. To put a
mutant on trial, name its factory, such as `client_mutants:late_reply_delivered`, with this folder on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from loadgen.client import text
from loadgen.client.actions import Actions, Close
from loadgen.client.batch import Batch
from loadgen.client.breaker import Breaker, Outcome, Permit, Refusal, State
from loadgen.client.connection import Connection
from loadgen.client.core import Core
from loadgen.client.errors import CacheTimeout, ConnectionLost
from loadgen.client.node import Node
from loadgen.client.pool import Pool
from loadgen.client.request import Request, Stage
from loadgen.client.selection import hash64, jump
from loadgen.trial.adapters.builtin import Builtin

Patch = tuple[type, str, Any]
"""A class, the name of one of its methods, and the method's replacement."""


@dataclass(frozen=True)
class Mutant:
    """A defect, as replacements of methods."""

    name: str
    patches: tuple[Patch, ...]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the defect while the block runs."""
        originals = [(owner, name, owner.__dict__[name]) for owner, name, _ in self.patches]
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


# The originals, which some of the defects call.
_is_old, _take_idle = Pool._is_old, Pool.take_idle
_abandon, _conclude, _check_health = Node._abandon, Node._conclude, Node._check_health
_advance, _begin = Breaker._advance, Breaker.begin
_tries_again, _next_node, _core_begin = Core._tries_again, Core._next_node, Core.begin
_on_bytes = Node.on_bytes


def _kept_after_timeout(self: Node, request: Request) -> None:
    """The connection of an abandoned request goes back to the pool; its reply is still on the way."""
    connection = request.connection
    if request.stage is not Stage.SENT or connection is None:
        _abandon(self, request)
        return
    request.connection = connection.request = None
    self.pool.release(connection, connection.used_ns)


def _unasked_is_dropped(self: Node, connection: Connection, data: bytes, now_ns: int, actions: Actions) -> None:
    if connection.request is not None:
        _on_bytes(self, connection, data, now_ns, actions)


def _get_any_key(self: text.Text, key: bytes) -> Request:
    """A value is taken without a look at the key that it belongs to."""

    def parse(received: Any, at: int, expected: Any) -> Any:
        found = received[at:].split(b" ")
        return text.value(received, at, bytes(found[1]) if len(found) > 1 else key)

    return Request("get", b"get %b\r\n" % key, parse, key, key=key, reads=True)


def _replies_shifted(self: Batch) -> Iterator[tuple[Sequence[bytes], Any]]:
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


def _stays_open(self: Breaker, now_ns: int) -> None:
    if self._state is not State.OPEN:
        _advance(self, now_ns)


def _misses_are_failures(self: Node, request: Request, refused: Any, now_ns: int, actions: Actions) -> None:
    if request.reply is not None or refused:
        _conclude(self, request, refused, now_ns, actions)
        return
    self._end(request, Outcome.FAILURE, now_ns, actions)
    self._ended(request, now_ns, actions)


def _any_number_of_probes(self: Breaker, now_ns: int) -> Permit | Refusal:
    most, self._max_requests = self._max_requests, 1 << 62
    try:
        return _begin(self, now_ns)
    finally:
        self._max_requests = most


def _failed_dial_keeps_its_slot(self: Pool[Any], connection: Connection) -> Any:
    waiter = self._constructing[connection]
    self._constructing[connection] = None
    self._failed_dials += 1
    self._dialled_ns.pop(waiter, None)
    return waiter


def _cancelled_keeps_its_slot(self: Node, request: Request, now_ns: int, actions: Actions) -> None:
    connection = request.connection
    if connection is None:
        self._abandon(request)
    else:
        request.connection = connection.request = None
        actions.append(Close(connection))
    self._end(request, Outcome.EXCLUDED, now_ns, actions)
    self._settle(now_ns, actions)


def _never_old(self: Pool[Any], connection: Connection, now_ns: int) -> bool:
    return False


def _only_idle_are_checked(self: Pool[Any], now_ns: int) -> list[Connection]:
    """Only the health check looks at the age, and a saturated pool has no connection that is idle."""
    Pool._is_old = _is_old  # type: ignore[method-assign]
    try:
        return _take_idle(self, now_ns)
    finally:
        Pool._is_old = _never_old  # type: ignore[method-assign]


def _checked_one_after_the_other(self: Node, now_ns: int, actions: Actions) -> None:
    _check_health(self, now_ns, actions)
    for turn, connection in enumerate(self._pings, start=1):
        self._pings[connection] = now_ns + turn * self._options.health_timeout_ns


def _hashed_over_those_alive(self: Core, call: Request | Batch, now_ns: int) -> Actions:
    """The keys of every node are dealt out anew when one is taken out."""
    if isinstance(call, Batch) or call.key is None:
        return _core_begin(self, call, now_ns)
    alive = [node.index for node in self.nodes if node.admits(now_ns)] or [0]
    actions: Actions = []
    self._begin(call, alive[jump(hash64(call.key), len(alive))], now_ns, actions)
    return actions


def _deadline_starts_again(self: Core, request: Request, now_ns: int, actions: Actions) -> bool:
    if not isinstance(request.error, CacheTimeout) or request.retries == 3:
        return _tries_again(self, request, now_ns, actions)
    del self._under_way[request]
    request.retries += 1
    request.error, request.stage = None, Stage.NEW
    self._begin(request, request.node, now_ns, actions)
    return True


def _writes_are_sent_again(self: Core, request: Request) -> int | None:
    if isinstance(request.error, ConnectionLost):
        request.reads = True
    return _next_node(self, request)


_ROWS = (
    Mutant(
        "late reply delivered",
        (
            (Node, "_abandon", _kept_after_timeout),
            (Node, "on_bytes", _unasked_is_dropped),
            (text.Text, "get", _get_any_key),
        ),
    ),
    Mutant("off-by-one in batch", ((Batch, "replies", _replies_shifted),)),
    Mutant("breaker never half-opens", ((Breaker, "_advance", _stays_open),)),
    Mutant("breaker counts misses as failures", ((Node, "_conclude", _misses_are_failures),)),
    Mutant("half-open admits unlimited", ((Breaker, "begin", _any_number_of_probes),)),
    Mutant("pool leaks on dial failure", ((Pool, "failed", _failed_dial_keeps_its_slot),)),
    Mutant("slot lost on cancellation", ((Node, "cancel", _cancelled_keeps_its_slot),)),
    Mutant(
        "lifetime ignored when saturated", ((Pool, "_is_old", _never_old), (Pool, "take_idle", _only_idle_are_checked))
    ),
    Mutant("health check blocks on a hung node", ((Node, "_check_health", _checked_one_after_the_other),)),
    Mutant("selection shifts when a node dies", ((Core, "begin", _hashed_over_those_alive),)),
    Mutant("retry without deadline", ((Core, "_tries_again", _deadline_starts_again),)),
    Mutant("duplicate incr on retry", ((Core, "_next_node", _writes_are_sent_again),)),
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
