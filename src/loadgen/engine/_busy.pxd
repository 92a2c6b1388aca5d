# The part of a lane's waits that a stopped generator caused, not the server. Times and states in, lengths out.
#
# A busy period of a lane lasts from the first request that could not be sent at its time until no request is waiting. A
# pause of the generator (the thread stopped, or without a CPU) during which the server ran dry delays, by its length,
# every request that waits or falls due later in the period: a wait in the period is the generator's up to the sum of
# those pauses. A pause to whose end replies were outstanding delays nothing, because the server was busy all along.
# Where neither is certain, the pause is in doubt, and counts for an upper bound.
#
# This file knows no clock, no socket and no request.

from libc.stdint cimport int64_t

# The kinds of a pause that is over.
cdef enum Pause:
    SERVED = 0    # replies were outstanding throughout: the pause delayed nothing
    DRY = 1       # due requests had room, or no reply was outstanding any more: the server waited for the generator
    IN_DOUBT = 2  # either may be true

# The state of a lane's connections before a pause, on waking, and after every readable socket was drained.
cdef struct Evidence:
    bint room         # a connection had room for another request, on a socket that took bytes
    int ready         # connections that could carry load
    int stuck         # connections of those whose socket was full, and was writable on waking
    int ready_after   # after draining: connections that could carry load
    int opening       # after draining: connections that wait for the server to accept or to greet
    int64_t owed      # after draining: requests that had been sent whole and were not answered


cdef struct Busy:
    bint blocked          # due requests wait for room, which only a reply or a reconnect brings
    int64_t blocked_ns    # the time from which the lane was blocked
    int64_t dry_ns        # pauses of this period in which the server ran dry
    int64_t doubt_ns      # pauses of this period that are in doubt


cdef inline Pause pause_kind(const Evidence *e) noexcept nogil:
    if e.room:
        return DRY
    if e.owed or e.opening and not e.ready:
        return SERVED
    # No connection could carry load, a connection was lost meanwhile, or a socket took bytes again at an unknown time.
    if e.ready == 0 or e.ready_after < e.ready or e.stuck:
        return IN_DOUBT
    return DRY


cdef inline void busy_paused(Busy *b, Pause kind, int64_t from_ns, int64_t to_ns, int64_t due_ns) noexcept nogil:
    """Count the part of a finished pause that lies in the period. The first request that waits was due at `due_ns`."""
    if not b.blocked:
        from_ns = max(from_ns, due_ns)
    if from_ns >= to_ns:
        return
    if kind == DRY:
        b.dry_ns += to_ns - from_ns
        return
    if kind == IN_DOUBT:
        b.doubt_ns += to_ns - from_ns
    busy_block(b, from_ns)


cdef inline void busy_block(Busy *b, int64_t now_ns) noexcept nogil:
    """Note that a due request finds no room."""
    if not b.blocked:
        b.blocked = True
        b.blocked_ns = now_ns


cdef inline int64_t busy_ours(const Busy *b, int64_t intended_ns, int64_t now_ns) noexcept nogil:
    """Return the part of the wait of a request sent now that is certainly the generator's."""
    cdef int64_t wait_ns = now_ns - intended_ns
    if not b.blocked:
        return wait_ns
    # Until the lane was blocked there was room, and only the loop was late.
    return min(wait_ns, max(b.dry_ns, b.blocked_ns - intended_ns))


cdef inline bint busy_is_behind(const Busy *b, int64_t end_ns, int64_t now_ns) noexcept nogil:
    """True when requests due before `end_ns` that still wait would have been sent by then but for the generator."""
    return not b.blocked or b.dry_ns > now_ns - end_ns


cdef inline bint busy_end(Busy *b) noexcept nogil:
    """End the period, as no request is waiting; return True when the lane was blocked."""
    cdef bint blocked = b.blocked
    b.blocked = False
    b.dry_ns = b.doubt_ns = 0
    return blocked
