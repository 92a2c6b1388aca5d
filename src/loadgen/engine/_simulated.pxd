# A world in which time is a number: what an engine runs on instead of the kernel.
#
# Nothing happens by itself. The world goes from one event to the next; what a server does with bytes, and when, is said
# by a Python object. An engine in it runs as it does on the kernel, and every number comes out the same each time.

from libc.stdint cimport int64_t

from loadgen.engine._reactor cimport Reactor
from loadgen.engine._time cimport Time
from loadgen.engine._transport cimport Address, Transport


cdef class SimulatedTime(Time):
    cdef int64_t at_ns
    cdef int64_t waited_ns    # for a CPU


# One end of a stream, the engine's.
cdef class Stream:
    cdef readonly int number
    cdef readonly int port       # of the server that it goes to
    cdef bytearray inbound       # what has come and is not read
    cdef void *owner             # what it is watched for; NULL while it is not
    cdef bint writing            # it is watched for room too
    cdef bint decided            # connected, or refused
    cdef int error               # why it was refused, or cut off; 0
    cdef bint ended              # by the server
    cdef bint closed             # by the engine


cdef class World(Reactor):
    cdef readonly Transport net
    cdef SimulatedTime clock
    cdef object server           # `connected(stream, now_ns)` and `received(stream, bytes, now_ns)`
    cdef list events             # what the world does, and when: a heap
    cdef int64_t event_numbers
    cdef dict streams            # by number
    cdef list ready              # streams with something to report, in the order in which they had it
    cdef object handed           # calls that wait until no compiled code is at work
    cdef list pauses             # (from, until, whether it waits for a CPU), in order: the engine does nothing in them

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
