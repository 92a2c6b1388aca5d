"""The waits of an engine before it opens connections again, held after every turn; `_backoff.pxd` has the law."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t

from loadgen.engine._connection cimport DOWN, END_OF_FILE, NO_FAILURE, READY, RESET, Connection
from loadgen.engine._pool cimport Pool

from loadgen.verify.world._world import BrokenInvariant

cdef int64_t FIRST_NS = 100_000_000
cdef enum:
    MOST_DOUBLED = 32  # times; the longest wait is reached long before


cdef class Backoff(Invariant):
    """The waits of `engine`, which runs on `ground` and has opened no connection yet."""

    def __init__(self, Engine engine not None, Ground ground not None, int64_t longest_ns):
        cdef int i, n = engine.pool.capacity
        if self.seen != NULL:
            raise RuntimeError("a Backoff is made once")
        self.engine = engine
        self.ground = ground
        self.longest_ns = longest_ns
        self.turns = -1
        self.seen = <Seen *>PyMem_Calloc(max(n, 1), sizeof(Seen))
        if self.seen == NULL:
            raise MemoryError()
        for i in range(n):
            self.seen[i].state = DOWN
            self.seen[i].stream = -1

    def __dealloc__(self):
        PyMem_Free(self.seen)

    cdef int check(self) except -1:
        cdef Pool pool = self.engine.pool
        cdef const Connection *c
        cdef int i
        if self.turns == self.ground.turn_count or self.ground.watcher is None:
            return 0
        self.turns = self.ground.turn_count
        for i in range(pool.n_connections):
            c = &pool.connections[i]
            if c.stream != self.seen[i].stream or c.state != self.seen[i].state:
                self.look(i)
        return 0

    cdef int look(self, int i) except -1:
        """Take note of what became of a connection in this turn: it was lost, opened, or both."""
        cdef Pool pool = self.engine.pool
        cdef const Connection *c = &pool.connections[i]
        cdef Seen *s = &self.seen[i]
        cdef bint was_ready = s.state == READY or c.first != s.first
        cdef bint opened = c.stream >= 0 and c.stream != s.stream
        # What opens a connection again in the turn in which it was lost has forgotten why it was lost.
        cdef bint hung_up = (c.failure == END_OF_FILE or c.failure == RESET or c.renewed
                             or opened and c.failure == NO_FAILURE)
        if c.first != s.first:
            s.failures = 0
            s.first = c.first
        if s.stream >= 0 and c.stream != s.stream:
            if was_ready:
                s.failures = not hung_up
                s.failed_ns = self.ground.world.now_ns
            elif not (opened and c.by_get):
                s.failures += 1
                s.failed_ns = self.ground.world.now_ns
        if <void *>pool.endpoints[c.server] != s.endpoint:
            s.endpoint = <void *>pool.endpoints[c.server]
            s.failures = 0
        if opened and s.failures and not pool.connecting:
            self.judged += 1
            if self.ground.time.now_ns() - s.failed_ns < self.least_ns(s.failures):
                raise BrokenInvariant(
                    f"a connection that failed waits before it is opened again: {s.failures} failures in a row, and "
                    f"{self.ground.time.now_ns() - s.failed_ns} ns, not {self.least_ns(s.failures)}")
        s.state = c.state
        s.stream = c.stream
        return 0

    cdef int64_t least_ns(self, int failures) noexcept:
        return min(FIRST_NS << min(failures - 1, MOST_DOUBLED), self.longest_ns) // 2
