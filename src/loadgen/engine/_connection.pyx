"""A pipeline on a non-blocking socket. `_connection.pxd` says what each function promises."""

import socket

from cpython.bytes cimport PyBytes_AS_STRING
from libc.errno cimport (
    EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, ECONNRESET, EINPROGRESS, EINTR, EMFILE, ENFILE, ENOBUFS, ENOTCONN, EPIPE,
    errno,
)
from libc.stdint cimport UINT64_MAX
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memmove, memset

from loadgen._buffer cimport BLOCK
from loadgen._request cimport BACKFILL, SET
from loadgen.engine._values cimport POOL

cdef extern from * nogil:
    """
    #include <fcntl.h>
    #ifdef __linux__
    #include <linux/sockios.h>
    #include <sys/ioctl.h>
    #endif
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    #include <poll.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <unistd.h>

    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    static int loadgen_socket(int family) {
        int one = 1, fd = socket(family, SOCK_STREAM, 0);
        if (fd < 0) return -1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        return fd;
    }

    static int loadgen_is_writable(int fd) {
        struct pollfd p = {fd, POLLOUT, 0};
        return poll(&p, 1, 0) == 1;
    }

    static int loadgen_socket_error(int fd) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        return error;
    }

    static int loadgen_has_peer(int fd) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof peer;
        return getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
    }

    static ssize_t loadgen_writev(int fd, struct iovec *parts, int n) {
        struct msghdr message = {0};
        message.msg_iov = parts;
        message.msg_iovlen = n;
        return sendmsg(fd, &message, MSG_NOSIGNAL);
    }

    /* What the peer has not acknowledged, also after it has ended the connection. */
    static int loadgen_unacknowledged(int fd) {
        int bytes = 0;
    #ifdef __linux__
        if (ioctl(fd, SIOCOUTQ, &bytes) < 0) return 0;
    #endif
        return bytes;
    }

    /* Linux takes the bytes off a TCP socket without copying them anywhere; elsewhere they are read and dropped. */
    static ssize_t loadgen_discard(int fd, char *scratch, size_t size, size_t wanted) {
    #ifdef __linux__
        return recv(fd, 0, wanted, MSG_TRUNC);
    #else
        return recv(fd, scratch, wanted < size ? wanted : size, 0);
    #endif
    }
    """
    cdef struct iovec:
        void *iov_base
        size_t iov_len
    cdef struct sockaddr:
        pass
    int MSG_NOSIGNAL
    int new_socket "loadgen_socket"(int family)
    bint is_writable "loadgen_is_writable"(int fd)
    int socket_error "loadgen_socket_error"(int fd)
    bint has_peer "loadgen_has_peer"(int fd)
    int unacknowledged "loadgen_unacknowledged"(int fd)
    ssize_t write_parts "loadgen_writev"(int fd, iovec *parts, int n)
    ssize_t discard "loadgen_discard"(int fd, char *scratch, size_t size, size_t wanted)
    int c_connect "connect"(int fd, const sockaddr *to, unsigned int length)
    ssize_t c_send "send"(int fd, const void *bytes, size_t n, int flags)
    ssize_t c_recv "recv"(int fd, void *bytes, size_t n, int flags)
    int c_close "close"(int fd)

# One gathered write carries at most this many pieces; the rest waits for the next.
cdef enum:
    PARTS = 16

# A body with at least this much still to come is not worth copying into the read buffer.
cdef enum:
    DISCARD = 65536


cdef int address_of(Address *a, str numeric, int port) except -1:
    """A numeric IPv4 or IPv6 address, the latter with its numeric scope if it is a link's own, and a port."""
    cdef bytes packed
    family = socket.AF_INET6 if ":" in numeric else socket.AF_INET
    numeric, _, scope = numeric.partition("%")
    packed = socket.inet_pton(family, numeric)
    memset(a, 0, sizeof(Address))
    a.family = family
    a.length = fill_address(a.bytes, family, PyBytes_AS_STRING(packed), port, int(scope or 0))
    return 0


cdef extern from * nogil:
    """
    static unsigned loadgen_fill_address(char *bytes, int family, const char *packed, int port, unsigned scope) {
        if (family == AF_INET6) {
            struct sockaddr_in6 *six = (struct sockaddr_in6 *)bytes;
            six->sin6_family = AF_INET6;
            six->sin6_port = htons(port);
            six->sin6_scope_id = scope;
            memcpy(&six->sin6_addr, packed, 16);
            return sizeof *six;
        }
        struct sockaddr_in *four = (struct sockaddr_in *)bytes;
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        memcpy(&four->sin_addr, packed, 4);
        return sizeof *four;
    }
    """
    unsigned int fill_address "loadgen_fill_address"(
        char *bytes, int family, const char *packed, int port, unsigned int scope)


cdef int connection_init(Connection *c, uint32_t depth, size_t longest, bint spliced) except -1:
    # The pages of an out-buffer cost memory only once they are written to.
    c.longest = longest
    c.out_capacity = depth * longest + BLOCK
    c.out = <char *>malloc(c.out_capacity)
    c.splices = <Splice *>calloc(c.pipe.mask + 1, sizeof(Splice)) if spliced else NULL
    if c.out == NULL or (spliced and c.splices == NULL):
        raise MemoryError()
    c.fd = -1
    return 0


cdef void connection_free(Connection *c) noexcept:
    if c.fd >= 0:
        c_close(c.fd)
    free(c.out)
    free(c.splices)
    c.out = NULL
    c.splices = NULL


cdef bint connection_begin(Connection *c, const Address *to) noexcept nogil:
    c.failure = NO_FAILURE
    c.error = 0
    c.out_at = c.out_end = 0
    c.splice_head = c.splice_tail
    c.encoded = c.written
    c.fd = new_socket(to.family)
    if c.fd < 0:
        c.error = errno
        c.failure = LOCAL
        return False
    c.state = CONNECTING
    if c_connect(c.fd, <const sockaddr *>to.bytes, to.length) == 0 or errno == EINPROGRESS or errno == EINTR:
        return True
    blame_connect(c, errno)
    return False


cdef int connection_finish(Connection *c) noexcept nogil:
    cdef int error = socket_error(c.fd)
    if error:
        blame_connect(c, error)
        return -1
    return 1 if has_peer(c.fd) else 0


cdef void blame_connect(Connection *c, int error) noexcept nogil:
    c.error = error
    # A server that closes at once may be seen to have done so before it is seen to have accepted.
    c.failure = (REFUSED if error == ECONNREFUSED
                 else RESET if error == ECONNRESET
                 else LOCAL if error == EMFILE or error == ENFILE or error == EADDRNOTAVAIL or error == ENOBUFS
                 else UNREACHABLE)


cdef void connection_close(Connection *c) noexcept nogil:
    c_close(c.fd)
    c.fd = -1
    c.state = DOWN
    c.watched_for_room = False


cdef void connection_encode(Connection *c, Request *r, Codec codec, Values values) noexcept nogil:
    cdef Py_ssize_t length
    cdef Splice *s
    if c.out_capacity - c.out_end < c.longest + BLOCK:
        compact(c)
    if c.splices == NULL or (r.command != SET and r.command != BACKFILL):
        length = codec.encode(r, values.next() if r.command == SET or r.command == BACKFILL else NULL,
                              c.out + c.out_end)
    else:
        length = codec.encode(r, NULL, c.out + c.out_end)
        s = &c.splices[c.splice_tail & c.pipe.mask]
        s.at = c.out_end + length - 2
        s.start = values.next_start()
        s.left = values.value_bytes
        c.splice_tail += 1
        c.encoded += values.value_bytes
    c.out_end += length
    c.encoded += length
    r.end = c.encoded


cdef void compact(Connection *c) noexcept nogil:
    """Moves what is unsent to the front of the out-buffer."""
    cdef uint32_t i = c.splice_head
    memmove(c.out, c.out + c.out_at, c.out_end - c.out_at)
    # No range: the indices go round at 2**32.
    while i != c.splice_tail:
        c.splices[i & c.pipe.mask].at -= c.out_at
        i += 1
    c.out_end -= c.out_at
    c.out_at = 0


cdef bint connection_is_writable(const Connection *c) noexcept nogil:
    return is_writable(c.fd)


cdef bint connection_flush(Connection *c, Values values, int64_t *sent) noexcept nogil:
    cdef ssize_t n
    cdef bint alive = True
    sent[0] = 0
    while c.out_at != c.out_end:
        if c.splice_head == c.splice_tail:
            n = c_send(c.fd, c.out + c.out_at, c.out_end - c.out_at, MSG_NOSIGNAL)
            if n > 0:
                c.out_at += n
        else:
            n = flush_spliced(c, values)
        if n < 0:
            if errno != EAGAIN and errno != EINTR:
                c.error = errno
                c.failure = RESET
                alive = False
            break
        sent[0] += n
        c.written += n
    if c.out_at == c.out_end:
        c.out_at = c.out_end = 0
        c.pipe.written = c.pipe.tail
        c.pipe.refused_end = 0
        return alive
    if c.pipe.refused_end <= c.written:
        c.pipe.refused_end = 0
    while c.pipe.written != c.pipe.tail and c.pipe.ring[c.pipe.written & c.pipe.mask].end <= c.written:
        c.pipe.written += 1
    return alive


cdef ssize_t flush_spliced(Connection *c, Values values) noexcept nogil:
    """One gathered write of out-buffer pieces and pool pieces, in their order."""
    cdef iovec parts[PARTS]
    cdef int n = 0
    cdef uint32_t at_splice = c.splice_head
    cdef size_t at = c.out_at, piece
    cdef uint64_t start, left
    cdef Splice *s
    cdef ssize_t written, rest
    while n < PARTS and at_splice != c.splice_tail:
        s = &c.splices[at_splice & c.pipe.mask]
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
    written = write_parts(c.fd, parts, n)
    rest = written
    while rest > 0:
        if c.splice_head == c.splice_tail:
            c.out_at += rest
            break
        s = &c.splices[c.splice_head & c.pipe.mask]
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


cdef uint64_t connection_received(const Connection *c) noexcept nogil:
    # A FIN acknowledges what has come, and sending after it fails with EPIPE. A RST says nothing of what it cuts off.
    if c.failure != END_OF_FILE and c.error != EPIPE:
        return UINT64_MAX
    return c.written - unacknowledged(c.fd)


cdef Read connection_read(Connection *c, char *buffer, size_t size, int64_t *received) noexcept nogil:
    cdef ssize_t n
    cdef bint discarded = c.pipe.decoder.skip > DISCARD
    if discarded:
        # The line end behind a body is always looked at.
        n = discard(c.fd, buffer, size, c.pipe.decoder.skip - 2)
    else:
        memcpy(buffer, c.pipe.keep, c.pipe.kept)
        n = c_recv(c.fd, buffer + c.pipe.kept, size - c.pipe.kept, 0)
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
    if errno == EAGAIN or errno == EINTR or errno == ENOTCONN:
        return NOTHING
    c.failure = RESET
    c.error = errno
    return GONE
