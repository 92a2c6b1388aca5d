# A pipeline on a stream: connecting, receiving, sending, and the reason of a failure.
#
# A connection reads no clock and decides nothing: its callers decide when to connect, what to send and when to give up.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen._codec cimport Codec
from loadgen.engine._pipeline cimport Pipeline, pipeline_room
from loadgen.engine._transport cimport Address, Transport
from loadgen.engine._values cimport Values

cdef enum:
    DOWN = 0
    CONNECTING = 1
    GREETING = 2    # HELLO, AUTH, PING or `version` is on its way: the server has yet to accept us
    READY = 3
    PARKED = 4      # accepted, and never used: it only exists

# The reasons for which an attempt failed or a connection was lost.
cdef enum:
    NO_FAILURE = 0
    REFUSED = 1
    CONNECT_TIMEOUT = 2
    UNREACHABLE = 3     # any other error of connecting
    TURNED_AWAY = 4     # the greeting was answered with an error
    END_OF_FILE = 5     # the server closed the connection
    RESET = 6           # any error of reading or writing, and ECONNRESET of connecting
    STALLED = 7         # the connection's requests timed out
    PROTOCOL = 8        # bytes that are not the protocol
    UNASKED = 9         # a reply to no request
    LOCAL = 10          # no descriptor or no port left on this machine
    WRONG_VALUE = 11    # the value of another key than that of the request
    TLS_FAILED = 12     # in the handshake or after it; the transport has the words
    FAILURES = 13

# The result of a read.
cdef enum Read:
    NOTHING = 0
    SOME = 1
    GONE = 2            # see Connection.failure

# A value that goes from the pool of values to the kernel without a copy. Its place is before byte `at` of the
# out-buffer.
cdef struct Splice:
    size_t at
    uint64_t start      # the offset in the pool, modulo POOL
    uint64_t left       # bytes still to be written

cdef struct Connection:
    Pipeline pipe
    int stream           # -1 when there is none
    int state
    int server           # the server's index among the endpoints
    void *sink           # receives the ends of requests; borrowed
    int failure
    int error            # errno behind the failure, or 0
    bint watched_for_room  # the reactor reports when the stream is writable again
    bint was_ready
    uint32_t first       # the pipeline's head when the connection became ready; the head moves on by one per answer
    bint abandoned       # a load ended while replies were due: they must not be matched to later requests
    int greetings        # how many requests of the greeting have been sent
    bint by_get          # the server closes a connection on PING or `version`, so the greeting has a GET instead
    bint reads_only      # to a replica of a cluster
    bint leaving         # no further request is sent on it, and it is closed when its open ones have been answered
    bint touched         # there are unsent requests of the current dispatch
    uint32_t written_before  # the pipeline's `written` at the end of the pause that is being examined
    char *out            # requests not yet in the kernel lie at out_at … out_end; owned
    size_t out_at
    size_t out_end
    size_t out_capacity
    size_t longest       # the most bytes that a request takes in `out`
    Splice *splices      # a ring with a slot for each value in flight; NULL for small values; owned
    uint32_t splice_mask
    uint32_t splice_head
    uint32_t splice_tail
    uint32_t process     # of the pipeline's first slot, for a history
    uint64_t encoded     # bytes ever encoded
    uint64_t written     # bytes ever written: a request is out when this reaches its `end`
    int address          # the server's address to which the attempt goes
    bint put_off         # the server's backlog was full: an attempt begins again when another has ended
    int tried            # the addresses that this attempt has tried, this one included
    int64_t deadline_ns  # of connecting to this address and the handshake, then of greeting
    int64_t attempt_end_ns  # of connecting to any address, the handshake and greeting
    int64_t begun_ns     # when connecting began
    int64_t connected_ns  # when the stream was up; 0 before. A handshake follows, where there is one
    int64_t secured_ns   # when the handshake was over; 0 before, and where there is none
    bint parks           # it is never used, and is PARKED instead of READY
    bint renewed         # it begins a new life as planned: only what every life begins with is sent
    bint departed        # we closed it for another server, and it has not been ready since
    uint32_t born        # the pipeline's tail at the beginning of this life
    uint32_t quota       # the requests of this life; 0: there is no end to them
    int64_t until_ns     # this life's end by time; 0: none
    int64_t retry_ns     # the earliest time at which a connection that is down is retried
    int64_t backoff_ns
    int64_t doubt_ns     # the part of unsent requests' wait that may be the generator's, beside the certain part


# What is sent before a request that ASKS. An out-buffer of a cluster has room for it in each request.
cdef enum:
    ASKING_BYTES = 16

# Make an unused connection whose longest request takes `longest` bytes in the out-buffer. `spliced` is the number of
# values of a request that are not copied into the out-buffer, at most; 0: every value is.
cdef int connection_init(Connection *c, uint32_t depth, size_t longest, int spliced) except -1
cdef void connection_free(Connection *c) noexcept

# Start to connect. False, with failure and error set, when that failed at once.
cdef bint connection_begin(Connection *c, Transport net, const Address *to) noexcept nogil
# Call when the stream became writable. Return 1 when it is connected, 0 when not yet, -1 when connecting failed, and
# HANDSHAKING when this is to be called again once there is something to read.
cdef int connection_finish(Connection *c, Transport net) noexcept nogil
cdef void connection_close(Connection *c, Transport net) noexcept nogil

# Encode the newest n requests of the pipeline. There is room for as many as connection_room returns.
cdef void connection_encode(Connection *c, uint32_t n, Codec codec, Values values) noexcept nogil

# Write as much as the kernel takes, set `sent` to the number of bytes, and move the pipeline's `written` on. False,
# with failure and error set, when the connection was lost, also after some bytes.
cdef bint connection_flush(Connection *c, Transport net, Values values, int64_t *sent) noexcept nogil

# Return up to which byte, as `Request.end` counts, the server's machine had received the written bytes when the server
# ended the connection in good order. The server never saw the bytes after that. For a connection that was cut off, and
# on a kernel without this count (Linux has it), all bytes count as received.
cdef uint64_t connection_received(const Connection *c, Transport net) noexcept nogil

# Read once into `buffer`, behind the pipeline's kept bytes, or discard bytes of the body that is being skipped.
cdef Read connection_read(Connection *c, Transport net, char *buffer, size_t size, int64_t *received) noexcept nogil


cdef inline uint32_t connection_room(const Connection *c) noexcept nogil:
    """Return how many more requests can be encoded: none while a refused one is in the out-buffer, or on leaving.

    A life that ends with a number of requests has room for those that are left of them.
    """
    cdef uint32_t room = 0 if c.pipe.refused_end or c.leaving else pipeline_room(&c.pipe)
    cdef uint32_t used = c.pipe.tail - c.born
    if c.quota:
        # Barriers behind quiet requests may have gone beyond the quota.
        return min(room, c.quota - used) if used < c.quota else 0
    return room


cdef inline bint connection_has_unsent(const Connection *c) noexcept nogil:
    return c.out_at != c.out_end or c.splice_head != c.splice_tail
