# One connection without a socket: the requests in flight, matched to replies in order.
#
# The ring, oldest to newest (the indices only grow; masked, they address the ring):
#
#     head ── expired ── tail       expired: from head up to here, the timeout has been counted; replies are late
#     head ──── written ── tail     written: up to here, the last byte has gone to the kernel
#
# It is told the time and handed bytes; it reads neither clock nor socket.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from loadgen._buffer cimport Cursor
from loadgen._codec cimport HEAD, Codec, Decoder
from loadgen.engine._recorder cimport Recorder
from loadgen._request cimport Request

cdef enum Fed:
    FED = 0             # every byte was understood
    ANSWERS_NOBODY = 1  # a reply came, and no request was waiting
    CORRUPT_REPLY = 2   # bytes came that are no reply to the oldest request, which is counted as corrupt
    WRONG_ANSWER = 3    # the value of another key came than the oldest request asked for; it is counted as corrupt

# Keys that somebody still has to write: what a prefill could not store yet, what a GET missed with backfill on. Shared
# by the pipelines of one server; it never overflows, because whoever sends empties it first, so that keys owed and
# requests in flight together are never more than all pipelines' slots.
cdef struct Owed:
    uint64_t *keys    # owned by the engine
    uint32_t mask
    uint32_t head
    uint32_t tail
    bint backfill     # a GET's miss owes its key

# Requests that a server which closed their connection had not received: they are for whichever connection has room.
# Shared and bounded as what is owed.
cdef struct Requeued:
    Request *ring     # owned by the engine
    uint32_t mask
    uint32_t head
    uint32_t tail

cdef struct Pipeline:
    Request *ring     # depth rounded up to a power of two; owned
    Owed *owed        # borrowed
    Requeued *requeued  # borrowed
    uint32_t mask
    uint32_t depth
    uint32_t head
    uint32_t expired
    uint32_t written
    uint32_t tail
    int64_t timeout_ns
    uint64_t refused_end  # the `end` of a request that was refused before it was all written, until it is; else 0
    Decoder decoder
    uint16_t kept     # bytes of a reply's head that the last read cut off …
    char keep[HEAD]   # … kept here until the next


cdef int pipeline_init(Pipeline *p, uint32_t depth, int64_t timeout_ns, Owed *owed, Requeued *requeued) except -1
cdef void pipeline_free(Pipeline *p) noexcept

# Takes received bytes, which begin with the `kept` ones. Records an outcome per reply. What is not FED leaves the
# cursor at the bytes that were not understood.
cdef Fed pipeline_feed(Pipeline *p, Codec codec, Recorder recorder, Cursor *c, int64_t now_ns) noexcept nogil

# Counts every request past its timeout, at its deadline.
cdef void pipeline_expire(Pipeline *p, Recorder recorder, int64_t now_ns) noexcept nogil

# Nothing can be expected of this connection any more: every slot has expired, or the oldest is twice past the timeout.
cdef bint pipeline_is_stalled(const Pipeline *p, int64_t now_ns) noexcept nogil

# The connection went: what the server had received, up to the byte `received` as `end` counts them, is lost; the rest
# of the load is requeued. The pipeline is as new.
cdef void pipeline_abandon(Pipeline *p, Recorder recorder, uint64_t received) noexcept nogil

# The run ends: whatever is open is unfinished, and the pipeline is as new.
cdef void pipeline_finish(Pipeline *p, Recorder recorder, int64_t now_ns) noexcept nogil


cdef inline uint32_t pipeline_room(const Pipeline *p) noexcept nogil:
    return p.depth - (p.tail - p.head)


cdef inline uint32_t pipeline_open(const Pipeline *p) noexcept nogil:
    """Requests that can still end well."""
    return p.tail - p.expired


cdef inline Request *pipeline_push(Pipeline *p) noexcept nogil:
    """The slot of a new request, to be filled in but for `resent`. There must be room."""
    p.tail += 1
    p.ring[(p.tail - 1) & p.mask].resent = False
    return &p.ring[(p.tail - 1) & p.mask]


cdef inline void owe(Owed *o, uint64_t key) noexcept nogil:
    o.keys[o.tail & o.mask] = key
    o.tail += 1


cdef inline void requeue(Requeued *q, const Request *r) noexcept nogil:
    q.ring[q.tail & q.mask] = r[0]
    q.tail += 1


cdef inline bint has_requeued(const Requeued *q) noexcept nogil:
    return q.head != q.tail


cdef inline void take_requeued(Requeued *q, Request *r) noexcept nogil:
    """The oldest, into the slot of a new request. There must be one."""
    r[0] = q.ring[q.head & q.mask]
    q.head += 1
