# The connections of one worker, and the bytes on them: opened a few at a time, greeted, read, written, dropped, and
# tried again.
#
# What is sent on a connection that is ready, and when one that is down is tried again, is for its sender to say.

from libc.stdint cimport int64_t, uint8_t

from loadgen._buffer cimport Cursor
from loadgen._codec cimport Codec
from loadgen._request cimport PHASES
from loadgen.engine._connection cimport FAILURES, Connection
from loadgen.engine._random cimport Random
from loadgen.engine._reactor cimport Reactor, Watcher
from loadgen.engine._sink cimport Sink
from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Address, Transport
from loadgen.engine._values cimport Values

cdef enum:
    READ_BUFFER = 262144
    # No more connections are tried at once: a burst of more connects than a listen backlog holds would wait for SYNs to
    # be sent again.
    OPENING = 256


# Who uses a pool: it is told when there is room, and when it is time.
cdef class Sender:
    # A connection has room, to be filled as far as there is something to send.
    cdef void fill(self, Connection *c, int64_t now_ns) noexcept
    # This wake-up is late, and nothing that it brought has been looked at.
    cdef void woke_late(self, int64_t now_ns) noexcept
    # Each connection is ready, or has failed once.
    cdef void all_tried(self) noexcept
    # The server has closed a connection that it had answered on, and it may be opened again at once.
    cdef void recycled(self, Connection *c, int64_t now_ns) noexcept
    # As a reactor's Watcher is told.
    cdef void on_timer(self) noexcept
    cdef void on_swept(self) noexcept


cdef class Pool(Watcher):
    cdef Sender sender            # None after `close`, which breaks the cycle
    cdef Reactor reactor
    cdef Time time
    cdef Transport net
    cdef Codec codec
    cdef Values values
    cdef bint scheduled           # sends are told to the sinks
    cdef Random random            # of reconnect backoff
    cdef Connection *connections  # owned
    cdef int n_connections
    cdef Address *addresses       # of the servers; owned
    cdef int n_servers
    cdef char *buffer             # READ_BUFFER bytes that every read goes through; owned
    cdef int phase                # whose bytes are counted now
    cdef uint8_t greetings[2]     # the commands that open a connection
    cdef int n_greetings
    cdef tuple turned_away_by     # how errors begin after which no request on a connection can succeed, as bytes
    cdef bint hello_counts        # an error in reply to HELLO does, too: RESP3 was asked for
    cdef bint may_ask_by_get      # where PING or `version` is answered by closing the connection
    cdef int64_t connect_timeout_ns
    cdef bint connecting          # every connection is being tried
    cdef int next_to_open
    cdef int opening
    cdef bint in_open_more
    cdef bint over                # nobody waits for replies any more
    cdef int active
    cdef int64_t opened, failed, closed, reconnects
    cdef int64_t failures[FAILURES]
    cdef dict examples            # the first failure of each reason, in words
    cdef int64_t late_ns          # a clock reading after this one comes from a wake-up that was late
    cdef int64_t heard_ns         # when bytes last came
    cdef int64_t rx[PHASES]
    cdef int64_t tx[PHASES]

    # Makes a connection, closed as yet, to a server; `sink`, which is to outlive it, hears of its requests.
    cdef int add(self, int number, int server, plan, Sink sink) except -1
    cdef Py_ssize_t longest_request(self, plan) except -1
    cdef int close(self) except -1  # every descriptor is given back

    # Bytes.
    cdef void receive(self, Connection *c) noexcept
    cdef void flush(self, Connection *c, int64_t now_ns) noexcept
    cdef void read_the_rest(self, Connection *c, int64_t now_ns) noexcept

    # The life of a connection. Those on which replies may still come are replaced first, and all of them if `fresh`.
    cdef void open_all(self, bint fresh, int64_t now_ns) noexcept
    cdef void open_more(self, int64_t now_ns) noexcept
    cdef void open_one(self, Connection *c, int64_t now_ns) noexcept
    cdef void greet(self, Connection *c, int64_t now_ns) noexcept
    cdef void greeted(self, Connection *c, int64_t now_ns) noexcept
    cdef void ready(self, Connection *c, int64_t now_ns) noexcept
    cdef bint turns_away(self, Connection *c) noexcept
    cdef void fail(self, Connection *c, int reason, int64_t now_ns) noexcept
    cdef void drop(self, Connection *c, int64_t now_ns) noexcept
    cdef void leave_all(self, int64_t now_ns) noexcept  # what is open is unfinished, and what comes is not heard

    cdef void explain(self, Connection *c) noexcept
    cdef void explain_garbage(self, Connection *c, int reason, Cursor *cursor) noexcept
