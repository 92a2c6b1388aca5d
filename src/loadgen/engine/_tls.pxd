# TLS as a transport: a filter over another one, whose streams it encrypts by OpenSSL as Python has it. Nothing is
# linked: each stream has an `ssl.SSLObject` between two memories of bytes, which compiled code fills and empties.
#
# A call makes one read of the transport below, or one write. A record that is cut off stays with its stream until its
# end has come, so OpenSSL is given whole records and is not asked in vain.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t

from loadgen.engine._transport cimport Transport, iovec

cdef enum:
    RECORD = 16384              # the most plaintext of a record (RFC 8446, 5.1)
    RECORD_BYTES = 5 + RECORD + 2048  # the most ciphertext of one, its head included (RFC 5246, 6.2.3)
    AT_ONCE = 4 * RECORD        # the most plaintext that one write encrypts
    CHUNKS = 64                 # the number of newest writes of which a stream knows the lengths
    CIPHER = 131072             # the most ciphertext of one read
    # A read of so many bytes leaves nothing behind that was taken from the transport below. After a smaller one, the
    # rest is there for the next, although the reactor sees nothing to read.
    READS_ALL = 2 * RECORD_BYTES


# Bytes that Python code reads or fills in place.
cdef class Span:
    cdef char *bytes
    cdef size_t size


# The lengths of what one write encrypted.
cdef struct Chunk:
    uint32_t plain
    uint32_t cipher


# One encrypted stream.
cdef class Secured:
    cdef object ssl             # the SSLObject; None before the stream is up
    cdef object decrypt         # its read
    cdef object encrypt         # its write
    cdef object give            # puts ciphertext in
    cdef object take            # takes ciphertext out
    cdef tuple server           # by which its session is kept for the next stream
    cdef str name               # that the certificate must carry
    cdef bint up                # the handshake is over
    cdef bint behind            # OpenSSL has been given records that were not read
    cdef bint broken            # the next read fails
    cdef bytes unsent           # ciphertext of which the transport below has yet to take unsent[unsent_at:]; or None
    cdef Py_ssize_t unsent_at
    cdef size_t ahead           # plaintext in `unsent`, which `write` has not yet said to be taken
    cdef char *cut              # the beginning of a record; NULL until there is one; owned
    cdef size_t cut_size
    cdef Chunk chunks[CHUNKS]   # a ring
    cdef uint32_t n_chunks      # ever


cdef class Tls(Transport):
    cdef Transport below
    cdef object context         # an ssl.SSLContext
    cdef object plan            # a plan.TlsPlan
    cdef bint resume
    cdef list streams           # by number: None, or a Secured
    cdef dict sessions          # the newest by server
    cdef Span span
    cdef char *cipher           # CIPHER bytes that every read of the transport below goes through; owned
    cdef str said               # why a stream last failed
    cdef int64_t resumed        # handshakes that resumed a session

    cdef int open(self, int stream, const char *address, size_t size, const char *host) except -1
    # The calls of a Transport, with the GIL.
    cdef int shake(self, int stream) noexcept
    cdef ssize_t read_plain(self, int stream, char *bytes, size_t size) noexcept
    cdef ssize_t write_plain(self, int stream, iovec *parts, int n) noexcept
    cdef int not_received(self, int stream) noexcept
    cdef void leave(self, int stream) noexcept

    cdef int begin(self, Secured s) except -1
    # Read ciphertext, at most `most` bytes with what was cut off, and give OpenSSL the whole records. Return as `read`.
    cdef ssize_t fill(self, Secured s, int stream, size_t most, int *records) except? -1
    # Have the transport below take `unsent`; return 0, also when a part is left, or the error below 0.
    cdef int flush(self, Secured s, int stream) noexcept
    # Keep the words of an error, tell the peer, and return -EPROTO.
    cdef int failed(self, Secured s, int stream, error) noexcept
