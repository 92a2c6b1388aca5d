"""The pool of connections of one node, as a state machine that is told the time. No I/O, no clock.

A pool never dials and never closes: it says which connection is to be dialled for whom, and which are to be closed.
The rules are those of github.com/jackc/puddle v2. A caller gets an idle connection, or has one constructed while the
pool has room, or waits in the order of arrival. A construction is not bound to its caller: when the caller has given
up, the connection becomes idle. Upstream counts no failed constructions; `PoolStats` does.

Two kinds differ in the order of idle connections:

- `puddle`: a stack. The connection that was used last comes first, so that few connections are busy and the others age.
  Upstream's stack has generations, which order what a health check could not take; ours takes every idle connection.
- `channel`: a queue. The connection that has been idle for longest comes first, so that all are used evenly.

At all times: constructing + idle + active = total ≤ max size, and opened − closed = idle + active.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from loadgen.client.connection import Connection, Place

Waiter = TypeVar("Waiter", bound=Hashable)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The bounds of a pool."""

    max_size: int = 10
    max_lifetime_ns: int = 0
    """The age from which a connection is closed instead of used again; 0: none."""
    max_idle_ns: int = 0
    """The time without use after which a connection is closed; 0: none."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment, and its counts since its beginning."""

    constructing: int = 0
    idle: int = 0
    active: int = 0
    waiting: int = 0
    """Operations that wait for a connection."""
    max_size: int = 0
    opened: int = 0
    """Connections established."""
    closed: int = 0
    """Established connections that were closed, by either side."""
    failed_dials: int = 0
    acquires: int = 0
    """Times that a connection was acquired."""
    waits: int = 0
    """Acquisitions, of those in `acquires`, that had to wait for a connection to be free or to be dialled."""
    wait_ns: int = 0
    """The sum of the times that those waited."""
    cancelled: int = 0
    """Operations that gave up, or were given up, before they had a connection."""

    @property
    def total(self) -> int:
        """Connections: constructing + idle + active."""
        return self.constructing + self.idle + self.active


KINDS: dict[str, Callable[[deque[Connection]], Callable[[], Connection]]] = {
    "puddle": lambda idle: idle.pop,
    "channel": lambda idle: idle.popleft,
}
"""The kinds of pools, by the name in the options: the end of the row of idle connections that is used next."""


class Pool(Generic[Waiter]):
    """The connections of one node. Times are int ns of one monotonic clock.

    A caller is named by a hashable value of its own, the waiter. After each call, `grant` is to be called until it
    returns None, and the connections in `doomed` are to be closed and taken out of the list.
    """

    def __init__(self, kind: str, settings: PoolSettings, node: int = 0) -> None:
        self.settings = settings
        self.node = node
        self.doomed: list[Connection] = []
        """The connections that the pool has given up."""
        self._idle: deque[Connection] = deque()
        """In the order in which they came to rest."""
        self._next_idle = KINDS[kind](self._idle)
        self._limited = bool(settings.max_lifetime_ns or settings.max_idle_ns)
        self._constructing: dict[Connection, Waiter | None] = {}
        """For whom each connection is dialled; None after its caller gave up."""
        self._active: set[Connection] = set()
        self._waiters: OrderedDict[Waiter, int] = OrderedDict()
        """Since when each has waited, in the order of arrival."""
        self._dialled_ns: dict[Waiter, int] = {}
        """Since when each has waited whose connection is dialled."""
        self._numbers = 0
        self._opened = self._closed = self._failed_dials = 0
        self._acquires = self._waits = self._wait_ns = self._cancelled = 0

    def acquire(self, waiter: Waiter, now_ns: int) -> Connection | None:
        """Ask for a connection: return an active one, one to be dialled for the waiter, or None while it waits."""
        if self._idle and not self._limited:
            # With an idle connection there is room, and with room nobody waits.
            self._acquires += 1
            connection = self._next_idle()
            connection.place = Place.ACTIVE
            self._active.add(connection)
            return connection
        if self._waiters or not self._has_room():
            self._waiters[waiter] = now_ns
            return None
        return self._take(waiter, now_ns, now_ns)

    def grant(self, now_ns: int) -> tuple[Waiter, Connection] | None:
        """Serve the caller that has waited for longest, if there is a connection for it or room for a new one."""
        if not self._waiters or not self._has_room():
            return None
        waiter, since_ns = self._waiters.popitem(last=False)
        return waiter, self._take(waiter, since_ns, now_ns)

    def opened(self, connection: Connection, now_ns: int) -> Waiter | None:
        """Take a connection that is established: return the waiter whose it is now, or None when it is idle."""
        waiter = self._constructing.pop(connection)
        self._opened += 1
        connection.born_ns = connection.used_ns = now_ns
        if waiter is None:
            self._rest(connection)
            return None
        self._activate(connection)
        self._count_wait(self._dialled_ns.pop(waiter), now_ns)
        return waiter

    def failed(self, connection: Connection) -> Waiter | None:
        """Take the news that a dial failed: return whose it was, or None where the caller had given up."""
        waiter = self._constructing.pop(connection)
        self._failed_dials += 1
        connection.place = Place.CLOSED
        if waiter is not None:
            del self._dialled_ns[waiter]
        return waiter

    def release(self, connection: Connection, now_ns: int, *, used: bool = True) -> None:
        """Take an active connection back, to be used again unless it is too old. A health check is no use."""
        self._active.remove(connection)
        if used:
            connection.used_ns = now_ns
        if self._limited and self._is_old(connection, now_ns):
            self._close(connection)
        else:
            connection.place = Place.IDLE
            self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Take a connection out, idle or active, that must not be used again."""
        if connection.place is Place.ACTIVE:
            self._active.remove(connection)
        else:
            self._idle.remove(connection)
        self._close(connection)

    def give_up(self, waiter: Waiter) -> None:
        """Forget a caller that waits, or for whom a connection is dialled; its dial goes on."""
        self._cancelled += 1
        if self._waiters.pop(waiter, None) is None:
            del self._dialled_ns[waiter]
            connection = next(c for c, whose in self._constructing.items() if whose == waiter)
            self._constructing[connection] = None

    def take_idle(self, now_ns: int) -> list[Connection]:
        """Acquire every idle connection for a health check; those past a limit are closed instead."""
        taken = []
        while self._idle:
            connection = self._next_idle()
            if self._is_old(connection, now_ns) or self._is_unused(connection, now_ns):
                self._close(connection)
            else:
                self._activate(connection)
                taken.append(connection)
        return taken

    def waiting(self) -> list[Waiter]:
        """Return the callers that wait for a connection to be free, the longest first."""
        return list(self._waiters)

    def dialling(self) -> list[Connection]:
        """Return the connections under construction."""
        return list(self._constructing)

    def close_idle(self) -> None:
        """Close every idle connection."""
        while self._idle:
            self._close(self._next_idle())

    def stats(self) -> PoolStats:
        """Return the pool as it is now."""
        return PoolStats(
            len(self._constructing),
            len(self._idle),
            len(self._active),
            len(self._waiters),
            self.settings.max_size,
            self._opened,
            self._closed,
            self._failed_dials,
            self._acquires,
            self._waits,
            self._wait_ns,
            self._cancelled,
        )

    @property
    def has_waiters(self) -> bool:
        """True while a caller waits for a connection to be free."""
        return bool(self._waiters)

    def _has_room(self) -> bool:
        return len(self._active) + len(self._constructing) < self.settings.max_size

    def _take(self, waiter: Waiter, since_ns: int, now_ns: int) -> Connection:
        while self._idle:
            connection = self._next_idle()
            if self._is_old(connection, now_ns) or self._is_unused(connection, now_ns):
                self._close(connection)
                continue
            self._activate(connection)
            self._acquires += 1
            if since_ns != now_ns:
                self._waits += 1
                self._wait_ns += now_ns - since_ns
            return connection
        self._numbers += 1
        connection = Connection(self._numbers, self.node)
        self._constructing[connection] = waiter
        self._dialled_ns[waiter] = since_ns
        return connection

    def _count_wait(self, since_ns: int, now_ns: int) -> None:
        self._acquires += 1
        self._waits += 1
        self._wait_ns += now_ns - since_ns

    def _activate(self, connection: Connection) -> None:
        connection.place = Place.ACTIVE
        self._active.add(connection)

    def _rest(self, connection: Connection) -> None:
        connection.place = Place.IDLE
        self._idle.append(connection)

    def _close(self, connection: Connection) -> None:
        connection.place = Place.CLOSED
        self._closed += 1
        self.doomed.append(connection)

    def _is_old(self, connection: Connection, now_ns: int) -> bool:
        return 0 < self.settings.max_lifetime_ns <= now_ns - connection.born_ns

    def _is_unused(self, connection: Connection, now_ns: int) -> bool:
        return 0 < self.settings.max_idle_ns <= now_ns - connection.used_ns
