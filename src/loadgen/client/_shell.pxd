# The asyncio shell of the client: sockets, one timer and futures around the machine of `_core`.
#
# A reactor of the client's own watches its sockets, and the event loop watches the reactor's descriptor. A request then
# costs one `send`, one `recv` and one future, and no callback of the loop for its socket.
#
# An event loop whose clock is not the kernel's has a method `ground`, which returns a reactor: with it come the clock
# (`time`) and the transport (`net`). The shell stands on that one, and does everything else as ever.

from libc.stdint cimport int64_t

from loadgen.client._actions cimport Changed
from loadgen.client._connection cimport Connection
from loadgen.client._core cimport Core
from loadgen.engine._reactor cimport Reactor, Watcher
from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Transport

cdef enum:
    CHUNK = 65536  # the most bytes of one read


# What carries the bytes of one connection, from its dial to its close.
cdef class Stream:
    cdef int fd                  # the transport's; -1 while a name is looked up, between addresses, and after the close
    cdef bint connecting         # `fd` is not connected yet
    cdef Connection connection   # None after the close
    cdef list addresses          # (host in numbers, port): those that have not been tried
    cdef object lookup           # the task that looks up the node's name, or None
    cdef bytearray unsent        # what waits to be sent; None for nothing
    cdef bint blocked            # the kernel had no room: the stream is watched until there is some


cdef class Shell(Watcher):
    cdef readonly Core core
    cdef tuple nodes             # (host, port) of each
    cdef object tell             # called with the index of a node and a transition; None for nobody
    cdef object loop             # None before the first call
    cdef object new_future
    cdef Reactor reactor         # None before the first dial, and after `end`; a loop's ground is one from the start
    cdef Transport transport
    cdef Time time
    cdef bint grounded           # the loop's ground carries the client, not the kernel
    cdef int64_t wake_ns         # the time that the reactor's timer is set to; NEVER for none
    cdef set streams             # those that are not closed
    cdef bint gathers            # requests share connections: those of one turn of the loop are sent together
    cdef list gathered           # the streams with something to send at the end of this turn
    cdef list gone               # those closed in this turn of the loop: the reactor may still report them
    cdef readonly object all_gone  # the future of the end of `close`, or None
    cdef readonly set lookups    # the tasks that look up names
    cdef char *buffer

    cdef int stand_on(self, loop) except -1
    cdef int do(self, list actions) except -1
    cdef int tell_of(self, Changed change) except -1
    cdef int report(self, error) except -1
    cdef int arm(self) except -1
    cdef int dial(self, Connection connection) except -1
    # Try the next of the addresses; when there is none left, report the reason of the last one soon.
    cdef int try_next(self, Stream stream, str why) except -1
    cdef int on_connected(self, Stream stream) except -1
    cdef int send(self, Stream stream, bytes data) except -1
    cdef int flush(self, Stream stream) except -1
    cdef int block(self, Stream stream, bint blocked) except -1
    cdef int receive(self, Stream stream) except -1
    cdef void close_stream(self, Stream stream)
