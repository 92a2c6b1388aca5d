"""TCP and Unix sockets that do not block, behind the interface of `_transport.pxd`."""

import os
import socket

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.errno cimport EAGAIN, EINPROGRESS, EINTR, ENOTCONN, errno
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <fcntl.h>
    #ifdef __linux__
    #include <linux/sockios.h>
    #include <sys/ioctl.h>
    #endif
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    #include <poll.h>
    #include <stddef.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <sys/un.h>
    #include <unistd.h>

    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    /* Linux sends the first probe after TCP_KEEPIDLE seconds without traffic; macOS names that option TCP_KEEPALIVE. */
    static void loadgen_keep_alive(int fd, int seconds) {
        int one = 1;
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    #if defined(TCP_KEEPIDLE)
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    #elif defined(TCP_KEEPALIVE)
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPALIVE, &seconds, sizeof seconds);
    #endif
    #ifdef TCP_KEEPINTVL
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    #endif
    }

    /* The port is chosen by connect(2), which knows the peer: a port in use for another peer can be used again. */
    static int loadgen_bind(int fd, const char *address, unsigned length) {
    #ifdef IP_BIND_ADDRESS_NO_PORT
        int one = 1;
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    #endif
        return bind(fd, (const struct sockaddr *)address, length);
    }

    static int loadgen_socket(int family, int nodelay, int keepalive_s) {
        int one = 1, fd = socket(family, SOCK_STREAM, 0);
        if (fd < 0) return -1;
        if (nodelay && family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (keepalive_s && family != AF_UNIX) loadgen_keep_alive(fd, keepalive_s);
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

    static void loadgen_reset_on_close(int fd) {
        struct linger l = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
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

    /* The bytes that the peer has not acknowledged, also after the peer has ended the connection. Unix sockets have no
       such count: theirs is of the kernel's memory, which is more than the bytes, and is freed as the peer closes. */
    static int loadgen_unacknowledged(int fd) {
        int bytes = 0;
    #ifdef __linux__
        int family = AF_UNIX;
        socklen_t length = sizeof family;
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0 || family == AF_UNIX) return 0;
        if (ioctl(fd, SIOCOUTQ, &bytes) < 0) return 0;
    #endif
        return bytes;
    }

    /* Linux takes the bytes off a TCP socket without copying them anywhere. It would copy those of a Unix socket, and
       fails with EFAULT before it has taken any. There, and elsewhere, bytes are read and dropped. */
    static ssize_t loadgen_discard(int fd, char *scratch, size_t size, size_t wanted) {
    #ifdef __linux__
        ssize_t n = recv(fd, 0, wanted, MSG_TRUNC);
        if (n >= 0 || errno != EFAULT) return n;
    #endif
        return recv(fd, scratch, wanted < size ? wanted : size, 0);
    }
    """
    cdef struct sockaddr:
        pass
    int MSG_NOSIGNAL
    int new_socket "loadgen_socket"(int family, bint nodelay, int keepalive_s)
    int bind_address "loadgen_bind"(int fd, const char *address, unsigned int length)
    bint c_is_writable "loadgen_is_writable"(int fd)
    int socket_error "loadgen_socket_error"(int fd)
    bint has_peer "loadgen_has_peer"(int fd)
    void c_reset_on_close "loadgen_reset_on_close"(int fd)
    int c_unacknowledged "loadgen_unacknowledged"(int fd)
    ssize_t c_writev "loadgen_writev"(int fd, iovec *parts, int n)
    ssize_t c_discard "loadgen_discard"(int fd, char *scratch, size_t size, size_t wanted)
    int c_connect "connect"(int fd, const sockaddr *to, unsigned int length)
    ssize_t c_send "send"(int fd, const void *bytes, size_t n, int flags)
    ssize_t c_recv "recv"(int fd, void *bytes, size_t n, int flags)
    int c_close "close"(int fd)


cdef int64_t NS_PER_S = 1_000_000_000


cdef class Transport:
    """Streams. Only the subclasses can be used."""

    cdef int connect(self, const Address *to) noexcept nogil:
        return -EAGAIN

    cdef int connected(self, int stream) noexcept nogil:
        return 0

    cdef ssize_t read(self, int stream, char *bytes, size_t size) noexcept nogil:
        return -EAGAIN

    cdef ssize_t discard(self, int stream, char *scratch, size_t size, size_t wanted) noexcept nogil:
        return self.read(stream, scratch, min(size, wanted))

    cdef ssize_t write(self, int stream, const char *bytes, size_t size) noexcept nogil:
        return -EAGAIN

    cdef ssize_t write_parts(self, int stream, iovec *parts, int n) noexcept nogil:
        """Write one part after the other, until a part is not taken whole."""
        cdef ssize_t taken, sum = 0
        cdef int i
        for i in range(n):
            taken = self.write(stream, <char *>parts[i].iov_base, parts[i].iov_len)
            if taken < 0:
                return sum if sum else taken
            sum += taken
            if <size_t>taken < parts[i].iov_len:
                break
        return sum

    cdef bint is_writable(self, int stream) noexcept nogil:
        return False

    cdef int unacknowledged(self, int stream) noexcept nogil:
        return 0

    cdef void reset_on_close(self, int stream) noexcept nogil:
        pass

    cdef void close(self, int stream) noexcept nogil:
        pass

    cdef str words(self, int error):
        return os.strerror(error)

    cdef int64_t resumptions(self) noexcept:
        return 0


cdef class Sockets(Transport):
    """The kernel's TCP and Unix sockets, with the options of a `life`. The first comes from source address `first`."""

    def __cinit__(self, life=None, int first=0):
        sources = () if life is None else life.source_addresses
        self.nodelay = life is None or life.nodelay
        self.keepalive_s = 0 if life is None else -(-life.keepalive_ns // NS_PER_S)
        self.n_sources = len(sources)
        self.sources = <Address *>PyMem_Calloc(max(self.n_sources, 1), sizeof(Address))
        if self.sources == NULL:
            raise MemoryError()
        for i, source in enumerate(sources):
            address_of(&self.sources[i], source, 0)
        self.next_source = first % self.n_sources if self.n_sources else 0

    def __dealloc__(self):
        PyMem_Free(self.sources)

    cdef int bind_next(self, int stream, int family) noexcept nogil:
        cdef const Address *source
        for _ in range(self.n_sources):
            source = &self.sources[self.next_source]
            self.next_source = self.next_source + 1 if self.next_source + 1 < self.n_sources else 0
            if source.family == family:
                return bind_address(stream, source.bytes, source.length)
        return 0

    cdef int connect(self, const Address *to) noexcept nogil:
        cdef int error, stream = new_socket(to.family, self.nodelay, self.keepalive_s)
        self.at_once = False
        if stream < 0:
            return -errno
        if self.bind_next(stream, to.family) == 0:
            self.at_once = c_connect(stream, <const sockaddr *>to.bytes, to.length) == 0
            if self.at_once or errno == EINPROGRESS or errno == EINTR:
                return stream
        error = errno
        c_close(stream)
        return -error

    cdef int connected(self, int stream) noexcept nogil:
        cdef int error = socket_error(stream)
        return -error if error else has_peer(stream)

    cdef ssize_t read(self, int stream, char *bytes, size_t size) noexcept nogil:
        return outcome(c_recv(stream, bytes, size, 0))

    cdef ssize_t discard(self, int stream, char *scratch, size_t size, size_t wanted) noexcept nogil:
        return outcome(c_discard(stream, scratch, size, wanted))

    cdef ssize_t write(self, int stream, const char *bytes, size_t size) noexcept nogil:
        return outcome(c_send(stream, bytes, size, MSG_NOSIGNAL))

    cdef ssize_t write_parts(self, int stream, iovec *parts, int n) noexcept nogil:
        return outcome(c_writev(stream, parts, n))

    cdef bint is_writable(self, int stream) noexcept nogil:
        return c_is_writable(stream)

    cdef int unacknowledged(self, int stream) noexcept nogil:
        return c_unacknowledged(stream)

    cdef void reset_on_close(self, int stream) noexcept nogil:
        c_reset_on_close(stream)

    cdef void close(self, int stream) noexcept nogil:
        c_close(stream)


cdef inline ssize_t outcome(ssize_t n) noexcept nogil:
    """Return a system call's result, or its errno below zero; EAGAIN for a call cut short by a signal or too early."""
    if n >= 0:
        return n
    return -EAGAIN if errno == EINTR or errno == ENOTCONN else -errno


cdef int address_of(Address *a, str numeric, int port) except -1:
    """Fill in a numeric IPv4 or IPv6 address and a port; a link-local IPv6 address has its numeric scope."""
    cdef bytes packed
    family = socket.AF_INET6 if ":" in numeric else socket.AF_INET
    numeric, _, scope = numeric.partition("%")
    packed = socket.inet_pton(family, numeric)
    memset(a, 0, sizeof(Address))
    a.family = family
    a.length = fill_address(a.bytes, family, PyBytes_AS_STRING(packed), port, int(scope or 0))
    return 0


cdef int name_host(Address *a, str host) except -1:
    cdef bytes name = host.encode()[:sizeof(a.host) - 1]
    memset(a.host, 0, sizeof(a.host))
    memcpy(a.host, PyBytes_AS_STRING(name), len(name))
    return 0


cdef int unix_address_of(Address *a, str path) except -1:
    """Fill in the path of a Unix socket, which has at most 107 bytes."""
    cdef bytes name = os.fsencode(path)
    memset(a, 0, sizeof(Address))
    a.family = socket.AF_UNIX
    a.length = fill_unix_address(a.bytes, PyBytes_AS_STRING(name), len(name))
    if a.length == 0:
        raise ValueError(f"a Unix socket's path of {len(name)} bytes is longer than the kernel takes")
    return 0


cdef extern from * nogil:
    """
    static unsigned loadgen_fill_unix_address(char *bytes, const char *path, size_t length) {
        struct sockaddr_un *un = (struct sockaddr_un *)bytes;
        if (length >= sizeof un->sun_path) return 0;
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, path, length);
        return offsetof(struct sockaddr_un, sun_path) + length + 1;
    }

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
    unsigned int fill_unix_address "loadgen_fill_unix_address"(char *bytes, const char *path, size_t length)
    unsigned int fill_address "loadgen_fill_address"(
        char *bytes, int family, const char *packed, int port, unsigned int scope)
