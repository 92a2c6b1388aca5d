# A pipeline on a stream: connect, receive, send, and why it went.
#
# It reads no clock and decides nothing: the engine says when to connect, what to send and when to give up.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen._codec cimport Codec
from loadgen.engine._pipeline cimport Pipeline, pipeline_room
from loadgen.engine._transport cimport Address, Transport
from loadgen.engine._values cimport Values

cdef enum:
    DOWN = 0
    CONNECTING = 1
    GREETING = 2    # HELLO, AUTH, PING or `version` is on its way: is this a server that will serve us?
    READY = 3

# Why an attempt failed or a connection went.
cdef enum:
    NO_FAILURE = 0
    REFUSED = 1
    CONNECT_TIMEOUT = 2
    UNREACHABLE = 3     # any error of connecting that has no name of its own here
    TURNED_AWAY = 4     # the greeting was answered with an error
    END_OF_FILE = 5     # the server closed it
    RESET = 6           # any error of reading or writing, and ECONNRESET of connecting
    STALLED = 7         # its requests timed out
    PROTOCOL = 8        # bytes that are not the protocol
    UNASKED = 9         # a reply to no request
    LOCAL = 10          # no descriptor or no port left on this machine
    WRONG_VALUE = 11    # the value of another key than was asked for
    FAILURES = 12

# What a read did.
cdef enum Read:
    NOTHING = 0
    SOME = 1
    GONE = 2            # see Connection.failure

# A value that goes from the pool to the kernel without a copy: it stands before byte `at` of the out-buffer.
cdef struct Splice:
    size_t at
    uint64_t start      # in the pool, where it goes round
    uint64_t left

cdef struct Connection:
    Pipeline pipe
    int stream           # -1 where it has none
    int state
    int server           # its place among the endpoints
    void *sink           # hears how its requests end; borrowed
    int failure
    int error            # errno behind the failure, or 0
    bint watched_for_room  # the reactor reports when it can be written again
    bint was_ready
    uint32_t first       # since it became ready, the pipeline's head has moved on from here by a step for each answer
    bint abandoned       # a load ended while replies were due: what may still come must not be taken for others
    int greetings        # how many requests of the greeting have been sent
    bint by_get          # its server closes a connection on PING or `version`, and is asked by a GET
    bint touched         # it has unsent requests of the dispatch under way
    uint32_t written_before  # the pipeline's `written` when the pause that is being looked into was over
    char *out            # requests not yet in the kernel lie at out_at … out_end; owned
    size_t out_at
    size_t out_end
    size_t out_capacity
    size_t longest       # what a request takes of it at most
    Splice *splices      # a ring of as many slots as the pipeline's; NULL for small values; owned
    uint32_t splice_head
    uint32_t splice_tail
    uint64_t encoded     # bytes ever encoded, and ever written: a request is out when `written` reaches its end
    uint64_t written
    int64_t deadline_ns  # of connecting and greeting
    int64_t retry_ns     # not before this does a connection that is down try again
    int64_t backoff_ns
    int64_t doubt_ns     # of the wait of what is not out yet: as much more may be the generator's than is certain


# Makes an unused connection whose longest request takes `longest` bytes in the out-buffer.
cdef int connection_init(Connection *c, uint32_t depth, size_t longest, bint spliced) except -1
cdef void connection_free(Connection *c) noexcept

# Starts connecting: False, with failure and error set, when that failed at once.
cdef bint connection_begin(Connection *c, Transport net, const Address *to) noexcept nogil
# The stream became writable: 1 connected, 0 not yet, -1 failed.
cdef int connection_finish(Connection *c, Transport net) noexcept nogil
cdef void connection_close(Connection *c, Transport net) noexcept nogil

# Encodes the newest n requests of the pipeline. There is room for as many as connection_room says.
cdef void connection_encode(Connection *c, uint32_t n, Codec codec, Values values) noexcept nogil

# Writes as much as the kernel takes, says how many bytes that was, and moves the pipeline's `written` on. False, with
# failure and error set, when the connection has gone, if only after some of them.
cdef bint connection_flush(Connection *c, Transport net, Values values, int64_t *sent) noexcept nogil

# How far the server's machine had received what was written, as `Request.end` counts, when the server ended the
# connection in good order; what lies behind that, the server never saw. A connection that was cut off does not say, and
# then all was received, as where the kernel does not say (Linux does).
cdef uint64_t connection_received(const Connection *c, Transport net) noexcept nogil

# Reads once into `buffer`, behind the pipeline's kept bytes, or discards the body that is being skipped.
cdef Read connection_read(Connection *c, Transport net, char *buffer, size_t size, int64_t *received) noexcept nogil


cdef inline uint32_t connection_room(const Connection *c) noexcept nogil:
    """How many more requests can be encoded. One that was refused has left the pipeline, but not the out-buffer."""
    return 0 if c.pipe.refused_end else pipeline_room(&c.pipe)


cdef inline bint connection_has_unsent(const Connection *c) noexcept nogil:
    return c.out_at != c.out_end
