"""The Python face of the TLS filter, for tests: on streams in memory, whose other end a test holds."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EPIPE
from libc.string cimport memcpy, memset

from loadgen.engine._tls cimport Tls
from loadgen.engine._transport cimport Address, Transport, iovec, name_host

cdef enum:
    MOST_PARTS = 16


cdef class Memory(Transport):
    """Streams in memory. They are there at once, and take bytes as far as a test has given them room."""

    cdef bytearray arriving   # what is to be read
    cdef bytearray gone       # what was written
    cdef bint ended           # after `arriving` comes the end
    cdef bint broken          # nothing can be written any more
    cdef Py_ssize_t room      # bytes that can be written before the stream is full
    cdef int unacked
    cdef int last             # the number of the newest stream

    cdef int connect(self, const Address *to) noexcept nogil:
        with gil:
            self.arriving, self.gone = bytearray(), bytearray()
            self.ended = self.broken = False
            self.last += 1
        return self.last

    cdef int connected(self, int stream) noexcept nogil:
        return 1

    cdef ssize_t read(self, int stream, char *bytes, size_t size) noexcept nogil:
        with gil:
            taken = self.arriving[:size]
            memcpy(bytes, <char *>taken, len(taken))
            del self.arriving[:size]
            return len(taken) or (0 if self.ended else -EAGAIN)

    cdef ssize_t write(self, int stream, const char *bytes, size_t size) noexcept nogil:
        cdef ssize_t n
        with gil:
            if self.broken:
                return -EPIPE
            n = min(<ssize_t>size, self.room)
            self.gone += bytes[:n]
            self.room -= n
            return n if n else -EAGAIN

    cdef int unacknowledged(self, int stream) noexcept nogil:
        return self.unacked


cdef class TlsFace:
    """A filter with one stream at a time. Raises tls.BadTlsError."""

    cdef Memory memory
    cdef Tls tls
    cdef int stream

    def __cinit__(self, plan):
        self.memory = Memory()
        self.tls = Tls(self.memory, plan)
        self.stream = -1
        self.allow(1 << 40)

    def connect(self, str host="localhost"):
        """Close the stream, if there is one, and begin another."""
        cdef Address to
        if self.stream >= 0:
            self.close()
        memset(&to, 0, sizeof(to))
        name_host(&to, host)
        self.stream = self.tls.connect(&to)

    def connected(self):
        """Return 1 connected, 0 waits for room, 2 the handshake goes on, or the error below 0."""
        return self.tls.connected(self.stream)

    def words(self, int error):
        return self.tls.words(error)

    def feed(self, bytes arriving, *, bint end=False):
        """Have bytes arrive, and with `end` the end of the stream after them."""
        self.memory.arriving += arriving
        self.memory.ended = end

    def taken(self):
        """Return the bytes that were written since the last call."""
        gone = bytes(self.memory.gone)
        self.memory.gone.clear()
        return gone

    def allow(self, Py_ssize_t room):
        """Have the stream take so many bytes more, and then none."""
        self.memory.room = room

    def hang_up(self):
        """Have every write fail from now on."""
        self.memory.broken = True

    def read(self, Py_ssize_t size=262144):
        """Return what was read, at most `size` bytes; b"" at the end, an error below 0."""
        cdef bytes room = PyBytes_FromStringAndSize(NULL, size)
        cdef ssize_t n = self.tls.read(self.stream, PyBytes_AS_STRING(room), size)
        return n if n < 0 else room[:n]

    def write(self, *parts):
        """Write bytes, several as one gathered write; return how many went, or an error below 0."""
        cdef iovec pieces[MOST_PARTS]
        cdef bytes part
        cdef int i
        for i, part in enumerate(parts):
            pieces[i].iov_base, pieces[i].iov_len = PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part)
        if len(parts) == 1:
            return self.tls.write(self.stream, PyBytes_AS_STRING(parts[0]), len(parts[0]))
        return self.tls.write_parts(self.stream, pieces, len(parts))

    def unacknowledged(self, int ciphertext):
        """Return the plaintext that has not come, when so many bytes of ciphertext below have not."""
        self.memory.unacked = ciphertext
        return self.tls.unacknowledged(self.stream)

    def close(self):
        self.tls.close(self.stream)
        self.stream = -1

    def resumed(self):
        return self.tls.resumptions()
