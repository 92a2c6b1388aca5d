# asyncio's transports on the streams of a world: what a Protocol or a BufferedProtocol is connected with there.
#
# `Streams` is the watcher of a ground: it accepts and opens streams, and gives each a `StreamTransport`. As with
# asyncio's own, one report of a ready stream is one read, and `connection_lost` comes in a later turn.

from libc.stdint cimport int64_t

from loadgen.engine._reactor cimport Watcher
from loadgen.verify.world._ground cimport Ground
from loadgen.verify.world._network cimport Network


cdef class Streams(Watcher):
    cdef readonly Ground ground
    cdef dict factories            # by port: what makes the protocol of a stream that is accepted
    cdef dict transports           # by end: those that are open; they own themselves no other way

    cdef StreamTransport add(self, int end, object protocol)


cdef class StreamTransport:
    cdef Streams streams           # None after the end
    cdef Ground ground
    cdef Network network
    cdef readonly int end          # the network's number of this end
    cdef object protocol
    cdef object connected          # called with an error, or None, when connecting has ended; None otherwise
    cdef bint buffered             # the protocol is a BufferedProtocol
    cdef bint reading
    cdef bint closing
    cdef bint protocol_paused
    cdef bint ended                # the peer has written all, and the protocol knows
    cdef bint shuts                # write_eof was called
    cdef bytearray unsent
    cdef Py_ssize_t high
    cdef Py_ssize_t low
    cdef dict extra

    cdef int receive(self) except -1
    cdef int flush(self) except -1
    cdef int go(self, object error) except -1   # give the end back, and tell the protocol soon
    cdef int on_ready(self, bint readable, bint writable) except -1
