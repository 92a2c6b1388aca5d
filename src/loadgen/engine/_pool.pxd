# The connections of one worker, and the bytes on them. A pool opens connections a few at a time, greets the server on
# them, reads, writes, and drops them.
#
# The pool's sender decides what is sent on a ready connection, and when a connection that is down is retried.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from loadgen._buffer cimport Cursor
from loadgen._codec cimport Codec
from loadgen._request cimport PHASES
from loadgen.engine._connection cimport FAILURES, Connection
from loadgen.engine._histogram cimport Counts
from loadgen.engine._life cimport Lives, Ramp
from loadgen.engine._pipeline cimport Pushes
from loadgen.engine._random cimport Random
from loadgen.engine._reactor cimport Reactor, Watcher
from loadgen.engine._server cimport Server
from loadgen.engine._sink cimport Sink
from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Transport
from loadgen.engine._values cimport Values

cdef enum:
    READ_BUFFER = 262144
    # The most connections that are opened at once: in a burst of more connects than a listen backlog holds, some would
    # wait until their SYN is sent again.
    OPENING = 256
    # The servers that a cluster may get while it is under load.
    SPARE = 16


# The user of a pool, which the pool calls when a connection has room and when a time has come.
cdef class Sender:
    # Fill a connection that has room, as far as there are requests to send.
    cdef void fill(self, Connection *c, int64_t now_ns) noexcept
    # Handle a late wake-up. Nothing that arrived before it has been decoded yet.
    cdef void woke_late(self, int64_t now_ns) noexcept
    # Every connection is ready, or has failed once.
    cdef void all_tried(self) noexcept
    # The server has closed a connection on which it had answered, or a life has ended as planned. The connection may be
    # opened again at once.
    cdef void recycled(self, Connection *c, int64_t now_ns) noexcept
    # True when there is, or will be, something to send on a connection.
    cdef bint wants_more(self, Connection *c) noexcept
    # The calls of a reactor's Watcher, passed on.
    cdef void on_timer(self) noexcept
    cdef void on_swept(self) noexcept


cdef class Pool(Watcher):
    cdef Sender sender            # None after `close`, which breaks the cycle
    cdef Reactor reactor
    cdef Time time
    cdef Transport net
    cdef Codec codec
    cdef Values values
    cdef bint scheduled           # there is a schedule, and sends are reported to the sinks
    cdef Random random            # for the reconnect backoff
    cdef Connection *connections  # owned
    cdef int n_connections        # that have been added
    cdef int capacity
    cdef int n_parked             # of n_connections
    cdef int late_connections     # of each lane that a cluster gets later
    cdef uint32_t connections_before  # of the workers before this one
    cdef Server *servers          # owned
    cdef list endpoints           # their `plan.Endpoint`s, as far as there are servers; None: nowhere
    cdef int n_servers            # for which there is room
    cdef char *buffer             # READ_BUFFER bytes that every read goes through; owned
    cdef int phase                # in which bytes are counted now
    cdef uint8_t greetings[8]     # the commands that open a connection
    cdef int n_greetings
    cdef int readonly             # the number of the greeting that only connections to replicas send; -1: there is none
    cdef tuple turned_away_by     # the first bytes of errors after which no request on a connection can succeed
    cdef bint hello_counts        # an error in reply to HELLO is one of these: RESP3 was requested
    cdef bint may_ask_by_get      # a GET replaces a PING or `version` on which the server closes the connection
    cdef int64_t connect_timeout_ns
    cdef int64_t longest_backoff_ns
    cdef bint encrypted           # the transport has a handshake, which is TLS
    cdef bint connecting          # `open_all` is in progress
    cdef int next_to_open
    cdef int opening
    cdef bint in_open_more
    cdef bint over                # replies are no longer awaited
    cdef int active
    cdef int64_t opened, failed, closed, reconnects
    cdef int64_t recycled         # opened in place of those that we closed, as planned or for another server
    cdef int64_t resets           # connections that were kept, and begun anew by RESET
    cdef int parked               # now
    cdef int64_t parked_closed
    cdef Pushes pushes
    cdef Lives lives
    cdef Ramp ramp
    cdef Counts connect[PHASES]   # times to connect, by the phase in which bytes are counted
    cdef Counts handshake[PHASES]  # times of handshakes after that, of transports that have one
    cdef int64_t failures[FAILURES]
    cdef dict examples            # the text of the first failure of each reason
    cdef int64_t late_ns          # a wake-up after this time is late
    cdef int64_t heard_ns         # when bytes, or the end of a stream, last arrived
    cdef int64_t rx[PHASES]
    cdef int64_t tx[PHASES]

    cdef int add_server(self, endpoint) except -1
    cdef int set_address(self, int server, endpoint) except -1
    # Set up the next connection, to a server, without opening it. `sink` receives the ends of its requests, and must
    # outlive the connection.
    cdef int add(self, int server, plan, Sink sink, bint reads_only=*) except -1
    # The same for a connection that is only opened and greeted.
    cdef int add_parked(self, int server, plan, Sink sink) except -1
    # Give a server another address. Its connections are closed, when their open requests have been answered, and opened
    # again.
    cdef void move(self, int server, endpoint, int64_t now_ns) noexcept
    # Close a ready connection without a failure, and have it opened again.
    cdef void depart(self, Connection *c, int64_t now_ns) noexcept
    # Begin the attempt to open a connection again, at its server's new address. The one under way has not failed.
    cdef void aim_anew(self, Connection *c, int64_t now_ns) noexcept
    cdef Py_ssize_t longest_request(self, plan) except -1
    cdef int close(self) except -1  # closes every descriptor

    # Bytes.
    cdef void on_connecting(self, Connection *c, int connected, int64_t now_ns) noexcept
    cdef void receive(self, Connection *c) noexcept
    cdef void flush(self, Connection *c, int64_t now_ns) noexcept
    cdef void read_the_rest(self, Connection *c, int64_t now_ns) noexcept

    # The life of a connection. `open_all` first closes the connections on which replies may still arrive; with `fresh`,
    # all.
    cdef void open_all(self, bint fresh, int64_t now_ns) noexcept
    cdef void open_more(self, int64_t now_ns) noexcept
    # Begin an attempt at the server's addresses, each of which has an equal part of the time that is left. The attempt
    # fails when all have failed.
    cdef bint is_ramping(self) noexcept  # the next connection waits for its time
    cdef void open_one(self, Connection *c, int64_t now_ns) noexcept
    cdef void try_addresses(self, Connection *c, int64_t now_ns) noexcept
    cdef void greet(self, Connection *c, int64_t now_ns) noexcept
    cdef void greeted(self, Connection *c, int64_t now_ns) noexcept
    cdef void ready(self, Connection *c, int64_t now_ns) noexcept
    cdef bint is_spared(self, const Connection *c, int greeting) noexcept
    cdef bint turns_away(self, Connection *c) noexcept
    cdef void fail(self, Connection *c, int reason, int64_t now_ns) noexcept
    cdef void drop(self, Connection *c, int64_t now_ns) noexcept

    # Lives that end as planned. `begin_lives` is for a load, `end_lives` for what is sent outside of one.
    cdef void begin_lives(self, int64_t now_ns) noexcept
    cdef void end_lives(self) noexcept
    cdef void renew(self, Connection *c, int64_t now_ns) noexcept
    cdef void leave_all(self, int64_t now_ns) noexcept  # open requests are unfinished, and later bytes are ignored

    cdef void explain(self, Connection *c) noexcept
    cdef void explain_garbage(self, Connection *c, int reason, Cursor *cursor) noexcept
