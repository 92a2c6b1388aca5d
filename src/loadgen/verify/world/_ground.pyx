"""A host's reactor, clock and streams; `_ground.pxd` describes a turn."""

from collections import deque

from libc.errno cimport EAFNOSUPPORT, EHOSTUNREACH
from libc.stdint cimport int64_t
from libc.stdlib cimport abort, free, realloc

from loadgen.engine._transport cimport Address
from loadgen.verify._tape cimport site_of
from loadgen.verify.world._network cimport ACCEPTS, CONNECTING, End, parse_address
from loadgen.verify.world._world cimport NEVER

UNIX_EPOCH_NS = 1_767_225_600_000_000_000
"""The Unix time at the world's time 0: the year 2026."""

cdef int64_t EPOCH_NS = UNIX_EPOCH_NS

cdef enum:
    TURN = 1
    TIMER = 2

cdef int STREAMS_FIRST = site_of("streams before timer")


cdef class HostTime(Time):
    """The clocks of a host."""

    def __cinit__(self, Host host not None):
        self.network = host.network
        self.world = host.network.world
        self.thread = self.network.threads[host.number]

    cdef int64_t now_ns(self) noexcept nogil:
        return max(self.world.now_ns, self.thread.until_ns)

    cdef int64_t unix_ns(self) noexcept nogil:
        return EPOCH_NS + max(self.world.now_ns, self.thread.until_ns) + self.thread.unix_shift_ns

    cdef int64_t queued_ns(self) noexcept nogil:
        return self.thread.waited_ns

    cdef bint wait_until(self, int64_t at_ns) noexcept nogil:
        self.thread.until_ns = max(self.thread.until_ns, at_ns)
        return True


cdef class HostTransport(Transport):
    """The streams that a host opens."""

    def __cinit__(self, Ground ground not None):
        self.ground = ground
        self.network = ground.network
        self.host = ground.host.number

    cdef int connect(self, const Address *to) noexcept nogil:
        cdef int host, port
        # The families of sockaddr have the same numbers as everywhere: only 10.0.0.0/24 is there.
        if to.length < 8:
            return -EAFNOSUPPORT
        if not parse_address(to.bytes, self.network.hosts, &host, &port):
            return -EHOSTUNREACH
        return self.network.connect(self.host, host, port, <void *>self.ground)

    cdef int connected(self, int stream) noexcept nogil:
        return self.network.connected(stream)

    cdef ssize_t read(self, int stream, char *bytes, size_t size) noexcept nogil:
        return self.network.read(stream, bytes, size)

    cdef ssize_t write(self, int stream, const char *bytes, size_t size) noexcept nogil:
        return self.network.write(stream, bytes, size)

    cdef bint is_writable(self, int stream) noexcept nogil:
        return self.network.is_writable(stream)

    cdef int unacknowledged(self, int stream) noexcept nogil:
        return self.network.unacknowledged(stream)

    cdef void reset_on_close(self, int stream) noexcept nogil:
        self.network.ends[stream].resets = True

    cdef void close(self, int stream) noexcept nogil:
        self.network.close(stream)


cdef void on_event(void *ground, int kind, int64_t argument) noexcept:
    (<Ground>ground).on_event(kind, argument)


cdef void on_news(void *ground, int end) noexcept:
    (<Ground>ground).has_news(end)


cdef void on_accept(void *ground, int end, int port) noexcept:
    cdef Ground self = <Ground>ground
    try:
        self.accepts(end, port)
    except BaseException as error:
        self.world.fail(error)


cdef void on_resumed(void *ground) noexcept:
    (<Ground>ground).want_turn()


cdef class Ground(Reactor):
    """The reactor of a host's thread. It is passed to an Engine or a client's shell with its `net`."""

    def __cinit__(self, Host host not None):
        self.host = host
        self.network = host.network
        self.world = host.network.world
        self.thread = self.network.threads[host.number]
        self.time = HostTime(host)
        self.net = HostTransport(self)
        self.handed = deque()
        self.pending_ns = NEVER
        self.actor = self.world.join(self, on_event)
        self.network.news, self.network.accept, self.network.resumed = on_news, on_accept, on_resumed
        (<list>self.network.grounds[host.number]).append(self)

    def __dealloc__(self):
        free(self.ready)
        free(self.reported)

    def listen(self, int port, accepts):
        """Listen on a port of the host: `accepts(end, port)` is called for each stream that comes."""
        self.accepts = accepts
        self.listen_on(port)

    cdef int listen_on(self, int port) except -1:
        return self.network.listen(self.host.number, port, ACCEPTS, <void *>self)

    def end(self):
        """Forget everything: the host was killed."""
        self.watcher = None
        self.calls.clear()
        self.handed.clear()
        self.accepts = None
        self.n_ready = 0
        self.pending_ns = NEVER

    # ── A reactor ───────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int watch(self, int stream, void *owner, bint writing) noexcept:
        cdef End *e = &self.network.ends[stream]
        e.owner = owner
        e.ground = <void *>self
        e.watched = True
        e.writing = writing
        if e.state != CONNECTING and (
                writing and self.network.is_writable(stream) or not e.deaf and self.network.is_readable(stream)):
            self.has_news(stream)
        return 0

    cdef void watch_edges(self, int end, void *owner) noexcept:
        self.network.ends[end].edges = True
        self.watch(end, owner, True)

    cdef bint has_hung(self, int end) noexcept:
        cdef End *e = &self.network.ends[end]
        return e.ended or e.broken or e.error != 0

    cdef void forget(self, int stream) noexcept:
        self.network.ends[stream].watched = False

    cdef void sweep(self) noexcept:
        self.sweeping = True
        self.want_turn()

    cdef void set_deaf(self, int end, bint deaf) noexcept:
        self.network.ends[end].deaf = deaf
        if not deaf and self.network.is_readable(end):
            self.has_news(end)

    cdef void arm(self) noexcept:
        cdef int64_t at_ns = max(self.next_ns(), self.world.now_ns)
        if at_ns < self.pending_ns:
            self.pending_ns = at_ns
            self.world.schedule(at_ns, self.actor, TIMER, at_ns)

    def soon(self, call, *arguments):
        self.handed.append((call, arguments))
        self.want_turn()

    # ── Turns ───────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef void has_news(self, int end) noexcept:
        if self.network.ends[end].queued:
            return
        if self.n_ready == self.ready_capacity:
            self.ready_capacity = max(16, 2 * self.ready_capacity)
            self.ready = <int *>realloc(self.ready, self.ready_capacity * sizeof(int))
            self.reported = <int *>realloc(self.reported, self.ready_capacity * sizeof(int))
            if self.ready == NULL or self.reported == NULL:
                abort()
        self.network.ends[end].queued = True
        self.ready[self.n_ready] = end
        self.n_ready += 1
        self.want_turn()

    cdef void want_turn(self) noexcept:
        if not self.turns and self.thread.pauses == 0:
            self.turns = True
            self.world.schedule(self.thread.until_ns, self.actor, TURN, 0)

    cdef void on_event(self, int kind, int64_t argument) noexcept:
        if kind == TIMER:
            if argument != self.pending_ns:
                # The timer was set to an earlier time since.
                return
            self.pending_ns = NEVER
            if self.next_ns() > self.world.now_ns:
                self.arm()
                return
            if self.turns:
                # The turn that is scheduled makes the calls.
                return
        else:
            self.turns = False
        if self.thread.pauses:
            return
        if self.thread.until_ns > self.world.now_ns:
            self.want_turn()
            return
        self.turn_now()

    cdef void turn_now(self) noexcept:
        cdef bint streams_first
        self.turn_count += 1
        while self.handed:
            call, arguments = self.handed.popleft()
            try:
                call(*arguments)
            except BaseException as error:
                self.world.fail(error)
                return
        streams_first = self.n_ready and self.is_due() and self.world.order.is_swapped(STREAMS_FIRST)
        if streams_first:
            self.report_all()
        if self.is_due():
            self.ring()
        if not streams_first:
            self.report_all()
        if self.sweeping and self.n_ready == 0:
            self.sweeping = False
            if self.watcher is not None:
                self.watcher.on_swept()
        self.arm()
        if self.n_ready or self.handed or self.sweeping or self.is_due():
            self.want_turn()

    cdef bint is_due(self) noexcept:
        return self.next_ns() <= self.world.now_ns

    cdef void report_all(self) noexcept:
        """Report each stream that has news. One that is still ready after that has news again, unless it has edges."""
        cdef Network network = self.network
        cdef int i, end, n = self.n_ready
        cdef bint readable, writable
        cdef End *e
        self.n_ready = 0
        self.ready, self.reported = self.reported, self.ready
        for i in range(n):
            end = self.reported[i]
            e = &network.ends[end]
            e.queued = False
            if not e.watched or self.watcher is None or e.state == CONNECTING:
                continue
            readable = not e.deaf and network.is_readable(end)
            writable = e.writing and network.is_writable(end)
            if not readable and not writable:
                continue
            self.watcher.on_stream(e.owner, readable, writable)
            e = &network.ends[end]
            if e.edges or not e.watched:
                continue
            if not e.deaf and network.is_readable(end) or e.writing and network.is_writable(end):
                self.has_news(end)

    def close(self):
        self.end()
