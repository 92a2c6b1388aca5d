# Byte streams to servers: the kernel's sockets, or those of a simulated world. TLS will be another.
#
# A stream is a number, as a descriptor is. Nothing waits: what cannot be done now fails with EAGAIN, and the reactor
# says when to try again. An error is returned as its errno, below zero.

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

# Where to connect to: a sockaddr, ready for connect(2).
cdef struct Address:
    char bytes[128]
    uint32_t length
    int family

cdef extern from "<sys/uio.h>" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len


cdef class Transport:
    # Begins to connect: the stream, which becomes writable when that is decided.
    cdef int connect(self, const Address *to) noexcept nogil
    # The stream became writable: 1 connected, 0 not yet, below 0 why it could not.
    cdef int connected(self, int stream) noexcept nogil
    # As much as there is, up to `size` bytes; 0 at the stream's end.
    cdef ssize_t read(self, int stream, char *bytes, size_t size) noexcept nogil
    # The same, of bytes that nobody looks at. `scratch` has room for `size` of them.
    cdef ssize_t discard(self, int stream, char *scratch, size_t size, size_t wanted) noexcept nogil
    # How many bytes were taken.
    cdef ssize_t write(self, int stream, const char *bytes, size_t size) noexcept nogil
    cdef ssize_t write_parts(self, int stream, iovec *parts, int n) noexcept nogil
    # Whether it takes bytes at this moment.
    cdef bint is_writable(self, int stream) noexcept nogil
    # Bytes written that the peer has not acknowledged, also after it has ended the stream; 0 where nobody says.
    cdef int unacknowledged(self, int stream) noexcept nogil
    cdef void close(self, int stream) noexcept nogil


cdef class Sockets(Transport):
    pass


cdef int address_of(Address *a, str numeric, int port) except -1
