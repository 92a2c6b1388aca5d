# The connections of proxies: clients are accepted, upstreams dialled, and bytes moved through links.
#
# A pump touches streams through a Transport and reads the time from a Time. A subclass waits for news of streams, on
# the kernel (`_sockets`) or in a simulated world. News come as edges: a stream is watched once, is reported when bytes,
# room or its end come, and its side remembers what it is ready for, so that backpressure costs no system call. While a
# link is clear, bytes go from a read to a write without becoming a Python object.

from libc.stdint cimport int64_t

from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Transport


# What the pump has news of.
cdef class Watched:
    cdef int stream    # the transport's number, or what a listener is to its pump; -1 after the close
    cdef Pump pump


# The listener of one proxy. It owns the proxy's connections.
cdef class Listener(Watched):
    cdef object proxy
    cdef dict connections  # the keys, in the order of acceptance
    cdef int64_t accepted


# One end of a connection.
cdef class Side(Watched):
    cdef Connection connection
    cdef bint connecting  # the upstream end, until it is connected
    cdef bint readable    # the last read did not find the stream empty
    cdef bint writable    # the last write did not find the stream full
    cdef bint hung        # the peer has ended its direction, or the connection has failed: read to the end
    cdef Flow into        # the flow whose source this is, when the connection stands
    cdef Flow out         # the flow whose destination this is


# A client's connection and its counterpart to the upstream server.
cdef class Connection:
    cdef Listener listener
    cdef Side client
    cdef Side upstream    # None until the dial has begun
    cdef int64_t number   # from 1, in the order of acceptance
    cdef list addresses   # those of the upstream that have not been tried


# One direction of a connection.
cdef class Flow:
    cdef readonly object link
    cdef readonly str direction
    cdef readonly int64_t connection  # its number
    cdef readonly int64_t received, sent
    cdef object proxy
    cdef Connection owner
    cdef Side source, dest
    cdef bint clear           # the link passes everything: it is left out
    cdef bint source_ended
    cdef bint ended           # the destination is closed
    cdef bint queued          # in the pump's list of flows that go on later
    cdef bytes pending        # what the destination has not taken yet, from `at` on
    cdef Py_ssize_t at
    cdef int64_t armed_ns     # the time for which the flow is in the pump's heap; NEVER for none


cdef class Pump:
    cdef Time time
    cdef Transport net
    cdef object resolve       # resolve(address, callback): callback receives [(numeric host, port), …]
    cdef object tell          # receives a line for each event; None for nobody
    cdef int64_t armed_ns     # the time of the next `ring`
    cdef list heap            # (ns, number, flow): what is due when
    cdef int64_t entries      # put into the heap so far
    cdef Py_ssize_t most      # entries that the heap may have before it is tidied
    cdef list again           # flows that have had their turn and go on after the others
    cdef list closed          # sides that went since the last `go_on`: news of them may be under way
    cdef dict listeners       # by proxy
    cdef char *buffer

    # What a subclass does.
    cdef int watch(self, Side side) except -1               # have the news of a stream from now on, present ones too
    cdef int close_listener(self, Listener listener) except -1
    cdef int wake_at(self, int64_t at_ns) except -1         # call `ring` at this time
    cdef int turn(self) except -1                           # call `go_on` soon

    # What a subclass calls.
    cdef Listener listen_with(self, Listener listener, object proxy, int stream)
    cdef int accepted(self, Listener listener, int stream) except -1
    cdef int on_side(self, Side side, bint readable, bint writable, bint hung) except -1
    cdef int go_on(self) except -1                          # let flows that had their turn have the next
    cdef int ring(self) except -1

    cdef int close_side(self, Side side) except -1
    cdef int dial_next(self, Connection connection) except -1
    cdef int stand(self, Connection connection) except -1
    cdef int advance(self, Flow flow) except -1
    cdef bint drain(self, Flow flow) except -1
    cdef bint pass_through(self, Flow flow) except -1
    cdef bint go_through(self, Flow flow, int64_t now_ns) except -1
    cdef bint read_chunk(self, Flow flow, int64_t now_ns) except -1
    cdef int end_source(self, Flow flow) except -1
    cdef int end(self, Flow flow) except -1
    cdef int discard(self, Flow flow) except -1
    cdef int drop(self, Connection connection) except -1
    cdef int say(self, str line) except -1
    cdef int count(self, Flow flow) except -1
    cdef int arm(self, Flow flow) except -1
    cdef int tidy(self) except -1
