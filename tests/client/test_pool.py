"""The pool's arithmetic under any row of calls, and puddle's rules one by one."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from loadgen.client._connection import Connection, Place
from loadgen.client._pool import Pool
from loadgen.client.pool import KINDS, PoolSettings

S = 1_000_000_000


class AnyCalls(RuleBasedStateMachine):
    """A pool beside a model of it: who waits, who has which connection, and what is dialled for whom."""

    waiters = Bundle("waiters")

    @initialize(
        kind=st.sampled_from([*KINDS]),
        size=st.integers(1, 4),
        lifetime=st.sampled_from([0, 3 * S]),
        idle=st.sampled_from([0, 2 * S]),
        pipeline=st.sampled_from([1, 3]),
    )
    def begin(self, kind: str, size: int, lifetime: int, idle: int, pipeline: int) -> None:
        self.pool: Pool[int] = Pool(kind, PoolSettings(size, lifetime, idle, pipeline))
        self.now_ns = self.settled_ns = 0
        self.number = 0
        self.waiting: list[int] = []
        self.dialled: dict[int, Connection] = {}
        self.orphans: list[Connection] = []
        self.held: dict[int, Connection] = {}
        self.checked: list[Connection] = []
        self.opened = self.closed = self.failed = self.gave_up = 0

    def settle(self) -> None:
        """Do what an owner does after each call."""
        while (granted := self.pool.grant(self.now_ns)) is not None:
            waiter, connection = granted
            assert waiter == self.waiting.pop(0), "the longest waits first"
            self.given(waiter, connection)
        for connection in self.pool.doomed:
            assert connection.place is Place.CLOSED
        self.settled_ns = self.now_ns
        self.closed += len(self.pool.doomed)
        self.pool.doomed.clear()

    def given(self, waiter: int, connection: Connection) -> None:
        if connection.place is Place.CONSTRUCTING:
            self.dialled[waiter] = connection
        else:
            assert connection.place is Place.ACTIVE
            self.hold_limits(connection)
            self.held[waiter] = connection
            assert self.load(connection) <= self.pool.settings.pipeline

    def load(self, connection: Connection) -> int:
        """Who holds a connection, callers and the health check."""
        return [*self.held.values(), *self.checked].count(connection)

    def hold_limits(self, connection: Connection) -> None:
        assert not self.is_old(connection)
        limit_ns = self.pool.settings.max_idle_ns
        assert not limit_ns or self.load(connection) or self.now_ns - connection.used_ns < limit_ns

    def is_old(self, connection: Connection) -> bool:
        return 0 < self.pool.settings.max_lifetime_ns <= self.now_ns - connection.born_ns

    def discard(self, connection: Connection) -> None:
        """All who hold it have it no more."""
        self.pool.discard(connection)
        self.held = {waiter: held for waiter, held in self.held.items() if held is not connection}
        self.checked = [checked for checked in self.checked if checked is not connection]

    @rule(target=waiters)
    def acquire(self) -> int:
        self.number += 1
        connection = self.pool.acquire(self.number, self.now_ns)
        if connection is None:
            self.waiting.append(self.number)
        else:
            self.given(self.number, connection)
        self.settle()
        return self.number

    @rule(waiter=consumes(waiters))
    def give_up(self, waiter: int) -> None:
        if waiter in self.waiting:
            self.waiting.remove(waiter)
        elif waiter in self.dialled:
            self.orphans.append(self.dialled.pop(waiter))
        else:
            return
        self.pool.give_up(waiter)
        self.gave_up += 1
        self.settle()

    @precondition(lambda self: self.held)
    @rule(draw=st.randoms(use_true_random=False), well=st.booleans())
    def end(self, draw: object, well: bool) -> None:
        waiter = draw.choice([*self.held])  # type: ignore[attr-defined]
        connection = self.held.pop(waiter)
        if well:
            self.pool.release(connection, self.now_ns)
        else:
            self.discard(connection)
        self.settle()

    @precondition(lambda self: self.dialled or self.orphans)
    @rule(draw=st.randoms(use_true_random=False), well=st.booleans())
    def dial_ends(self, draw: object, well: bool) -> None:
        connection = draw.choice([*self.dialled.values(), *self.orphans])  # type: ignore[attr-defined]
        whose = next((waiter for waiter, dialled in self.dialled.items() if dialled is connection), None)
        if whose is None:
            self.orphans.remove(connection)
        else:
            del self.dialled[whose]
        if well:
            self.opened += 1
            assert self.pool.opened(connection, self.now_ns) == whose
            if whose is not None:
                self.given(whose, connection)
        else:
            self.failed += 1
            assert self.pool.failed(connection) == whose
        self.settle()

    @precondition(lambda self: not self.checked)
    @rule()
    def check(self) -> None:
        taken = self.pool.take_idle(self.now_ns)
        assert self.pool.stats().idle == 0
        for connection in taken:
            self.hold_limits(connection)
        self.checked = taken
        self.settle()

    @precondition(lambda self: self.checked)
    @rule(well=st.booleans())
    def checked_one(self, well: bool) -> None:
        connection = self.checked.pop()
        used_ns = connection.used_ns
        if well:
            self.pool.release(connection, self.now_ns, used=False)
            assert connection.used_ns == used_ns
        else:
            self.discard(connection)
        self.settle()

    @rule(ns=st.integers(0, 2 * S))
    def wait(self, ns: int) -> None:
        self.now_ns += ns

    @invariant()
    def the_sum_is_right(self) -> None:
        if not hasattr(self, "pool"):
            return
        stats = self.pool.stats()
        assert stats.total == stats.constructing + stats.idle + stats.active <= stats.max_size
        assert stats.constructing == len(self.dialled) + len(self.orphans)
        active = {*self.held.values(), *self.checked}
        assert stats.active == len(active)
        assert stats.waiting == len(self.waiting)
        assert (stats.opened, stats.closed, stats.failed_dials) == (self.opened, self.closed, self.failed)
        assert stats.opened - stats.closed == stats.idle + stats.active
        assert stats.cancelled == self.gave_up
        # Nobody waits while there is room.
        assert not self.waiting or stats.active + stats.constructing == stats.max_size
        if self.waiting and self.settled_ns == self.now_ns:
            pipeline = self.pool.settings.pipeline
            assert all(self.load(connection) == pipeline or self.is_old(connection) for connection in active)


AnyCalls.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestAnyCalls = AnyCalls.TestCase


def filled(kind: str, size: int = 3, **limits: int) -> tuple[Pool[str], list[Connection]]:
    """A pool with as many idle connections as it may have, the first of which was released first."""
    pool: Pool[str] = Pool(kind, PoolSettings(size, **limits))
    connections = [pool.acquire(str(n), 0) for n in range(size)]
    for connection in connections:
        assert connection is not None
        pool.opened(connection, 0)
    for connection in connections:
        assert connection is not None
        pool.release(connection, 0)
    return pool, [connection for connection in connections if connection is not None]


def test_puddle_uses_the_connection_that_was_used_last_and_channel_the_one_that_rested_longest() -> None:
    for kind, first in (("puddle", 2), ("channel", 0)):
        pool, connections = filled(kind)
        for _ in range(3):
            taken = pool.acquire("a", 1)
            assert taken is not None
            pool.release(taken, 1)
            if kind == "puddle":
                assert taken is connections[first]
        assert pool.acquire("b", 2) is connections[first]


@pytest.mark.parametrize("kind", KINDS)
def test_waits_are_counted_with_their_length(kind: str) -> None:
    pool, _ = filled(kind, 1)
    assert (pool.stats().acquires, pool.stats().waits, pool.stats().wait_ns) == (1, 1, 0)
    held = pool.acquire("a", 10)
    assert held is not None
    assert (pool.stats().acquires, pool.stats().waits) == (2, 1)
    assert pool.acquire("b", 20) is None
    assert pool.stats().waiting == 1
    pool.release(held, 50)
    assert pool.grant(50) == ("b", held)
    assert (pool.stats().acquires, pool.stats().waits, pool.stats().wait_ns) == (3, 2, 30)


@pytest.mark.parametrize("kind", KINDS)
def test_the_lifetime_is_enforced_at_release(kind: str) -> None:
    pool, connections = filled(kind, 1, max_lifetime_ns=100)
    assert pool.acquire("a", 99) is connections[0]
    assert pool.acquire("b", 99) is None
    pool.release(connections[0], 100)
    assert pool.doomed == connections
    granted = pool.grant(100)
    assert granted is not None
    assert granted[0] == "b"
    assert granted[1].place is Place.CONSTRUCTING
