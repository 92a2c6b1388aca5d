# Whose a lane's waits are: the server's, or those of a generator that stood still. Times and states in, lengths out.
#
# A busy period of a lane goes from the first request that could not go out at its time until none is waiting. A pause
# of the generator in it (the thread stopped, or without a CPU) during which the server ran dry sets back by as much all
# that waits, and what falls due later: a wait in the period is the generator's up to the sum of those pauses. A pause
# to whose end replies were owed sets nothing back, because the server was busy all along. Where neither is certain, the
# pause is in doubt, and makes an upper bound.
#
# This file knows no clock, no socket and no request.

from libc.stdint cimport int64_t

# What is known of a pause once it is over.
cdef enum Pause:
    SERVED = 0    # replies were owed throughout: nothing was lost by it
    DRY = 1       # what was due had room, or no reply was owed any more: the server waited for us
    IN_DOUBT = 2  # either may be true

# What is seen of a lane's connections before a pause, on waking, and once every readable socket was drained.
cdef struct Evidence:
    bint room         # one with room for another request, on a socket that took bytes
    int ready         # how many could carry load
    int stuck         # how many of those had a full socket, which was writable on waking
    int ready_after   # once drained: how many could carry load,
    int opening       # how many wait for the server to accept or to greet,
    int64_t owed      # and how many requests had gone out whole and were not answered


cdef struct Busy:
    bint blocked          # what is due waits for room, which only a reply or a reconnect brings
    int64_t blocked_ns    # since when
    int64_t dry_ns        # pauses of this period in which the server ran dry
    int64_t doubt_ns      # pauses of this period of which that is not certain


cdef inline Pause pause_kind(const Evidence *e) noexcept nogil:
    if e.room:
        return DRY
    if e.owed or e.opening and not e.ready:
        return SERVED
    # Nobody could be sent anything, a connection went meanwhile, or a socket took bytes again at an unknown time.
    if e.ready == 0 or e.ready_after < e.ready or e.stuck:
        return IN_DOUBT
    return DRY


cdef inline void busy_paused(Busy *b, Pause kind, int64_t from_ns, int64_t to_ns, int64_t due_ns) noexcept nogil:
    """A pause is over, of which what lies in the period counts. The first request that waits was due at `due_ns`."""
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
    """A due request finds no room."""
    if not b.blocked:
        b.blocked = True
        b.blocked_ns = now_ns


cdef inline int64_t busy_ours(const Busy *b, int64_t intended_ns, int64_t now_ns) noexcept nogil:
    """Of the wait of a request that goes out now: the generator's part, for certain."""
    cdef int64_t wait_ns = now_ns - intended_ns
    if not b.blocked:
        return wait_ns
    # Until the lane was blocked there was room, and only the loop was late.
    return min(wait_ns, max(b.dry_ns, b.blocked_ns - intended_ns))


cdef inline bint busy_is_behind(const Busy *b, int64_t end_ns, int64_t now_ns) noexcept nogil:
    """Whether what was due before `end_ns`, and still waits, would have gone by then but for the generator."""
    return not b.blocked or b.dry_ns > now_ns - end_ns


cdef inline bint busy_end(Busy *b) noexcept nogil:
    """None is waiting. Whether the lane was blocked."""
    cdef bint blocked = b.blocked
    b.blocked = False
    b.dry_ns = b.doubt_ns = 0
    return blocked
