"""TLS on the streams of another transport. `_tls.pxd` describes the filter."""

import ssl

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EPROTO, ETIMEDOUT
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from loadgen import tls

from loadgen.engine._transport cimport HANDSHAKING, Address

cdef object WantRead = ssl.SSLWantReadError
cdef object SSLError = ssl.SSLError

# The head of a record: its type, two bytes of version, two of length (RFC 8446, 5.1).
cdef enum:
    HEAD = 5
    FIRST_TYPE = 20
    LAST_TYPE = 24


cdef class Span:
    """Bytes at an address, for the time of one call."""

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.bytes, self.size, 0, flags)


cdef class Secured:
    """One encrypted stream."""

    def __dealloc__(self):
        free(self.cut)


cdef class Tls(Transport):
    """The streams of `below`, encrypted as a `plan.TlsPlan` says. Raises tls.BadTlsError."""

    def __cinit__(self, Transport below, plan):
        self.below = below
        self.context = tls.context(plan)
        self.plan = plan
        self.resume = plan.resume
        self.streams = []
        self.sessions = {}
        self.said = ""
        self.span = Span()
        self.cipher = <char *>malloc(CIPHER)
        if self.cipher == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.cipher)

    # ── The calls of a transport ────────────────────────────────────────────────────────────────────────────────────

    cdef int connect(self, const Address *to) noexcept nogil:
        cdef int stream = self.below.connect(to)
        if stream >= 0:
            with gil:
                self.open(stream, to.bytes, to.length, to.host)
        return stream

    cdef int connected(self, int stream) noexcept nogil:
        with gil:
            return self.shake(stream)

    cdef ssize_t read(self, int stream, char *bytes, size_t size) noexcept nogil:
        with gil:
            return self.read_plain(stream, bytes, size)

    cdef ssize_t write(self, int stream, const char *bytes, size_t size) noexcept nogil:
        cdef iovec part
        part.iov_base = <char *>bytes
        part.iov_len = size
        with gil:
            return self.write_plain(stream, &part, 1)

    cdef ssize_t write_parts(self, int stream, iovec *parts, int n) noexcept nogil:
        with gil:
            return self.write_plain(stream, parts, n)

    cdef bint is_writable(self, int stream) noexcept nogil:
        return self.below.is_writable(stream)

    cdef int unacknowledged(self, int stream) noexcept nogil:
        with gil:
            return self.not_received(stream)

    cdef void reset_on_close(self, int stream) noexcept nogil:
        self.below.reset_on_close(stream)

    cdef void close(self, int stream) noexcept nogil:
        with gil:
            self.leave(stream)
        self.below.close(stream)

    cdef str words(self, int error):
        if error == EPROTO:
            return self.said
        return tls.SILENT if error == ETIMEDOUT else self.below.words(error)

    cdef int64_t resumptions(self) noexcept:
        return self.resumed

    # ── The handshake ───────────────────────────────────────────────────────────────────────────────────────────────

    cdef int open(self, int stream, const char *address, size_t size, const char *host) except -1:
        cdef Secured s = Secured.__new__(Secured)
        s.name = tls.name_of(self.plan, (<bytes>host).decode())
        s.server = (<bytes>address[:size], s.name)
        while len(self.streams) <= stream:
            self.streams.append(None)
        self.streams[stream] = s
        return 0

    cdef int shake(self, int stream) noexcept:
        cdef Secured s = <Secured>self.streams[stream]
        cdef int up, records = 0
        cdef ssize_t n
        try:
            if s.ssl is None:
                up = self.below.connected(stream)
                if up != 1:
                    return up
                self.begin(s)
            elif s.unsent is None:
                n = self.fill(s, stream, CIPHER, &records)
                if n == 0:
                    self.said = tls.CLOSED
                    return -EPROTO
                if n < 0 and n != -EAGAIN:
                    return n
            if not s.up:
                try:
                    s.ssl.do_handshake()
                    s.up = s.behind = True
                    self.resumed += s.ssl.session_reused
                except WantRead:
                    pass
            if s.unsent is None:
                s.unsent = s.take()
            n = self.flush(s, stream)
            if n < 0:
                return n
            return 0 if s.unsent is not None else 1 if s.up else HANDSHAKING
        except SSLError as error:
            return self.failed(s, stream, error)

    cdef int begin(self, Secured s) except -1:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        s.ssl = self.context.wrap_bio(incoming, outgoing, server_hostname=s.name,
                                      session=self.sessions.get(s.server))
        s.decrypt, s.encrypt, s.give, s.take = s.ssl.read, s.ssl.write, incoming.write, outgoing.read
        return 0

    cdef int failed(self, Secured s, int stream, error) noexcept:
        self.said = tls.sentence(error, s.name)
        if s.unsent is None:
            s.unsent = s.take()
            self.flush(s, stream)
        return -EPROTO

    # ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef ssize_t fill(self, Secured s, int stream, size_t most, int *records) except? -1:
        cdef size_t length
        cdef char *at = self.cipher
        cdef char *end
        cdef ssize_t n
        memcpy(self.cipher, s.cut, s.cut_size)
        n = self.below.read(stream, self.cipher + s.cut_size, min(most, <size_t>CIPHER) - s.cut_size)
        if n <= 0:
            return n
        end = self.cipher + s.cut_size + n
        while at != end:
            length = record_bytes(at, end - at)
            if length > <size_t>(end - at):
                break
            at += length
            records[0] += 1
        s.cut_size = end - at
        if s.cut_size:
            if s.cut == NULL:
                s.cut = <char *>malloc(RECORD_BYTES)
                if s.cut == NULL:
                    raise MemoryError()
            memcpy(s.cut, at, s.cut_size)
        if at != self.cipher:
            self.span.bytes, self.span.size = self.cipher, at - self.cipher
            s.give(self.span)
        return n

    cdef ssize_t read_plain(self, int stream, char *bytes, size_t size) noexcept:
        cdef Secured s = <Secured>self.streams[stream]
        cdef int records = 0
        cdef ssize_t n, got = 0, done = 0
        if s.broken:
            return -EPROTO
        try:
            n = self.fill(s, stream, max(size, <size_t>READS_ALL), &records)
            if n <= 0 and not s.behind:
                return n
            while (records > 0 or s.behind) and <size_t>done < size:
                records -= 1
                self.span.bytes, self.span.size = bytes + done, size - done
                try:
                    got = s.decrypt(size - done, self.span)
                except WantRead:
                    # The last records had no data but tickets for later sessions, or a new key.
                    s.behind = False
                    break
                if got == 0:
                    # The peer has said that nothing more comes.
                    s.behind = False
                    return done
                done += got
            if <size_t>done == size:
                s.behind = True
        except SSLError as error:
            self.failed(s, stream, error)
            s.broken = True
            return done if done else -EPROTO
        if done == 0:
            return n if n <= 0 else -EAGAIN
        return done

    cdef ssize_t write_plain(self, int stream, iovec *parts, int n) noexcept:
        cdef Secured s = <Secured>self.streams[stream]
        cdef Chunk *chunk
        cdef size_t piece, taken
        cdef int i, error
        if s.unsent is not None:
            error = self.flush(s, stream)
            if error < 0:
                return error
            if s.unsent is not None:
                return -EAGAIN
            taken, s.ahead = s.ahead, 0
            if taken:
                return taken
        taken = 0
        try:
            for i in range(n):
                piece = min(parts[i].iov_len, AT_ONCE - taken)
                if piece == 0:
                    break
                self.span.bytes, self.span.size = <char *>parts[i].iov_base, piece
                s.encrypt(self.span)
                taken += piece
            s.unsent = s.take()
        except SSLError as problem:
            s.broken = True
            return self.failed(s, stream, problem)
        chunk = &s.chunks[s.n_chunks % CHUNKS]
        chunk.plain, chunk.cipher = <uint32_t>taken, <uint32_t>PyBytes_GET_SIZE(s.unsent)
        s.n_chunks += 1
        error = self.flush(s, stream)
        if s.unsent is None:
            return taken
        s.ahead = taken
        return error if error < 0 else -EAGAIN

    cdef int flush(self, Secured s, int stream) noexcept:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(s.unsent)
        cdef ssize_t n
        if s.unsent_at != size:
            n = self.below.write(stream, PyBytes_AS_STRING(s.unsent) + s.unsent_at, size - s.unsent_at)
            if n < 0:
                return 0 if n == -EAGAIN else <int>n
            s.unsent_at += n
        if s.unsent_at == size:
            s.unsent = None
            s.unsent_at = 0
        return 0

    cdef int not_received(self, int stream) noexcept:
        """Return the plaintext that the peer has for sure not received, less what it may have received too early.

        A record cannot be read before its last byte has come. Of a write of several records, the first may have been.
        """
        cdef Secured s = <Secured>self.streams[stream]
        cdef int64_t left = self.below.unacknowledged(stream), behind = 0, plain = 0
        cdef Chunk *chunk
        cdef uint32_t i
        if s.unsent is not None:
            left += PyBytes_GET_SIZE(s.unsent) - s.unsent_at
        for i in range(min(s.n_chunks, <uint32_t>CHUNKS)):
            chunk = &s.chunks[(s.n_chunks - 1 - i) % CHUNKS]
            if left <= behind or chunk.plain > RECORD and left < behind + chunk.cipher:
                break
            behind += chunk.cipher
            plain += chunk.plain
        return <int>(plain - <int64_t>s.ahead)

    cdef void leave(self, int stream) noexcept:
        cdef Secured s = <Secured>self.streams[stream]
        self.streams[stream] = None
        if not s.up:
            return
        if self.resume:
            self.sessions[s.server] = s.ssl.session
        if s.unsent is None and not s.broken:
            try:
                s.ssl.unwrap()
            except SSLError:
                # The peer's own last word is not waited for.
                pass
            s.unsent = s.take()
            self.flush(s, stream)


cdef inline size_t record_bytes(const char *at, size_t size) noexcept:
    """Return the length of the record that begins at `at`, as far as its head is there; all of it when it is none."""
    cdef const uint8_t *head = <const uint8_t *>at
    cdef size_t length
    if not FIRST_TYPE <= head[0] <= LAST_TYPE:
        return size
    if size < HEAD:
        return HEAD
    length = HEAD + (head[3] << 8 | head[4])
    return size if length > RECORD_BYTES or head[1] != 3 else length
