# One connection without a socket: the requests in flight, matched to replies in order.
#
# The ring, oldest to newest (the indices only grow; masked, they address the ring):
#
#     head ── expired ── tail       expired: from head up to here, requests have timed out; their replies are late
#     head ──── written ── tail     written: from head up to here, the last byte has gone to the kernel
#
# A barrier is a request behind silent ones (`_codec`), whose reply ends their silence. Barriers have slots of the ring
# beside those of `depth` requests.
#
# A pipeline is passed times and bytes, and reads neither clock nor socket. A pipeline reports the end of each request
# to a sink, and knows neither phases nor commands.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from loadgen._buffer cimport Cursor
from loadgen._codec cimport HEAD, Codec, Decoder
from loadgen._request cimport Request
from loadgen.engine._sink cimport Sink

cdef enum Fed:
    FED = 0             # every byte was understood
    ANSWERS_NOBODY = 1  # a reply arrived, and no request was waiting
    CORRUPT_REPLY = 2   # the bytes are no reply to the oldest request, which counts as corrupt
    WRONG_ANSWER = 3    # the value is of another key than that of the oldest request, which counts as corrupt

# What was pushed on the connections of a pool.
cdef struct Pushes:
    int64_t invalidations  # of client tracking
    int64_t keys           # in those
    int64_t flushes        # of all keys
    int64_t others

cdef struct Pipeline:
    Request *ring     # depth, twice that with barriers, rounded up to a power of two; owned
    uint32_t mask
    uint32_t depth
    uint32_t head
    uint32_t expired
    uint32_t written
    uint32_t tail
    uint32_t barriers  # barriers from head to tail
    int barrier        # the command that is one; -1: there are none
    int64_t timeout_ns
    uint64_t refused_end  # the `end` of a request that was refused before all of it was written, until it is; else 0
    Pushes *pushes    # counts of the pool; borrowed; NULL: pushes are not counted
    Decoder decoder
    uint16_t kept     # the length of a reply's head that the last read cut off
    char keep[HEAD]   # that head, until the next read


# `barrier` is the command that is sent behind silent requests, or -1.
cdef int pipeline_init(Pipeline *p, uint32_t depth, int64_t timeout_ns, int barrier) except -1
cdef void pipeline_free(Pipeline *p) noexcept

# Decode received bytes, which begin with the `kept` ones, and end a request per reply. With `scheduled`, sends are
# reported to the sink. On any result but FED, the cursor is at the bytes that were not understood.
cdef Fed pipeline_feed(Pipeline *p, Codec codec, Sink sink, bint scheduled, Cursor *c, int64_t now_ns) noexcept nogil

# End every request that is past its timeout, at its deadline.
cdef void pipeline_expire(Pipeline *p, Sink sink, int64_t now_ns) noexcept nogil

# True when the connection is useless: every slot has expired, or the oldest request has waited twice its timeout.
cdef bint pipeline_is_stalled(const Pipeline *p, int64_t now_ns) noexcept nogil

# End the requests of a connection that was lost, and reset the pipeline. Requests that the server had received, up to
# the byte `received` as `Request.end` counts, are lost. The others are lost unless the sink takes them back.
cdef void pipeline_abandon(Pipeline *p, Sink sink, uint64_t received, int64_t now_ns) noexcept nogil

# End all open requests as unfinished, and reset the pipeline.
cdef void pipeline_finish(Pipeline *p, Sink sink, int64_t now_ns) noexcept nogil


# Count the whole push that a decoder has just read.
cdef void count_push(Pushes *pushes, const Decoder *d) noexcept nogil


cdef inline uint32_t pipeline_room(const Pipeline *p) noexcept nogil:
    return p.depth + p.barriers - (p.tail - p.head)


cdef inline uint32_t pipeline_open(const Pipeline *p) noexcept nogil:
    """Return the number of requests that have not ended: replies may still arrive in time."""
    return p.tail - p.expired


cdef inline Request *pipeline_push(Pipeline *p) noexcept nogil:
    """Return the slot of a new request, of which the caller sets all but `resent`. There must be room."""
    p.tail += 1
    p.ring[(p.tail - 1) & p.mask].resent = False
    return &p.ring[(p.tail - 1) & p.mask]


cdef inline Request *pipeline_push_barrier(Pipeline *p) noexcept nogil:
    """Return the slot of a new barrier, like `pipeline_push`. There is room behind any request but another barrier."""
    cdef Request *r = pipeline_push(p)
    r.command = <uint8_t>p.barrier
    p.barriers += 1
    return r
