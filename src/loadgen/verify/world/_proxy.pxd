# A proxy on a host of a world: the shipping pump, links and toxics on the streams of a ground.
#
# Every byte that the pump reads and writes goes by a witness, which holds it to what a proxy promises:
#
#   what is written to one end of a connection is what was read from the other, in order and whole: a prefix of it
#   no byte is on its way for less than the latency that its direction has
#   no more bytes go than the rate of its direction allows for the time in which there were some
#
# The bounds are those of bytes that are read after the last change of a direction's toxics: a change has a toxic hand
# on at once what it holds.

from libc.stdint cimport int64_t

from loadgen.engine._reactor cimport Watcher
from loadgen.faults.proxy._pump cimport Pump
from loadgen.verify.world._ground cimport Ground, HostTransport


# What the toxics of one direction do at least, since a time.
cdef class Bound:
    cdef int64_t since_ns
    cdef int64_t delay_ns
    cdef int64_t bytes_per_s  # NO_LIMIT for none


# One direction of a connection: what was read from one end and not yet written to the other.
cdef class Way:
    cdef str direction
    cdef bytearray held
    cdef object marks         # a deque of (count of bytes read up to here, time, bound)
    cdef int64_t read
    cdef int64_t written
    cdef Bound bound          # that of the last read
    cdef int64_t base         # bytes read before the first read under that bound
    cdef int64_t since_ns     # from when that bound's rate is counted: the time without a byte in the proxy is left out
    cdef int64_t empty_ns     # when the last byte in the proxy was written


cdef class Witness(HostTransport):
    cdef dict sources         # ways, by the stream that their bytes are read from
    cdef dict targets         # ways, by the stream that their bytes are written to
    cdef dict bounds          # by direction
    cdef readonly int64_t delayed   # reads that were held to a latency
    cdef readonly int64_t limited   # writes that were held to a rate
    cdef list awaited         # (direction, chunks, call): see `call_when_held`

    cdef int call_awaited(self, Way way) except -1
    cdef int see_read(self, int stream, const char *bytes, Py_ssize_t n) except -1
    cdef int see_written(self, int stream, const char *bytes, Py_ssize_t n) except -1
    cdef int add_ways(self, int client, int upstream) except -1


# The pump of one proxy.
cdef class GroundPump(Pump):
    cdef readonly Ground ground
    cdef readonly Witness witness
    cdef bint turning

    cdef int report(self, void *side, bint readable, bint writable) noexcept


cdef class News(Watcher):
    cdef GroundPump pump
