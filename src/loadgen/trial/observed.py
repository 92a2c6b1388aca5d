"""What a client on trial was seen to do, as frozen values that add over callers and over time. No I/O.

A caller process reports one `Observed` for each interval, of the operations that ended in the interval. Times are of
the monotonic clock, which all processes of one host share, in ns.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadgen.algebra import Addable, by_name, counted, state
from loadgen.engine._histogram import Histogram

P99 = 0.99

NEVER_NS = 2**63 - 1
"""A time that is later than any other."""

ERRORS = {
    "timeout": "the operation's deadline passed",
    "refused": "no connection could be made: refused, reset or unreachable",
    "lost": "the connection ended while the operation was under way",
    "breaker_open": "a circuit breaker refused the operation",
    "pool_exhausted": "no connection of the pool was free in time",
    "server": "the server replied with an error",
    "protocol": "the reply was not of the protocol",
    "cancelled": "the client cancelled the operation",
    "other": "any other exception",
}
"""The classes of errors that an adapter maps its client's exceptions to, with their meaning."""

WRONG = {
    "other_key": "the value of another key",
    "stale": "a value older than one that was acknowledged before the read began",
    "damaged": "a value that fails its checksum or has the wrong length",
    "unwritten": "a value that nobody wrote, or wrote after the read had ended",
    "count": "a counter that is not the sum of its acknowledged increments",
}
"""The kinds of wrong answers. A miss is never wrong: a cache may evict."""


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A reply that no correct client could have returned, with both requests named."""

    kind: str
    """One of `WRONG`."""
    at_ns: int
    node: int
    key: str
    found: str
    """What came: "value 17 of writer 2 for key b, written 1.2 s before"."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a breaker's state."""

    at_ns: int
    node: int
    before: str
    """`closed`, `half-open` or `open`."""
    after: str


@dataclass(frozen=True, slots=True)
class Counts(Addable):
    """Operations on one node, by their end.

    A user waits for the response time, which counts from the time at which an operation was due. The client is judged
    by the service time, which counts from its call: what comes before is the wait for a caller that is free.
    """

    begun: int = counted(0)
    ok: int = counted(0)
    """Ended without an exception and without a wrong answer; misses and refused increments included."""
    misses: int = counted(0)
    """The part of `ok` that found nothing."""
    wrong: int = counted(0)
    errors: Mapping[str, int] = by_name()
    """By class of `ERRORS`."""
    overdue: int = counted(0)
    """Operations that ended more than the caller's tolerance after their deadline."""
    latency: Histogram = counted(factory=Histogram)
    """Response time of operations that ended well, in ns."""
    failed_latency: Histogram = counted(factory=Histogram)
    """Response time of those that ended by an exception."""
    service: Histogram = counted(factory=Histogram)
    """Service time of operations that ended well, in ns."""
    failed_service: Histogram = counted(factory=Histogram)
    """Service time of those that ended by an exception."""

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def ended(self) -> int:
        return self.ok + self.wrong + self.failed


def _of_known(merge: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a merge of values that may be None: None where both are, else the known one or the merge of both."""
    return lambda a, b: b if a is None else a if b is None else merge(a, b)


_SUM = _of_known(operator.add)


@dataclass(frozen=True, slots=True)
class NodeState(Addable):
    """What a client says of itself for one node now. None: the client does not say."""

    breaker: str | None = state(None, _of_known(lambda a, b: a if a == b else f"{a}/{b}"))
    consecutive_failures: int | None = state(None, _of_known(max))
    total: int | None = state(None, _SUM)
    """Connections: constructing + idle + active."""
    constructing: int | None = state(None, _SUM)
    active: int | None = state(None, _SUM)
    idle: int | None = state(None, _SUM)
    waiting: int | None = state(None, _SUM)
    """Operations that wait for a connection."""
    most: int | None = state(None, _SUM)
    """The bound of `total`."""
    opened: int | None = state(None, _SUM)
    """Connections opened since the client was made."""
    closed: int | None = state(None, _SUM)
    failed_dials: int | None = state(None, _SUM)
    abandoned: int | None = state(None, _SUM)
    """Connections given up while a reply was outstanding, since the client was made: late replies, at most so many."""
    sockets: int | None = state(None, _SUM)
    """Established sockets from the caller's process to the node, by the kernel."""


@dataclass(frozen=True, slots=True)
class Observed(Addable):
    """One interval of one caller, or of several callers, or several intervals."""

    from_ns: int = state(NEVER_NS, min)
    """`NEVER_NS` for the sum of no interval."""
    to_ns: int = state(0, max)
    nodes: Mapping[int, Counts] = by_name()
    """By node, from 1; 0 where the caller does not know the node, or an operation is on several."""
    parts: Mapping[int, Counts] = by_name()
    """By node, the parts of operations on several nodes that have ended, where the client says how. They have no times:
    the client tells the time of the whole, which waits for every node."""
    states: Mapping[int, NodeState] = by_name()
    """By node."""
    transitions: tuple[Transition, ...] = counted(())
    wrong: tuple[WrongAnswer, ...] = counted(())
    """The first wrong answers of the interval; `Counts.wrong` counts all."""
    examples: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"add": lambda a, b: {**b, **a}, "subtract": lambda now, before: now},
    )
    """The first error of each class, in the client's words."""
    unread_ns: int = state(0, max)
    """The longest that reading the client's statistics took, or that the caller's loop did not get to it."""
    slowest_ns: int = state(0, max)
    """The longest operation that ended, or is under way."""
    waited_ns: int = state(0, max)
    """The longest that a thread of a caller was ready to run and had no CPU, in one interval; 0 where the kernel does
    not say."""
    under_way: int = state(0, operator.add)
    due: int = counted(0)
    """Operations that fell due, in an open loop."""
    backend_loads: int = counted(0)
    """Values that callers asked the backend for because the cache missed: the stampede's loads of the backend."""
    expiries: int = counted(0)
    """Times that the stampede's key was gone: loads of one such time follow each other within half of its period."""
    sighted: int = counted(0)
    """Values that callers read and another caller process had written."""
    tasks: int | None = state(None, _SUM)
    """Tasks or threads in the caller's process that are not the caller's own."""

    def of(self, node: int | None = None) -> Counts:
        """Return the counts of one node, its parts of operations included; or of all, each operation once."""
        if node is None:
            return sum(self.nodes.values(), Counts())
        whole, part = self.nodes.get(node, Counts()), self.parts.get(node)
        return whole if part is None else whole + part

    @property
    def seen(self) -> frozenset[int]:
        """The nodes with counts, 0 for operations that are on several nodes or not known."""
        return frozenset({*self.nodes, *self.parts})


def p99_ns(times: Histogram) -> int:
    """Return the p99 of response or service times; 0 without any."""
    return times.quantile(P99) if times.count else 0
