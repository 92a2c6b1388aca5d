# The sockets of proxies: connections are accepted, dialled, and their bytes moved through links.
#
# A pump has one epoll descriptor of its own, which an event loop watches. Sockets are registered once, edge-triggered,
# and their sides remember what they are ready for: backpressure costs no system call. While a link is clear, bytes go
# from recv(2) to send(2) without becoming a Python object.

from libc.stdint cimport int64_t, uint32_t

from loadgen.engine._time cimport Time


# A descriptor that the pump watches.
cdef class Watched:
    cdef int fd        # -1 after the close
    cdef Pump pump


# The listener of one proxy. It owns the proxy's connections.
cdef class Listener(Watched):
    cdef object proxy
    cdef set connections
    cdef int64_t accepted


# One end of a connection.
cdef class Side(Watched):
    cdef Connection connection
    cdef bint connecting  # the upstream end, until it is connected
    cdef bint readable    # the last read did not find the socket empty
    cdef bint writable    # the last write did not find the socket full
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
    cdef object loop
    cdef object resolve       # resolve(address, callback): callback receives [(numeric host, port), …]
    cdef object tell          # receives a line for each event; None for nobody
    cdef int epoll
    cdef int timer
    cdef int64_t armed_ns     # the time that the timer is set to
    cdef list heap            # (ns, number, flow): what is due when
    cdef int64_t entries      # put into the heap so far
    cdef Py_ssize_t most      # entries that the heap may have before it is tidied
    cdef list again           # flows that have had their turn and go on after the others
    cdef list closed          # sides that went in this batch: an event of theirs may be in it
    cdef dict listeners       # by proxy
    cdef char *buffer

    cdef int watch(self, Watched what, uint32_t events) except -1
    cdef int close_side(self, Side side) except -1
    cdef int accept_all(self, Listener listener) except -1
    cdef int dial_next(self, Connection connection) except -1
    cdef int on_side(self, Side side, uint32_t events) except -1
    cdef int stand(self, Connection connection) except -1
    cdef int advance(self, Flow flow) except -1
    cdef bint drain(self, Flow flow) except -1
    cdef bint pass_through(self, Flow flow) except -1
    cdef bint go_through(self, Flow flow, int64_t now_ns) except -1
    cdef bint read_chunk(self, Flow flow, int64_t now_ns) except -1
    cdef int end_source(self, Flow flow) except -1
    cdef int end(self, Flow flow) except -1
    cdef int drop(self, Connection connection) except -1
    cdef int say(self, str line) except -1
    cdef int count(self, Flow flow) except -1
    cdef int arm(self, Flow flow) except -1
    cdef int tidy(self) except -1
    cdef int ring(self) except -1
