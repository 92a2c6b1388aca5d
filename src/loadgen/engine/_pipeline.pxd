# One connection without a socket: the requests in flight, matched to replies in order.
#
# The ring, oldest to newest (the indices only grow; masked, they address the ring):
#
#     head ── expired ── tail       expired: from head up to here, the timeout has been counted; replies are late
#     head ──── written ── tail     written: up to here, the last byte has gone to the kernel
#
# It is told the time and handed bytes; it reads neither clock nor socket. It tells a sink how each request ended, and
# knows neither phases nor commands.

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from loadgen._buffer cimport Cursor
from loadgen._codec cimport HEAD, Codec, Decoder
from loadgen._request cimport Request
from loadgen.engine._sink cimport Sink

cdef enum Fed:
    FED = 0             # every byte was understood
    ANSWERS_NOBODY = 1  # a reply came, and no request was waiting
    CORRUPT_REPLY = 2   # bytes came that are no reply to the oldest request, which is counted as corrupt
    WRONG_ANSWER = 3    # the value of another key came than the oldest request asked for; it is counted as corrupt

cdef struct Pipeline:
    Request *ring     # depth rounded up to a power of two; owned
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


cdef int pipeline_init(Pipeline *p, uint32_t depth, int64_t timeout_ns) except -1
cdef void pipeline_free(Pipeline *p) noexcept

# Takes received bytes, which begin with the `kept` ones, and ends a request per reply. `scheduled`: sends are told to
# the sink. What is not FED leaves the cursor at the bytes that were not understood.
cdef Fed pipeline_feed(Pipeline *p, Codec codec, Sink sink, bint scheduled, Cursor *c, int64_t now_ns) noexcept nogil

# Ends every request past its timeout, at its deadline.
cdef void pipeline_expire(Pipeline *p, Sink sink, int64_t now_ns) noexcept nogil

# Nothing can be expected of this connection any more: every slot has expired, or the oldest is twice past the timeout.
cdef bint pipeline_is_stalled(const Pipeline *p, int64_t now_ns) noexcept nogil

# The connection went: what the server had received, up to the byte `received` as `end` counts them, is lost; the rest
# is lost unless the sink takes it back. The pipeline is as new.
cdef void pipeline_abandon(Pipeline *p, Sink sink, uint64_t received, int64_t now_ns) noexcept nogil

# The run ends: whatever is open is unfinished, and the pipeline is as new.
cdef void pipeline_finish(Pipeline *p, Sink sink, int64_t now_ns) noexcept nogil


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
