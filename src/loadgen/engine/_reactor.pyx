"""Which sockets are ready, and what time it is to wake.

On Linux one epoll descriptor of our own, which uvloop watches as if it were one socket: a wake-up hands up to 256 ready
sockets to compiled code, without libuv's cost per handle. Elsewhere `loop.add_reader` for each socket.
"""

import os

from libc.stdint cimport int64_t, uint32_t

from loadgen.engine._clock cimport monotonic_ns, timer_arm, timer_clear, timer_open

cdef extern from * nogil:
    """
    #ifdef __linux__
    #include <sys/epoll.h>
    #define LOADGEN_EPOLL 1
    #else
    #define LOADGEN_EPOLL 0
    struct epoll_event { unsigned events; union { void *ptr; } data; };
    enum { EPOLLIN = 1, EPOLLOUT = 4, EPOLLET = 8, EPOLL_CLOEXEC = 0 };
    enum { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3 };
    static int epoll_create1(int flags) { return -1; }
    static int epoll_ctl(int ep, int what, int fd, struct epoll_event *event) { return -1; }
    static int epoll_wait(int ep, struct epoll_event *events, int n, int timeout) { return -1; }
    #endif
    """
    bint LOADGEN_EPOLL
    uint32_t EPOLLIN, EPOLLOUT, EPOLLET
    int EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLL_CLOEXEC
    ctypedef union epoll_data_t:
        void *ptr
    cdef struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int ep, int what, int fd, epoll_event *event)
    int epoll_wait(int ep, epoll_event *events, int n, int timeout_ms)


cdef int64_t NEVER = 1 << 62
# How long to spin before uvloop gets its turn, which costs about a microsecond.
cdef int64_t TURN_NS = 50_000


cdef class Watcher:
    """Whoever a reactor reports to."""

    cdef void on_socket(self, void *owner, bint readable, bint writable) noexcept:
        pass

    cdef void on_timer(self) noexcept:
        pass

    cdef void on_swept(self) noexcept:
        pass


cdef class Reactor:
    """Only its subclasses can be used."""

    def __cinit__(self, loop, Watcher watcher):
        self.loop = loop
        self.watcher = watcher
        self.timer = timer_open()
        if self.timer < 0:
            raise OSError("the kernel gives no timer descriptor")

    cdef int watch(self, int fd, void *owner, bint writing) noexcept:
        return -1

    cdef void forget(self, int fd) noexcept:
        pass

    cdef void wake_at(self, int64_t at_ns) noexcept:
        if self.spinning:
            self.due_ns = at_ns
        else:
            timer_arm(self.timer, max(at_ns, 1))

    cdef void spin(self, bint on) noexcept:
        if on and not self.spinning:
            self.due_ns = NEVER
            self.loop.call_soon(self.on_turn)
        self.spinning = on

    cdef void sweep(self) noexcept:
        self.sweeping = True

    cdef void look(self) noexcept:
        pass

    def on_turn(self):
        """Spins for a while, and asks the loop, which has other things to see to, for another turn."""
        cdef int64_t now_ns = monotonic_ns(), until_ns = now_ns + TURN_NS
        while self.spinning and now_ns < until_ns:
            if now_ns >= self.due_ns:
                self.due_ns = NEVER
                self.watcher.on_timer()
            self.look()
            now_ns = monotonic_ns()
        if self.spinning:
            self.loop.call_soon(self.on_turn)

    def close(self):
        """Stops reporting and gives the descriptors back."""
        raise NotImplementedError


cdef class EpollReactor(Reactor):
    """One epoll descriptor for all sockets and the timer, watched by the loop."""

    cdef int epoll
    cdef epoll_event events[BATCH]

    def __cinit__(self, loop, Watcher watcher):
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError("the kernel gives no epoll descriptor")
        # Edge-triggered: each expiry reports once, and nobody has to read the timer.
        cdef epoll_event event
        event.events = EPOLLIN | EPOLLET
        event.data.ptr = NULL
        epoll_ctl(self.epoll, EPOLL_CTL_ADD, self.timer, &event)
        loop.add_reader(self.epoll, self.on_ready)

    cdef int watch(self, int fd, void *owner, bint writing) noexcept:
        cdef epoll_event event
        event.events = EPOLLIN | EPOLLOUT if writing else EPOLLIN
        event.data.ptr = owner
        if epoll_ctl(self.epoll, EPOLL_CTL_MOD, fd, &event) == 0:
            return 0
        return epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event)

    cdef void forget(self, int fd) noexcept:
        cdef epoll_event event
        epoll_ctl(self.epoll, EPOLL_CTL_DEL, fd, &event)

    cdef void look(self) noexcept:
        self.on_ready()

    def on_ready(self):
        """Serves what is ready, and what has become ready meanwhile, until nothing is or a batch is through.

        Asking once more costs less than the way back through uvloop. It does not wait for more: a wait with a timeout
        arms a kernel timer, which costs more than that way, and one without would keep uvloop from its turn.
        """
        cdef int i, n, served = 0
        cdef uint32_t what
        while served < BATCH or self.sweeping:
            n = epoll_wait(self.epoll, self.events, BATCH, 0)
            if n <= 0 and not self.sweeping:
                return
            served += n
            for i in range(n):
                if self.events[i].data.ptr == NULL:
                    self.watcher.on_timer()
                    continue
                what = self.events[i].events
                # An error or a hang-up is found by reading.
                self.watcher.on_socket(self.events[i].data.ptr, (what & ~EPOLLOUT) != 0, (what & EPOLLOUT) != 0)
            if self.sweeping and n < BATCH:
                # What was readable when the sweep was asked for has been among these, or among those before.
                self.sweeping = False
                self.watcher.on_swept()

    def close(self):
        self.spinning = False
        if self.watcher is not None:
            self.loop.remove_reader(self.epoll)
            os.close(self.epoll)
            os.close(self.timer)
            self.watcher = None


cdef class Descriptor:
    """One descriptor on a loop's own list."""

    cdef LoopReactor reactor
    cdef void *owner

    def readable(self):
        if self.reactor.watcher is not None:
            self.reactor.watcher.on_socket(self.owner, True, False)

    def writable(self):
        if self.reactor.watcher is not None:
            self.reactor.watcher.on_socket(self.owner, False, True)


cdef class LoopReactor(Reactor):
    """The loop's own readers and writers, a callback each: works wherever asyncio does."""

    cdef dict watched

    def __cinit__(self, loop, Watcher watcher):
        self.watched = {}
        loop.add_reader(self.timer, self.on_timer)

    cdef int watch(self, int fd, void *owner, bint writing) noexcept:
        cdef Descriptor w = self.watched.get(fd)
        if w is None:
            w = Descriptor.__new__(Descriptor)
            w.reactor = self
            w.owner = owner
            self.watched[fd] = w
            self.loop.add_reader(fd, w.readable)
        if writing:
            self.loop.add_writer(fd, w.writable)
        else:
            self.loop.remove_writer(fd)
        return 0

    cdef void forget(self, int fd) noexcept:
        if self.watched.pop(fd, None) is not None:
            self.loop.remove_reader(fd)
            self.loop.remove_writer(fd)

    cdef void sweep(self) noexcept:
        # The loop has its readers of this turn called before the second of these.
        self.loop.call_soon(self.loop.call_soon, self.on_swept)

    def on_swept(self):
        if self.watcher is not None:
            self.watcher.on_swept()

    def on_timer(self):
        timer_clear(self.timer)
        if self.watcher is not None:
            self.watcher.on_timer()

    def close(self):
        self.spinning = False
        if self.watcher is not None:
            for fd in list(self.watched):
                self.forget(fd)
            self.loop.remove_reader(self.timer)
            os.close(self.timer)
            self.watcher = None


def create(loop, Watcher watcher, str kind="auto"):
    """The reactor for this machine: `epoll` where there is one, else `loop`; `kind` asks for one by name."""
    if kind == "epoll" or (kind == "auto" and LOADGEN_EPOLL):
        return EpollReactor(loop, watcher)
    return LoopReactor(loop, watcher)
