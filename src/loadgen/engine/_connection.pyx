"""A pipeline on a non-blocking socket. `_connection.pxd` describes each function."""

from libc.errno cimport (
    EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, ECONNREFUSED, ECONNRESET, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPIPE, EPROTO,
)
from libc.stdint cimport UINT64_MAX
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memmove

from loadgen._buffer cimport BLOCK
from loadgen._mark cimport MARK_BYTES, is_sampled, write_mark
from loadgen._request cimport ASKS, WRITE_MANY, Command, Request
from loadgen.engine._transport cimport iovec
from loadgen.engine._values cimport POOL

# One gathered write carries at most this many pieces; the rest waits for the next.
cdef enum:
    PARTS = 16

# A body with more bytes than this still to come is not worth copying into the read buffer.
cdef enum:
    DISCARD = 65536


cdef int connection_init(Connection *c, uint32_t depth, size_t longest, int spliced) except -1:
    cdef uint32_t splices = 1
    while splices < depth * spliced:
        splices *= 2
    c.splice_mask = splices - 1
    # The pages of an out-buffer cost memory only once they are written to.
    c.longest = longest
    c.out_capacity = depth * longest + BLOCK
    c.out = <char *>malloc(c.out_capacity)
    c.splices = <Splice *>calloc(splices, sizeof(Splice)) if spliced else NULL
    if c.out == NULL or (spliced and c.splices == NULL):
        raise MemoryError()
    c.stream = -1
    return 0


cdef void connection_free(Connection *c) noexcept:
    free(c.out)
    free(c.splices)
    c.out = NULL
    c.splices = NULL


cdef bint connection_begin(Connection *c, Transport net, const Address *to) noexcept nogil:
    c.failure = NO_FAILURE
    c.error = 0
    c.out_at = c.out_end = 0
    c.splice_head = c.splice_tail
    c.encoded = c.written
    c.stream = net.connect(to)
    if c.stream >= 0:
        c.state = CONNECTING
        return True
    blame_connect(c, -c.stream)
    c.stream = -1
    return False


cdef int connection_finish(Connection *c, Transport net) noexcept nogil:
    cdef int connected = net.connected(c.stream)
    if connected >= 0:
        return connected
    blame_connect(c, -connected)
    return -1


cdef void blame_connect(Connection *c, int error) noexcept nogil:
    c.error = error
    # When a server closes at once, the kernel may report the close before the accept.
    c.failure = (REFUSED if error == ECONNREFUSED
                 else RESET if error == ECONNRESET
                 else LOCAL if is_local(error)
                 else TLS_FAILED if error == EPROTO
                 else UNREACHABLE)


cdef bint is_local(int error) noexcept nogil:
    """True when this machine has no descriptor, port, memory or protocol left for another stream."""
    return (error == EMFILE or error == ENFILE or error == EADDRNOTAVAIL or error == ENOBUFS or error == ENOMEM
            or error == EAFNOSUPPORT)


cdef int broken_by(int error) noexcept nogil:
    """Return the reason why a connection that was up ended with an error. A transport that encrypts says EPROTO."""
    return TLS_FAILED if error == EPROTO else RESET


cdef void connection_close(Connection *c, Transport net) noexcept nogil:
    net.close(c.stream)
    c.stream = -1
    c.state = DOWN
    c.watched_for_room = False


cdef void connection_encode(Connection *c, uint32_t n, Codec codec, Values values) noexcept nogil:
    cdef const Command *rows = codec.rows
    cdef bint has_value, spliced = c.splices != NULL, marked = values.marks.run != 0
    cdef uint32_t i = c.pipe.tail - n
    cdef int tail = codec.behind_value
    cdef uint32_t number
    cdef char *start
    cdef char *out
    cdef Request *r
    if c.out_capacity - c.out_end < n * c.longest + BLOCK:
        compact(c)
    start = out = c.out + c.out_end
    # No range: the indices wrap at 2**32.
    while i != c.pipe.tail:
        number = i
        r = &c.pipe.ring[number & c.pipe.mask]
        i += 1
        has_value = rows[r.command].has_value
        if r.resent & ASKS:
            memcpy(out, b"*1\r\n$6\r\nASKING\r\n", ASKING_BYTES)
            out += ASKING_BYTES
        out += codec.encode(r, number, values.next() if has_value and not spliced else NULL, out)
        if marked:
            out = mark(c, r, values, has_value, tail, out)
        if has_value and spliced:
            if rows[r.command].kind == WRITE_MANY:
                splice_each(c, codec, r, values, out - c.out - tail)
            else:
                splice(c, values, out - c.out - tail, MARK_BYTES if marked and r.value else 0)
        r.end = c.encoded + (out - start)
    c.encoded += out - start
    c.out_end += out - start


cdef char *mark(Connection *c, Request *r, Values values, bint has_value, int tail, char *out) noexcept nogil:
    """Mark the value of a request that ends `tail` bytes before `out`, and return the request's end.

    The mark of a spliced value goes into the out-buffer.
    """
    r.process = c.process + <uint32_t>(r - c.pipe.ring)
    if not has_value or not is_sampled(&values.marks, r.key):
        r.value = 0
        return out
    if not r.resent:
        # A request that is sent again writes the same value.
        values.marks.newest += 1
        r.value = values.marks.newest
    if c.splices == NULL:
        write_mark(out - tail - values.value_bytes, values.marks.run, r.key, r.value)
        return out
    memcpy(out + MARK_BYTES - tail, out - tail, tail)
    write_mark(out - tail, values.marks.run, r.key, r.value)
    return out + MARK_BYTES


cdef void splice(Connection *c, Values values, size_t at, size_t here) noexcept nogil:
    """Put the next value before byte `at` of the out-buffer, which has the value's first `here` bytes."""
    cdef Splice *s = &c.splices[c.splice_tail & c.splice_mask]
    s.at = at
    s.start = values.next_start()
    s.left = values.value_bytes - here
    c.splice_tail += 1
    c.encoded += s.left


cdef void splice_each(Connection *c, Codec codec, const Request *r, Values values, size_t last) noexcept nogil:
    """Put a value before each place of the out-buffer where a request of several has one, the last before `last`."""
    cdef int behind = codec.values(r)
    while behind:
        behind -= 1
        splice(c, values, last - behind * codec.between_values, 0)


cdef void compact(Connection *c) noexcept nogil:
    """Move the unsent bytes to the front of the out-buffer."""
    cdef uint32_t i = c.splice_head
    memmove(c.out, c.out + c.out_at, c.out_end - c.out_at)
    # No range: the indices wrap at 2**32.
    while i != c.splice_tail:
        c.splices[i & c.splice_mask].at -= c.out_at
        i += 1
    c.out_end -= c.out_at
    c.out_at = 0


cdef bint connection_flush(Connection *c, Transport net, Values values, int64_t *sent) noexcept nogil:
    cdef ssize_t n
    cdef bint alive = True
    sent[0] = 0
    while connection_has_unsent(c):
        if c.splice_head == c.splice_tail:
            n = net.write(c.stream, c.out + c.out_at, c.out_end - c.out_at)
            if n > 0:
                c.out_at += n
        else:
            n = flush_spliced(c, net, values)
        if n < 0:
            if n != -EAGAIN:
                c.error = <int>-n
                c.failure = broken_by(c.error)
                alive = False
            break
        sent[0] += n
        c.written += n
    if not connection_has_unsent(c):
        c.out_at = c.out_end = 0
        c.pipe.written = c.pipe.tail
        c.pipe.refused_end = 0
        return alive
    if c.pipe.refused_end <= c.written:
        c.pipe.refused_end = 0
    while c.pipe.written != c.pipe.tail and c.pipe.ring[c.pipe.written & c.pipe.mask].end <= c.written:
        c.pipe.written += 1
    return alive


cdef ssize_t flush_spliced(Connection *c, Transport net, Values values) noexcept nogil:
    """Write out-buffer pieces and pool pieces in their order, with one gathered write."""
    cdef iovec parts[PARTS]
    cdef int n = 0
    cdef uint32_t at_splice = c.splice_head
    cdef size_t at = c.out_at, piece
    cdef uint64_t start, left
    cdef Splice *s
    cdef ssize_t written, rest
    while n < PARTS and at_splice != c.splice_tail:
        s = &c.splices[at_splice & c.splice_mask]
        if s.at > at:
            parts[n].iov_base, parts[n].iov_len = c.out + at, s.at - at
            at = s.at
            n += 1
        start, left = s.start, s.left
        while n < PARTS and left:
            piece = min(left, POOL - (start & (POOL - 1)))
            parts[n].iov_base, parts[n].iov_len = values.pool + (start & (POOL - 1)), piece
            start += piece
            left -= piece
            n += 1
        if left:
            break
        at_splice += 1
    if n < PARTS and at_splice == c.splice_tail and at < c.out_end:
        parts[n].iov_base, parts[n].iov_len = c.out + at, c.out_end - at
        n += 1
    written = net.write_parts(c.stream, parts, n)
    rest = written
    while rest > 0:
        if c.splice_head == c.splice_tail:
            c.out_at += rest
            break
        s = &c.splices[c.splice_head & c.splice_mask]
        piece = min(<size_t>rest, s.at - c.out_at)
        c.out_at += piece
        rest -= piece
        piece = min(<uint64_t>rest, s.left)
        s.start += piece
        s.left -= piece
        rest -= piece
        if s.left == 0 and c.out_at == s.at:
            c.splice_head += 1
    return written


cdef uint64_t connection_received(const Connection *c, Transport net) noexcept nogil:
    # A FIN acknowledges the received bytes, and sending after a FIN fails with EPIPE. After a RST, nothing is known.
    if c.failure != END_OF_FILE and c.error != EPIPE:
        return UINT64_MAX
    return c.written - net.unacknowledged(c.stream)


cdef Read connection_read(Connection *c, Transport net, char *buffer, size_t size, int64_t *received) noexcept nogil:
    cdef ssize_t n
    cdef bint discarded = c.pipe.decoder.skip > DISCARD and c.pipe.decoder.head_left == 0
    if discarded:
        # The line end behind a body is always decoded.
        n = net.discard(c.stream, buffer, size, c.pipe.decoder.skip - 2)
    else:
        memcpy(buffer, c.pipe.keep, c.pipe.kept)
        n = net.read(c.stream, buffer + c.pipe.kept, size - c.pipe.kept)
    if n > 0:
        received[0] = n
        if discarded:
            c.pipe.decoder.skip -= n
            return NOTHING
        return SOME
    if n == 0:
        c.failure = END_OF_FILE
        c.error = 0
        return GONE
    if n == -EAGAIN:
        return NOTHING
    c.error = <int>-n
    c.failure = broken_by(c.error)
    return GONE
