# A world in which time is a number: an engine runs on a World instead of the kernel.
#
# Nothing happens by itself: the world goes from one event to the next. A Python object decides what a server does with
# bytes, and when. An engine runs in the world as on the kernel, and every number comes out the same each time.

from libc.stdint cimport int64_t

from loadgen.engine._reactor cimport Reactor
from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Address, Transport


cdef class SimulatedTime(Time):
    cdef int64_t at_ns
    cdef int64_t waited_ns    # for a CPU


# The engine's end of a stream.
cdef class Stream:
    cdef readonly int number
    cdef readonly int port       # of the server that the stream goes to
    cdef bytearray inbound       # bytes that have come and are not read
    cdef void *owner             # the owner passed to `watch`; NULL while the stream is not watched
    cdef bint writing            # watched for room too
    cdef bint decided            # connected, or refused
    cdef int error               # the errno with which the stream was refused or cut off; 0 without
    cdef bint ended              # by the server
    cdef bint closed             # by the engine


cdef class World(Reactor):
    cdef readonly Transport net
    cdef SimulatedTime clock
    cdef object server           # `connected(stream, now_ns)` and `received(stream, bytes, now_ns)`
    cdef list events             # (time, number, call): a heap
    cdef int64_t event_numbers
    cdef dict streams            # by number
    cdef list ready              # streams with something to report, in the order in which they had it
    cdef object handed           # calls that wait until no compiled code is at work
    cdef list pauses             # (from, until, queued for a CPU), in order: the engine does nothing in a pause

    cdef Stream stream(self, int number)
    cdef void happens(self, int64_t at_ns, object what) except *
    cdef void has_news(self, Stream stream) noexcept
    cdef int64_t own_ns(self) noexcept
    cdef int act(self) except -1


cdef class Links(Transport):
    cdef World world

    cdef int open(self, int port)
    cdef int decision(self, Stream stream)
    cdef ssize_t take(self, Stream stream, char *data, size_t size)
    cdef object give(self, Stream stream, bytes data)
