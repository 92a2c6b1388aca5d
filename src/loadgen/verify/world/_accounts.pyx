"""The accounts of an engine, held after every event; `_accounts.pxd` lists them."""

from libc.stdint cimport int64_t, uint32_t

from loadgen._request cimport PHASES
from loadgen.engine._connection cimport CONNECTING, DOWN, GREETING, READY, Connection
from loadgen.engine._lane cimport Lane
from loadgen.engine._pipeline cimport Pipeline
from loadgen.engine._pool cimport Pool
from loadgen.engine._recorder cimport Recorder, Tally
from loadgen.engine._sink cimport ENDS

from loadgen.verify.world._world import BrokenInvariant


cdef class Accounts(Invariant):
    """The accounts of `engine`, which runs on `ground`. They hold from its making on."""

    def __init__(self, Engine engine not None, Ground ground not None):
        self.engine = engine
        self.ground = ground
        self.turns = -1

    cdef int broken(self, str words) except -1:
        raise BrokenInvariant(words)

    cdef int look_up(self) except -1:
        """Find the accounts in which requests were planned."""
        cdef Recorder recorder = self.engine.recorder
        cdef int i
        self.in_use = 0
        for i in range(PHASES * recorder.commands):
            if recorder.accounts[i].tally.planned and self.in_use < MOST_IN_USE:
                self.used[self.in_use] = i
                self.in_use += 1
        return 0

    cdef int64_t unended(self) noexcept:
        """Return how many planned requests have no end, by the accounts in use."""
        cdef const Tally *t
        cdef int64_t sum = 0
        cdef int i, end
        for i in range(self.in_use):
            t = &self.engine.recorder.accounts[self.used[i]].tally
            sum += t.planned
            for end in range(ENDS):
                sum -= t.ended[end]
        return sum

    cdef int check(self) except -1:
        cdef Pool pool = self.engine.pool
        cdef int64_t planned, open = 0
        cdef int i, active = 0, opening = 0
        cdef const Connection *c
        cdef const Pipeline *p
        cdef Lane lane
        # An engine that was closed serves the ground no more, and keeps no account of its connections.
        if self.turns == self.ground.turn_count or self.ground.watcher is None:
            return 0
        self.turns = self.ground.turn_count
        self.checks += 1
        for i in range(pool.n_connections):
            c = &pool.connections[i]
            p = &c.pipe
            active += c.state == READY
            opening += c.state == CONNECTING or c.state == GREETING
            if <uint32_t>(p.expired - p.head) > <uint32_t>(p.tail - p.head) or (
                    <uint32_t>(p.written - p.head) > <uint32_t>(p.tail - p.head)):
                self.broken("a pipeline's expired and written requests are among those in flight")
            if <uint32_t>(p.tail - p.head) - p.barriers > p.depth:
                self.broken("a pipeline has no more requests in flight than its depth")
            if c.state == DOWN and (p.tail != p.head or c.stream >= 0):
                self.broken("a connection that is down has no stream and no request")
            if c.state >= CONNECTING and c.stream < 0:
                self.broken("a connection that is up has a stream")
            open += p.tail - p.expired
        if active != pool.active:
            self.broken(f"the pool counts the connections that are ready: {pool.active}, and {active} are")
        if opening != pool.opening:
            self.broken(f"the pool counts the connections on their way: {pool.opening}, and {opening} are")
        for lane in self.engine.lanes.all:
            open += <uint32_t>(lane.requeued.tail - lane.requeued.head)
        planned = self.unended()
        if planned != open:
            # Requests of another command or phase may have been planned since the slots in use were looked up.
            self.look_up()
            planned = self.unended()
        if planned != open:
            self.broken(f"every planned request has ended or is open: {planned} have not ended, and {open} are open")
        return 0
