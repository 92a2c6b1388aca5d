# The lives of connections: when a connection is closed and opened again as planned, and how fast connections are
# opened. Told the time; no socket, no clock.
#
# A life has a quota of requests. Once it is used up, nothing more is sent; when the last of them has its reply, the
# connection is renewed. A life that ends at a time gets its quota then: the requests that were sent on it.

from libc.stdint cimport int64_t, uint32_t

from loadgen.engine._connection cimport Connection

cdef struct Lives:
    bint on           # connections are renewed: a load is under way
    uint32_t requests  # of each life; 0: any number
    int64_t time_ns   # of each life; 0: any time
    bint by_reset     # a connection is kept and begins its next life with RESET, instead of being closed

# The pace at which the first connections are opened.
cdef struct Ramp:
    int64_t gap_ns    # between two of this worker's connections; 0: at once
    int64_t offset_ns  # of its first, so that the connections of all workers are spaced evenly
    int64_t next_ns   # when the next connection may be opened


# The quotas of `lives`, of a plan's Life.
cdef int lives_init(Lives *lives, life) except -1
# The pace of worker `index`.
cdef int ramp_init(Ramp *ramp, plan, int index) except -1

# Begin a life. `part` shortens a life that ends at a time: connections that begin together end one after the other.
cdef void life_begin(Connection *c, const Lives *lives, int64_t now_ns, double part) noexcept nogil
# End all lives that have not used up their quota: they go on for ever.
cdef void life_unbounded(Connection *c) noexcept nogil


cdef inline bint has_lived(Connection *c, int64_t now_ns) noexcept nogil:
    """True when a connection's life is over and its last reply is there."""
    if c.until_ns and now_ns >= c.until_ns:
        c.until_ns = 0
        c.quota = c.pipe.tail - c.born
        if c.quota == 0:
            # Nothing was sent in this life. The quota of a request that was never made leaves no room either.
            c.born -= 1
            c.quota = 1
    return c.quota and c.pipe.head == c.pipe.tail and c.pipe.tail - c.born >= c.quota


cdef inline int ramp_room(const Ramp *ramp, int64_t now_ns) noexcept nogil:
    """True when the next connection may be opened."""
    return ramp.gap_ns == 0 or now_ns >= ramp.next_ns
