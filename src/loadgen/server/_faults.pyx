"""The faults that the built-in server makes on purpose; `_faults.pxd` describes them and their laws."""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t, uint64_t

from loadgen.engine._random cimport random_below, random_seed, random_unit
from loadgen.engine._time cimport Clocks, Time

cdef enum:
    NS_PER_S = 1000000000
    # Slow reading goes in steps of this length: several times the resolution of both loops' timers, 1 ms.
    SLICE_NS = 10000000
    JITTERS = 1  # streams of the seed
    FAILURES = 2


@cython.final
cdef class Faults:
    def __init__(
        self, *, int64_t stall_ns=0, int64_t every_ns=0, int64_t delay_ns=0, int64_t jitter_ns=0, bint blackhole=False,
        double error_rate=0.0, int64_t close_after=0, int64_t read_bytes_per_s=0, uint64_t seed=0,
    ):
        if min(stall_ns, every_ns, delay_ns, jitter_ns, close_after, read_bytes_per_s) < 0:
            raise ValueError("planted times and counts are not negative")
        if (stall_ns or every_ns) and not 0 < stall_ns < every_ns:
            raise ValueError("a stall is shorter than the time from one to the next, and longer than nothing")
        if not 0.0 <= error_rate <= 1.0:
            raise ValueError("a share of errors is between 0 and 1")
        self.time = Clocks()
        self.stall_ns = stall_ns
        self.every_ns = every_ns
        self.delay_ns = delay_ns
        self.jitter_ns = jitter_ns
        self.blackhole = blackhole
        self.error_rate = error_rate
        self.close_after = close_after
        self.read_bytes_per_s = read_bytes_per_s
        self.seed = seed
        self.stall_at_ns = INT64_MAX
        random_seed(&self.jitters, seed, JITTERS)
        random_seed(&self.failures, seed, FAILURES)

    cdef int64_t start(self) noexcept:
        self.stall_at_ns = self.time.now_ns() + self.every_ns
        return self.stall_at_ns

    cdef int64_t freeze(self) noexcept:
        cdef int64_t now_ns
        if self.stall_ns > 0:
            now_ns = self.time.now_ns()
            if now_ns >= self.stall_at_ns:
                self.wait_until(now_ns + self.stall_ns)
                self.stall_at_ns += self.every_ns * (1 + (now_ns - self.stall_at_ns) // self.every_ns)
        return self.stall_at_ns

    cdef void arrive(self) noexcept:
        # The timer of a freeze may be behind other sockets in the loop's queue.
        self.freeze()
        self.served_ns = self.time.now_ns()

    cdef void serve(self) noexcept:
        cdef int64_t end_ns = self.served_ns + self.delay_ns
        if self.jitter_ns > 0:
            end_ns += <int64_t>random_below(&self.jitters, <uint64_t>self.jitter_ns + 1)
        if self.stall_ns > 0:
            while self.stall_at_ns < end_ns:
                end_ns += self.stall_ns
                self.stall_at_ns += self.every_ns
        self.served_ns = end_ns
        self.wait_until(end_ns)

    cdef bint fails(self) noexcept:
        return self.error_rate > 0.0 and random_unit(&self.failures) < self.error_rate

    cdef bint takes_time(self) noexcept:
        return self.delay_ns > 0 or self.jitter_ns > 0

    cdef Py_ssize_t read_most(self) noexcept:
        return max(1, self.read_bytes_per_s // (NS_PER_S // SLICE_NS))

    cdef int64_t read_again_at(self, int64_t read_at_ns, Py_ssize_t read_bytes) noexcept:
        # A connection that was idle may catch up on one slice, so that late timers do not lower the rate, and no more.
        cdef int64_t from_ns = max(read_at_ns, self.time.now_ns() - SLICE_NS)
        return from_ns + <int64_t>(<double>read_bytes / self.read_bytes_per_s * NS_PER_S)

    cdef int64_t left_ns(self, int64_t at_ns) noexcept:
        return at_ns - self.time.now_ns()

    cdef void wait_until(self, int64_t at_ns) noexcept:
        cdef Time time = self.time
        cdef bint waited
        if not self.interrupted:
            with nogil:
                waited = time.wait_until(at_ns)
            self.interrupted = not waited
