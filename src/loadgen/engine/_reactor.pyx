"""Ready streams and calls at given times.

On Linux, a reactor has an epoll descriptor of its own: a wake-up passes up to 256 ready sockets to compiled code,
without libuv's cost per handle. A worker process sleeps in this epoll. The epoll also watches uvloop's own descriptor,
and uvloop has its turn when that is ready. On a loop that others use too, uvloop watches the epoll descriptor like one
socket. Without epoll, the loop watches each socket.
"""

import os
from heapq import heappop, heappush

from libc.stdint cimport int64_t, uint32_t

from loadgen.engine._clock cimport timer_arm, timer_clear, timer_open

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
# The time of spinning between two turns of uvloop. A turn costs about a microsecond.
cdef int64_t TURN_NS = 50_000

# The turns of uvloop after which a callback handed to uvloop has run and its writes are in the kernel: in a turn,
# callbacks run before uvloop looks at descriptors, uvloop writes after that, and a callback may schedule another. The
# reactor does not sleep until then.
cdef int TURNS = 8


cdef class Watcher:
    """The receiver of a reactor's reports. This base class ignores them."""

    cdef void on_stream(self, void *owner, bint readable, bint writable) noexcept:
        pass

    cdef void on_timer(self) noexcept:
        pass

    cdef void on_swept(self) noexcept:
        pass


cdef class Reactor:
    """The source of reports on ready streams and times. Only its subclasses can be used."""

    def __cinit__(self, *arguments, **options):
        self.calls = []
        self.wake_ns = NEVER

    cdef int serve(self, Watcher watcher) except -1:
        self.watcher = watcher
        return 0

    cdef int watch(self, int stream, void *owner, bint writing) noexcept:
        return -1

    cdef void forget(self, int stream) noexcept:
        pass

    cdef void spin(self, bint on) noexcept:
        pass

    cdef void sweep(self) noexcept:
        self.sweeping = True

    cdef void arm(self) noexcept:
        pass

    cdef void wake_at(self, int64_t at_ns) noexcept:
        self.wake_ns = at_ns
        self.arm()

    cdef int64_t next_ns(self) noexcept:
        return min(self.wake_ns, <int64_t>self.calls[0][0]) if self.calls else self.wake_ns

    cdef void ring(self) noexcept:
        cdef int64_t now_ns = self.time.now_ns()
        if self.wake_ns <= now_ns:
            self.wake_ns = NEVER
            if self.watcher is not None:
                self.watcher.on_timer()
        while self.calls and <int64_t>self.calls[0][0] <= now_ns:
            _, _, call = heappop(self.calls)
            call()
            self.turn()
        self.arm()

    def at(self, int64_t at_ns, call):
        """Call `call` at a monotonic time or later. Calls run in order of time, after the watcher's on_timer."""
        self.numbers += 1
        heappush(self.calls, (at_ns, self.numbers, call))
        self.arm()

    def keep_time(self):
        """Carry out the calls of `at` on the loop, without any stream. An engine serves the reactor by itself."""
        self.serve(Watcher())

    def forget_calls(self):
        """Drop all calls that `at` has scheduled."""
        self.calls.clear()
        self.arm()

    def soon(self, call, *arguments):
        """Call `call` as soon as the compiled code that is running has returned. Every subclass has this."""
        raise NotImplementedError

    def turn(self):
        """Give the event loop its turn, because something was handed to the loop."""

    def close(self):
        """Stop reporting, and close the reactor's descriptors."""
        self.watcher = None
        self.calls.clear()


cdef class Looped(Reactor):
    """A reactor on an event loop, which also runs other callbacks. Only its subclasses can be used."""

    def __cinit__(self, loop, Time time, **options):
        self.loop = loop
        self.time = time
        self.armed_ns = NEVER
        self.timer = timer_open()
        if self.timer < 0:
            raise OSError("the kernel gives no timer descriptor")

    cdef void arm(self) noexcept:
        cdef int64_t at_ns = self.next_ns()
        if at_ns != self.armed_ns and not self.ringing and not self.spinning:
            self.armed_ns = at_ns
            timer_arm(self.timer, max(at_ns, 1))

    cdef void ring(self) noexcept:
        self.ringing = True
        Reactor.ring(self)
        self.ringing = False
        self.armed_ns = NEVER
        self.arm()

    cdef void look(self) noexcept:
        pass

    cdef void spin(self, bint on) noexcept:
        self.spinning = on
        if on and not self.turning:
            self.turning = True
            self.loop.call_soon(self.on_turn)
        if not on:
            self.armed_ns = NEVER
            self.arm()

    cdef void spin_a_while(self) noexcept:
        """Look again and again, for TURN_NS at most."""
        cdef int64_t now_ns = self.time.now_ns(), until_ns = now_ns + TURN_NS
        while self.spinning and now_ns < until_ns:
            if now_ns >= self.next_ns():
                self.ring()
            self.look()
            now_ns = self.time.now_ns()

    def on_turn(self):
        """Spin, and schedule another turn on the loop."""
        self.turning = self.spinning
        if self.spinning:
            self.spin_a_while()
            self.loop.call_soon(self.on_turn)

    def soon(self, call, *arguments):
        self.loop.call_soon(call, *arguments)

    def close(self):
        self.spinning = self.ringing = False
        if self.watcher is not None:
            self.leave()
            os.close(self.timer)
        Reactor.close(self)

    def leave(self):
        """Remove everything from the loop. Every subclass has this."""
        raise NotImplementedError


cdef class EpollReactor(Looped):
    """A reactor with one epoll descriptor for all sockets and the timer.

    With `alone`, nothing else uses the loop. The reactor sleeps in its own epoll, where the loop's timers do not wake
    it, and the loop has its turn when one of the loop's descriptors is ready or something has been handed to the loop.
    Without `alone`, or on a loop that does not expose its descriptor, the loop watches the epoll descriptor.
    """

    cdef int epoll
    cdef int loops_own    # the descriptor that is readable when the loop has something to do; -1 on a shared loop
    cdef int turns        # of the loop, before the reactor sleeps again
    cdef epoll_event events[BATCH]

    def __cinit__(self, loop, Time time, *, bint alone=False):
        self.loops_own = loop._get_backend_id() if alone and hasattr(loop, "_get_backend_id") else -1
        self.turns = TURNS
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError("the kernel gives no epoll descriptor")
        # Edge-triggered: each expiry is reported once, and the timer need not be read.
        self.add(self.timer, EPOLLIN | EPOLLET, NULL)

    cdef int add(self, int fd, uint32_t events, void *owner) noexcept:
        cdef epoll_event event
        event.events = events
        event.data.ptr = owner
        return epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event)

    cdef int serve(self, Watcher watcher) except -1:
        self.watcher = watcher
        if self.loops_own < 0:
            self.loop.add_reader(self.epoll, self.on_ready)
            return 0
        if self.add(self.loops_own, EPOLLIN, <void *>self) < 0:
            raise OSError("the event loop's descriptor cannot be watched")
        self.turning = True
        self.loop.call_soon(self.on_turn)
        return 0

    cdef int watch(self, int stream, void *owner, bint writing) noexcept:
        cdef epoll_event event
        event.events = EPOLLIN | EPOLLOUT if writing else EPOLLIN
        event.data.ptr = owner
        if epoll_ctl(self.epoll, EPOLL_CTL_MOD, stream, &event) == 0:
            return 0
        return epoll_ctl(self.epoll, EPOLL_CTL_ADD, stream, &event)

    cdef void forget(self, int stream) noexcept:
        cdef epoll_event event
        epoll_ctl(self.epoll, EPOLL_CTL_DEL, stream, &event)

    cdef int report(self, int timeout_ms) noexcept:
        """Wait for ready streams, report them, and return their number; below 0 when a signal came."""
        cdef int i
        cdef uint32_t what
        cdef int n = epoll_wait(self.epoll, self.events, BATCH, timeout_ms)
        for i in range(n):
            if self.events[i].data.ptr == NULL:
                self.ring()
            elif self.events[i].data.ptr == <void *>self:
                self.turns = TURNS
            elif self.watcher is not None:
                what = self.events[i].events
                # An error or a hang-up is found by reading.
                self.watcher.on_stream(self.events[i].data.ptr, (what & ~EPOLLOUT) != 0, (what & EPOLLOUT) != 0)
        if self.sweeping and 0 <= n < BATCH:
            # Every stream that was readable when the sweep began has been reported now or before.
            self.sweeping = False
            if self.watcher is not None:
                self.watcher.on_swept()
        return n

    cdef void look(self) noexcept:
        self.on_ready()

    def on_ready(self):
        """Report ready streams, also those that become ready meanwhile, until none is left or BATCH are reported.

        A sweep goes on until it is complete.
        """
        cdef int n, served = 0
        while served < BATCH or self.sweeping:
            n = self.report(0)
            if n <= 0 and not self.sweeping:
                return
            served += n

    def on_turn(self):
        """Report ready streams until the loop has something to do too, then schedule another turn."""
        if self.watcher is None or self.loops_own < 0 and not self.spinning:
            self.turning = False
            return
        if self.spinning:
            self.spin_a_while()
        elif self.turns:
            self.turns -= 1
            self.on_ready()
        else:
            while not (self.turns or self.spinning or self.watcher is None):
                if self.report(0 if self.sweeping else -1) < 0:
                    # A signal came, which the loop handles.
                    self.turns = TURNS
        self.loop.call_soon(self.on_turn)

    def soon(self, call, *arguments):
        self.turns = TURNS
        self.loop.call_soon(call, *arguments)

    def turn(self):
        self.turns = TURNS

    def leave(self):
        if self.loops_own < 0:
            self.loop.remove_reader(self.epoll)
        os.close(self.epoll)


cdef class Descriptor:
    """The callbacks of one descriptor that a loop watches."""

    cdef LoopReactor reactor
    cdef void *owner

    def readable(self):
        if self.reactor.watcher is not None:
            self.reactor.watcher.on_stream(self.owner, True, False)

    def writable(self):
        if self.reactor.watcher is not None:
            self.reactor.watcher.on_stream(self.owner, False, True)


cdef class LoopReactor(Looped):
    """A reactor on the loop's own readers and writers, a callback each. It works wherever asyncio does."""

    cdef dict watched

    def __cinit__(self, loop, Time time, **options):
        self.watched = {}

    cdef int serve(self, Watcher watcher) except -1:
        self.watcher = watcher
        self.loop.add_reader(self.timer, self.on_timer)
        return 0

    cdef int watch(self, int stream, void *owner, bint writing) noexcept:
        cdef Descriptor w = self.watched.get(stream)
        if w is None:
            w = Descriptor.__new__(Descriptor)
            w.reactor = self
            w.owner = owner
            self.watched[stream] = w
            self.loop.add_reader(stream, w.readable)
        if writing:
            self.loop.add_writer(stream, w.writable)
        else:
            self.loop.remove_writer(stream)
        return 0

    cdef void forget(self, int stream) noexcept:
        if self.watched.pop(stream, None) is not None:
            self.loop.remove_reader(stream)
            self.loop.remove_writer(stream)

    cdef void sweep(self) noexcept:
        # The loop calls the readers of this turn before on_swept.
        self.loop.call_soon(self.loop.call_soon, self.on_swept)

    def on_swept(self):
        if self.watcher is not None:
            self.watcher.on_swept()

    def on_timer(self):
        timer_clear(self.timer)
        self.ring()

    def leave(self):
        for stream in list(self.watched):
            self.forget(stream)
        self.loop.remove_reader(self.timer)


def create(loop, Time time, str kind="auto", *, bint alone=False):
    """Return a reactor for this machine: `epoll` where there is one, else `loop`. `kind` selects one by name.

    With `alone`, nothing else on the loop needs the loop's timers.
    """
    if kind == "epoll" or (kind == "auto" and LOADGEN_EPOLL):
        return EpollReactor(loop, time, alone=alone)
    return LoopReactor(loop, time)
