"""A pump on the kernel's sockets: one epoll descriptor, which an event loop watches, and edges of each socket."""

import os

from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, errno
from libc.stdint cimport int64_t, uint32_t

from loadgen.engine._clock cimport timer_arm, timer_open
from loadgen.engine._time cimport Clocks
from loadgen.engine._transport cimport Sockets
from loadgen.faults.proxy._pump cimport Listener, Pump, Side, Watched

cdef extern from * nogil:
    """
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    #include <sys/epoll.h>
    #include <sys/socket.h>

    static int loadgen_proxy_accept(int fd) {
        int one = 1, client = accept4(fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        return client;
    }
    """
    uint32_t EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR, EPOLLET
    int EPOLL_CTL_ADD, EPOLL_CLOEXEC
    ctypedef union epoll_data_t:
        void *ptr
    cdef struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int ep, int what, int fd, epoll_event *event)
    int epoll_wait(int ep, epoll_event *events, int n, int timeout_ms)
    int c_accept "loadgen_proxy_accept"(int fd)

cdef enum:
    BATCH = 128         # events of one look
    TURNS = 16          # looks before the event loop has its turn

# Both ends of a connection are watched once, for everything.
cdef uint32_t EVERYTHING = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
# The time after which connections are accepted again, when there was no descriptor for one.
cdef double RETRY_S = 0.05


cdef class SocketPump(Pump):
    """The connections of all proxies of a process, on an event loop. `resolve` and `tell` are those of Pump."""

    cdef object loop
    cdef int epoll
    cdef int timer
    cdef bint looking         # `on_ready` is at work, and lets flows go on by itself
    cdef bint turning         # the loop will call `on_ready`

    def __cinit__(self, loop, *, resolve, tell=None):
        self.epoll = self.timer = -1
        self.time = Clocks()
        self.net = Sockets()
        self.loop = loop
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.timer = timer_open()
        if self.epoll < 0 or self.timer < 0:
            raise OSError("the kernel gives no descriptor for the proxy")
        self.add(self.timer, EPOLLIN | EPOLLET, NULL)
        loop.add_reader(self.epoll, self.on_ready)

    def listen(self, proxy, int fd):
        """Accept connections for a proxy on a listening socket that does not block, which belongs to the pump now."""
        cdef Listener listener = self.listen_with(Listener.__new__(Listener), proxy, fd)
        self.add(fd, EPOLLIN | EPOLLET, <void *>listener)

    def close(self):
        """Close everything."""
        Pump.close(self)
        self.loop.remove_reader(self.epoll)
        os.close(self.epoll)
        os.close(self.timer)

    # ── News ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_ready(self):
        """Serve what is ready, until nothing is or the loop is to have its turn."""
        cdef epoll_event events[BATCH]
        cdef int i, n, _round
        self.looking = True
        self.turning = False
        try:
            for _round in range(TURNS):
                n = epoll_wait(self.epoll, events, BATCH, 0)
                for i in range(n):
                    self.report(&events[i])
                self.go_on()
                if n <= 0 and not self.again:
                    return
        finally:
            self.looking = False
        if self.again:
            # What is left is not reported a second time.
            self.turn()

    cdef int report(self, const epoll_event *event) except -1:
        cdef uint32_t what = event.events
        cdef Watched watched
        if event.data.ptr == NULL:
            return self.ring()
        watched = <Watched>event.data.ptr
        if watched.stream < 0:
            return 0
        if isinstance(watched, Listener):
            return self.accept_all(<Listener>watched)
        return self.on_side(
            <Side>watched,
            (what & EPOLLIN) != 0,
            (what & EPOLLOUT) != 0,
            (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
        )

    cdef int accept_all(self, Listener listener) except -1:
        """Accept every client that waits."""
        cdef int fd
        while listener.stream >= 0:
            fd = c_accept(listener.stream)
            if fd >= 0:
                self.accepted(listener, fd)
            elif errno != EINTR and errno != ECONNABORTED:
                if errno != EAGAIN:
                    self.loop.call_later(RETRY_S, self.accept_later, listener)
                return 0
        return 0

    def accept_later(self, Listener listener):
        self.accept_all(listener)

    # ── What a pump asks for ────────────────────────────────────────────────────────────────────────────────────────

    cdef int add(self, int fd, uint32_t events, void *owner) except -1:
        cdef epoll_event event
        event.events = events
        event.data.ptr = owner
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event) < 0:
            raise OSError(errno, os.strerror(errno))
        return 0

    cdef int watch(self, Side side) except -1:
        return self.add(side.stream, EVERYTHING, <void *>side)

    cdef int close_listener(self, Listener listener) except -1:
        self.net.close(listener.stream)
        return 0

    cdef int wake_at(self, int64_t at_ns) except -1:
        timer_arm(self.timer, max(at_ns, 1))
        return 0

    cdef int turn(self) except -1:
        if not (self.looking or self.turning):
            self.turning = True
            self.loop.call_soon(self.on_ready)
        return 0
