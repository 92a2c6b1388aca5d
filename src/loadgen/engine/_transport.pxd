# Byte streams to servers: the kernel's sockets, those of a simulated world, or TLS on either (`_tls`).
#
# A stream is a number, as a descriptor is. No call waits: a call that cannot be served now fails with EAGAIN, and the
# reactor reports when to try again. An error is returned as its errno, below zero.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t

# A server's address: a sockaddr, ready for connect(2), of IPv4, IPv6 or a Unix socket.
cdef struct Address:
    char bytes[128]
    uint32_t length
    int family
    char host[256]       # the host as the user wrote it, which a certificate must carry; empty where nobody asks

# A result of `connected`: the stream is up, and a handshake on it is under way, which waits for bytes to read.
cdef enum:
    HANDSHAKING = 2

cdef extern from "<sys/uio.h>" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len


cdef class Transport:
    cdef bint at_once  # the newest stream was connected when `connect` returned
    # Begin to connect; return the stream, which becomes writable when it is connected or has failed. -EAGAIN: a Unix
    # socket's server has not accepted so many connections that no other can begin.
    cdef int connect(self, const Address *to) noexcept nogil
    # Return the result when the stream became writable: 1 connected, 0 not yet, below 0 the error. After HANDSHAKING,
    # ask again when the stream is readable.
    cdef int connected(self, int stream) noexcept nogil
    # Read as much as there is, up to `size` bytes; return 0 at the stream's end.
    cdef ssize_t read(self, int stream, char *bytes, size_t size) noexcept nogil
    # The same for up to `wanted` bytes that are not looked at. `scratch` has room for `size` bytes.
    cdef ssize_t discard(self, int stream, char *scratch, size_t size, size_t wanted) noexcept nogil
    # Return how many bytes were taken: those have gone. Bytes that were not taken are written again, unchanged and
    # before any other, when the stream is writable.
    cdef ssize_t write(self, int stream, const char *bytes, size_t size) noexcept nogil
    cdef ssize_t write_parts(self, int stream, iovec *parts, int n) noexcept nogil
    # True when the stream takes bytes at this moment.
    cdef bint is_writable(self, int stream) noexcept nogil
    # Return the bytes written that the peer has not acknowledged, also after the stream's end; 0 where that is unknown.
    # It is below 0 where the peer may have received bytes that `write` has not taken yet.
    cdef int unacknowledged(self, int stream) noexcept nogil
    # Have `close` reset the stream.
    cdef void reset_on_close(self, int stream) noexcept nogil
    cdef void close(self, int stream) noexcept nogil
    # Describe an error, an errno above 0.
    cdef str words(self, int error)
    # Return how many handshakes so far went on with an earlier stream's session.
    cdef int64_t resumptions(self) noexcept


# Sockets with the options of a plan's Life.
cdef class Sockets(Transport):
    cdef bint nodelay
    cdef int keepalive_s   # 0: none
    cdef Address *sources  # the addresses that streams come from in turn; owned
    cdef int n_sources
    cdef int next_source

    # Bind a stream to the next source address of a family, where there is one. Return 0, or -1 with errno set.
    cdef int bind_next(self, int stream, int family) noexcept nogil


cdef int address_of(Address *a, str numeric, int port) except -1
# Note the host that an address belongs to, in the user's words.
cdef int name_host(Address *a, str host) except -1
cdef int unix_address_of(Address *a, str path) except -1
